/* pull.c - fetch a model from the Hub into its cache. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_writer.h"
#include "hub/hub_fetch.h"
#include "report/snapshot_report.h"

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

static void print(const struct pull_options *options, const struct hub_snapshot *snapshot)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    if (options->common.json) {
        snapshot_report_add_json(&json, snapshot);
        puts(out.data);
    } else if (options->dry_run) {
        snapshot_report_print_plan(snapshot, stdout);
    } else {
        puts(snapshot->path);
    }
    buffer_release(&out);
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
