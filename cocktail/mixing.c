#include "mixing.h"

#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "base/outdir.h"
#include "base/utf8.h"
#include "report/size_text.h"
#include "report/table.h"

#include "terminal.h"

int mixing_check_output(const struct mixing_options *options, struct error *err)
{
    /* What --force replaces is looked at when the models are known. */
    return options->output && !options->force ? outdir_check(options->output, false, NULL, err) : 0;
}

struct merge_options mixing_merge_options(const struct mixing_options *options)
{
    return (struct merge_options){
        .output = options->output,
        .type = options->type,
        .dtype = options->dtype,
        .pooling = options->pooling,
        .shard_bytes = options->shard_bytes,
        .method = options->compat ? &combine_lm_cocktail : &combine_linear,
        .force = options->force,
        .ignore_tokenizer = options->ignore_tokenizer,
        .follow_symlinks = options->follow_symlinks,
    };
}

/* ---- the command line for the model card ---- */

static void add_quoted(struct buffer *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./,:=@%+";
    struct buffer printable = {0};

    utf8_add_printable(&printable, word, strlen(word));
    if (*word && word[strspn(word, plain)] == '\0') {
        buffer_add_text(out, word);
    } else if (printable.size && strcmp(printable.data, word) != 0) {
        /* Control characters: bash's $'…' reads the \xNN. */
        buffer_add_text(out, "$'");
        for (const char *c = word; *c; c++) {
            char one[2] = {*c, '\0'};

            if (strchr("'\\", *c))
                buffer_add_char(out, '\\');
            utf8_add_printable(out, one, 1);
        }
        buffer_add_char(out, '\'');
    } else {
        buffer_add_char(out, '\'');
        for (const char *c = word; *c; c++)
            buffer_add_text(out, *c == '\'' ? "'\\''" : (char[]){*c, '\0'});
        buffer_add_char(out, '\'');
    }
    buffer_release(&printable);
}

/* Where in the word the name of a model or another path begins; NULL: nowhere. */
static const char *find_path(const struct common_options *common, const char *word)
{
    const char *end = word + strlen(word);

    for (size_t i = 0; i < common->n_operands; i++)
        if (common->operands[i] == word)
            return word;
    for (size_t i = 0; i < common->paths.n_items; i++)
        if (common->paths.items[i] >= word && common->paths.items[i] < end)
            return common->paths.items[i];
    return NULL;
}

/* The last part of a path: a card is for strangers. */
static char *last_part(const char *path)
{
    char *real = memory_realpath(path), *copy = memory_copy(path), *name = basename(copy), *part;

    if (real && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0))
        part = memory_copy(basename(real));
    else
        part = memory_copy(name);
    free(real);
    free(copy);
    return part;
}

static char *shown_path(const struct merge *merge, const char *path)
{
    for (size_t i = 0; i < merge->n_models; i++)
        if (merge->options.names[i] == path)
            return model_folder_label(&merge->models[i]);
    return last_part(path);
}

/* As a shell reads it, "cocktail mix …", paths cut down to their names; to be freed. */
static char *command_line(const struct mixing *mixing)
{
    struct buffer line = {0};

    buffer_add_text(&line, "cocktail");
    for (int i = 0; i < mixing->common->argc; i++) {
        const char *word = mixing->common->argv[i], *path = find_path(mixing->common, word);
        char *shown = path ? shown_path(mixing->merge, path) : memory_copy("");
        char *text = memory_format("%.*s%s", (int)(path ? (size_t)(path - word) : strlen(word)),
                                   word, shown);

        buffer_add_char(&line, ' ');
        add_quoted(&line, text);
        free(text);
        free(shown);
    }
    return line.data;
}

/* ---- showing ---- */

static size_t memory_bytes(const struct mixing *mixing)
{
    return mixer_buffer_bytes(&mixing->merge->components[0].plan, mixing->common->n_threads);
}

static void print_models(const struct mixing *mixing)
{
    static const struct table_column columns[] = {
        {.label = "model", .side = TABLE_LEFT},
        {.label = "weight", .side = TABLE_RIGHT, .format = "%#.8g"},
    };
    static const struct table_column columns_with_loss[] = {
        {.label = "model", .side = TABLE_LEFT},
        {.label = "loss", .side = TABLE_RIGHT, .format = "%.6f"},
        {.label = "weight", .side = TABLE_RIGHT, .format = "%#.8g"},
    };
    const struct merge *merge = mixing->merge;
    struct table table = {
        .columns = mixing->losses ? columns_with_loss : columns,
        .n_columns = mixing->losses ? 3 : 2,
    };

    for (size_t i = 0; i < merge->n_models; i++) {
        table_add(&table, merge->models[i].name);
        if (mixing->losses && isnan(mixing->losses[i]))
            table_add_missing(&table);
        else if (mixing->losses)
            table_add_real(&table, mixing->losses[i]);
        table_add_real(&table, mixing->weights[i]);
    }
    table_print(&table, stdout);
    table_release(&table);
}

static void add_models(const struct mixing *mixing, struct json_writer *json)
{
    const struct merge *merge = mixing->merge;

    json_writer_array(json, "models");
    for (size_t i = 0; i < merge->n_models; i++) {
        json_writer_object(json, NULL);
        json_writer_string(json, "path", merge->models[i].name);
        json_writer_double(json, "weight", mixing->weights[i]);
        if (mixing->losses)
            json_writer_double(json, "loss", mixing->losses[i]);
        json_writer_end(json);
    }
    json_writer_end(json);
}

/* `result` NULL: nothing has been written. */
static void print_json(const struct mixing *mixing, const struct merge_result *result,
                       double seconds)
{
    const struct merge *merge = mixing->merge;
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "output", mixing->options->output);
    json_writer_string(&json, "type", merge->has_type ? model_type_name(merge->type) : NULL);
    json_writer_string(&json, "method", merge->options.method->name);
    add_models(mixing, &json);
    json_writer_size(&json, "tensors", merge->n_tensors);
    json_writer_size(&json, "parameters", merge->n_parameters);
    json_writer_size(&json, "bytes", merge->weights_bytes);
    json_writer_array(&json, "files");
    for (size_t i = 0; result && i < result->n_files; i++)
        json_writer_string(&json, NULL, result->files[i]);
    json_writer_end(&json);
    json_writer_double(&json, "seconds", seconds);
    if (mixing->add_members)
        mixing->add_members(mixing->context, &json);
    if (mixing->options->dry_run) {
        json_writer_bool(&json, "dry_run", true);
        json_writer_size(&json, "disk_bytes", merge->disk_bytes);
        json_writer_size(&json, "memory_bytes", memory_bytes(mixing));
    }
    json_writer_end(&json);
    puts(out.data);
    buffer_release(&out);
}

static void print_size(const struct merge *merge)
{
    char size[SIZE_TEXT_MAX];

    printf("%zu tensors, %zu parameters, %s", merge->n_tensors, merge->n_parameters,
           size_text(size, merge->weights_bytes));
}

static void print_plan(const struct mixing *mixing)
{
    const struct merge *merge = mixing->merge;
    char size[SIZE_TEXT_MAX];

    print_models(mixing);
    printf("\nwould write '%s': ", mixing->options->output);
    print_size(merge);
    printf("\ndisk: %s\n", size_text(size, merge->disk_bytes));
    printf("memory for buffers: %s\n", size_text(size, memory_bytes(mixing)));
    if (mixing->common->verbose)
        for (size_t i = 0; i < merge->base_files.n_kept; i++)
            printf("copies: %s\n", merge->base_files.kept[i]);
}

static void print_result(const struct mixing *mixing, const struct merge_result *result,
                         double seconds)
{
    print_models(mixing);
    printf("\nwrote '%s': ", mixing->options->output);
    print_size(mixing->merge);
    printf(" in %.2f s\n", seconds);
    if (mixing->common->verbose)
        printf("time, all threads together: read %.2f s, combine %.2f s, write %.2f s; flush %.2f "
               "s\n", result->stats.read_s, result->stats.combine_s, result->stats.write_s,
               result->flush_s);
}

static void note_special(const struct merge_result *result, struct notices *notices)
{
    const struct mixer_stats *stats = &result->stats;

    if (stats->first_special)
        notices_add(notices, "the result holds %zu NaN and %zu infinite values, first in tensor '"
                    ERROR_NAME "'", stats->n_nan, stats->n_inf, stats->first_special);
}

/* ---- writing ---- */

static int write_mix(const struct mixing *mixing, struct error *err)
{
    const struct common_options *common = mixing->common;
    char *command = command_line(mixing);
    struct merge_recipe recipe = {mixing->weights, mixing->losses, command};
    struct terminal_progress shown;
    struct merge_result result = {0};
    double start = clock_now_s();
    int rc;

    terminal_progress_start(&shown, "mixing", common);
    rc = merge_write(mixing->merge, &recipe, mixing->threads, &shown.progress, &result, err);
    terminal_progress_end(&shown);
    free(command);
    if (rc == 0) {
        struct notices late = {0};

        note_special(&result, &late);
        terminal_notices(&late, common);
        notices_release(&late);
        if (common->json)
            print_json(mixing, &result, clock_now_s() - start);
        else
            print_result(mixing, &result, clock_now_s() - start);
    }
    folder_names_free(result.files, result.n_files);
    return rc;
}

int mixing_run(const struct mixing *mixing, struct error *err)
{
    terminal_notices(&mixing->merge->notices, mixing->common);
    if (!mixing->options->dry_run)
        return write_mix(mixing, err);
    if (mixing->common->json)
        print_json(mixing, NULL, 0);
    else
        print_plan(mixing);
    return 0;
}

void mixing_show_weights(const struct mixing *mixing)
{
    terminal_notices(&mixing->merge->notices, mixing->common);
    if (mixing->common->json)
        print_json(mixing, NULL, 0);
    else
        print_models(mixing);
}
