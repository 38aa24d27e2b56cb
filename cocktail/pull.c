/* pull.c - fetch a model from the Hub into its cache. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_writer.h"
#include "hub/hub_fetch.h"
#include "report/size_text.h"
#include "report/table.h"

#include "command.h"
#include "model_argument.h"
#include "terminal.h"

struct pull_options {
    struct common_options common;
    struct option_texts include;
    bool dry_run;
};

static const struct option_row rows[] = {
    {0, "include", OPTION_TEXTS, offsetof(struct pull_options, include), "PATTERN",
     "fetch what matches, instead of what a model needs; again for more"},
    {0, "dry-run", OPTION_FLAG, offsetof(struct pull_options, dry_run), NULL,
     "show what would be fetched, write nothing"},
    OPTIONS_COMMON,
};

static void add_files(struct table *table, const struct hub_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->listing.n_files; i++) {
        const struct hub_file *file = &snapshot->listing.files[i];

        if (!file->use)
            continue;
        table_add(table, file->path);
        table_add_size(table, file->size_bytes);
        table_add(table, file->sha256[0] ? file->sha256 : NULL);
    }
}

static void print_json(const struct hub_snapshot *snapshot, const struct table *files)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "path", snapshot->path);
    json_writer_string(&json, "revision", snapshot->commit);
    table_write_json(files, &json, "files");
    json_writer_end(&json);
    puts(out.data);
    buffer_release(&out);
}

static void print_plan(const struct hub_snapshot *snapshot, const struct table *files)
{
    char size[SIZE_TEXT_MAX];

    table_print(files, stdout);
    printf("\nwould fetch %s into '%s'\n", size_text(size, snapshot->missing_bytes),
           snapshot->path);
}

static void print(const struct pull_options *options, const struct hub_snapshot *snapshot)
{
    static const struct table_column columns[] = {
        {.key = "name", .side = TABLE_LEFT},
        {.key = "size_bytes", .side = TABLE_RIGHT},
        {.key = "sha256"},
    };
    struct table files = TABLE(columns);

    add_files(&files, snapshot);
    if (options->common.json)
        print_json(snapshot, &files);
    else if (options->dry_run)
        print_plan(snapshot, &files);
    else
        puts(snapshot->path);
    table_release(&files);
}

static int pull(const struct pull_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    const char *argument = common->operands[0];
    struct terminal_progress shown;
    struct hub_fetch_options how = {
        .patterns = options->include.items, .n_patterns = options->include.n_items,
        .is_dry_run = options->dry_run, .needs_hashes = common->json,
        .progress = &shown.progress,
    };
    struct hub_snapshot snapshot;
    struct notices notices = {0};
    struct hub_id id;
    int rc;

    if (!hub_id_parse(&id, argument) && !hub_id_parse_bare(&id, argument))
        return model_argument_refuse(argument, err);
    terminal_progress_start(&shown, "fetching", common);
    rc = hub_fetch(&snapshot, &id, &how, &notices, err);
    terminal_progress_end(&shown);
    terminal_notices(&notices, common);
    notices_release(&notices);
    hub_id_release(&id);
    if (rc)
        return error_context(err, "'%s'", argument);
    print(options, &snapshot);
    hub_snapshot_release(&snapshot);
    return 0;
}

static int run(int argc, char **argv, struct error *err)
{
    struct pull_options options = {0};
    int rc = command_parse(&command_pull, argc, argv, &options, err);

    if (rc == 0)
        rc = pull(&options, err);
    free(options.include.items);
    options_release(&options.common);
    return rc;
}

const struct command command_pull = {
    .name = "pull",
    .summary = "fetch a model from the Hugging Face Hub",
    .usage = "ID",
    .min_operands = 1,
    .max_operands = 1,
    .rows = rows,
    .run = run,
};
