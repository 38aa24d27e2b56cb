#include "mixing.h"

#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/outdir.h"
#include "base/utf8.h"

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
    const struct merge *merge = mixing->merge;
    struct table table = {.columns = mixing->losses ? "lrr" : "lr"};
    char text[64];

    table_add(&table, "model");
    if (mixing->losses)
        table_add(&table, "loss");
    table_add(&table, "weight");
    for (size_t i = 0; i < merge->n_models; i++) {
        table_add(&table, merge->models[i].name);
        if (mixing->losses) {
            snprintf(text, sizeof text, "%.6f", mixing->losses[i]);
            table_add(&table, isnan(mixing->losses[i]) ? "-" : text);
        }
        snprintf(text, sizeof text, "%#.8g", mixing->weights[i]);
        table_add(&table, text);
    }
    table_print(&table, stdout);
    table_release(&table);
}

static void add_models(const struct mixing *mixing, struct buffer *out)
{
    const struct merge *merge = mixing->merge;

    for (size_t i = 0; i < merge->n_models; i++) {
        buffer_add_text(out, i ? ",{\"path\":" : "{\"path\":");
        json_add_string(out, merge->models[i].name);
        buffer_add_text(out, ",\"weight\":");
        json_add_number(out, mixing->weights[i]);
        if (mixing->losses) {
            buffer_add_text(out, ",\"loss\":");
            json_add_number(out, mixing->losses[i]);
        }
        buffer_add_char(out, '}');
    }
}

/* `result` NULL: nothing has been written. */
static void print_json(const struct mixing *mixing, const struct merge_result *result,
                       double seconds)
{
    const struct merge *merge = mixing->merge;
    struct buffer out = {0};

    buffer_add_text(&out, "{\"output\":");
    if (mixing->options->output)
        json_add_string(&out, mixing->options->output);
    else
        buffer_add_text(&out, "null");
    if (merge->has_type)
        buffer_format(&out, ",\"type\":\"%s\"", model_type_name(merge->type));
    else
        buffer_add_text(&out, ",\"type\":null");
    buffer_format(&out, ",\"method\":\"%s\",\"models\":[", merge->options.method->name);
    add_models(mixing, &out);
    buffer_format(&out, "],\"tensors\":%zu,\"parameters\":%zu,\"bytes\":%zu,\"files\":[",
                  merge->n_tensors, merge->n_parameters, merge->weights_bytes);
    for (size_t i = 0; result && i < result->n_files; i++) {
        buffer_add_text(&out, i ? "," : "");
        json_add_string(&out, result->files[i]);
    }
    buffer_add_text(&out, "],\"seconds\":");
    json_add_number(&out, seconds);
    if (mixing->json_members)
        buffer_add_text(&out, mixing->json_members);
    if (mixing->options->dry_run)
        buffer_format(&out, ",\"dry_run\":true,\"disk_bytes\":%zu,\"memory_bytes\":%zu",
                      merge->disk_bytes, memory_bytes(mixing));
    buffer_add_char(&out, '}');
    puts(out.data);
    buffer_release(&out);
}

static void print_size(const struct merge *merge)
{
    char size[TERMINAL_SIZE_MAX];

    printf("%zu tensors, %zu parameters, %s", merge->n_tensors, merge->n_parameters,
           terminal_size(size, merge->weights_bytes));
}

static void print_plan(const struct mixing *mixing)
{
    const struct merge *merge = mixing->merge;
    char size[TERMINAL_SIZE_MAX];

    print_models(mixing);
    printf("\nwould write '%s': ", mixing->options->output);
    print_size(merge);
    printf("\ndisk: %s\n", terminal_size(size, merge->disk_bytes));
    printf("memory for buffers: %s\n", terminal_size(size, memory_bytes(mixing)));
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
