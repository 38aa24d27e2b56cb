#include "mixing.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "base/outdir.h"
#include "base/utf8.h"
#include "mix/combine.h"
#include "mix/gguf_merge.h"
#include "mix/merge_write.h"
#include "report/mix_report.h"

#include "terminal.h"

int mixing_check_output(const struct mixing_options *options, struct error *err)
{
    bool is_gguf = gguf_merge_is_output(options->output);

    if (options->dtype && strcmp(options->dtype, "q8_0") == 0 && !is_gguf)
        return error_set(err, ERROR_USAGE, "--dtype q8_0 is for GGUF files: the output must end in .gguf");
    if (options->shard_bytes && is_gguf)
        return error_set(err, ERROR_USAGE, "--shard-size: a GGUF file is not cut into shards");
    /* What --force replaces is looked at when the models are known. */
    if (!options->output || options->force)
        return 0;
    return is_gguf ? outdir_check_file(options->output, false, NULL, err)
                   : outdir_check(options->output, false, NULL, err);
}

struct merge_options mixing_merge_options(const struct mixing_options *options)
{
    return (struct merge_options){
        .output = options->output,
        .type = options->type,
        .dtype = options->dtype,
        .pooling = options->pooling,
        .shard_bytes = options->shard_bytes ? options->shard_bytes : 5000000000,
        .method = combine_method_find(options->compat ? options->compat : "linear"),
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
    for (size_t i = 0; merge->options.names && i < merge->n_models; i++)
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

static struct mix_report report_of(const struct mixing *mixing)
{
    return (struct mix_report){
        .merge = mixing->merge,
        .losses = mixing->losses,
        .is_dry_run = mixing->options->dry_run,
        .memory_bytes = mixer_buffer_bytes(&mixing->merge->components[0].plan,
                                           mixing->common->n_threads),
        .add_members = mixing->add_members,
        .print_more = mixing->print_more,
        .context = mixing->context,
    };
}

static void print_json(const struct mix_report *report)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    mix_report_add_json(&json, report);
    puts(out.data);
    buffer_release(&out);
}

static void print(const struct mixing *mixing, const struct mix_report *report)
{
    if (mixing->common->json)
        print_json(report);
    else
        mix_report_print(report, mixing->common->verbose, stdout);
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
    struct merge_notes notes = {mixing->losses, command, mixing->recipe};
    struct mix_report report = report_of(mixing);
    struct terminal_progress shown;
    struct merge_result result = {0};
    struct notices late = {0};
    double start = clock_now_s();
    int rc;

    terminal_progress_start(&shown, mixing->merge->options.donor      ? "moving"
                                    : mixing->merge->options.converts ? "converting"
                                                                      : "mixing",
                            common);
    rc = merge_write(mixing->merge, &notes, mixing->threads, &shown.progress, &result, err);
    terminal_progress_end(&shown);
    free(command);
    if (rc == 0) {
        note_special(&result, &late);
        terminal_notices(&late, common);
        report.result = &result;
        report.seconds = clock_now_s() - start;
        print(mixing, &report);
    }
    notices_release(&late);
    folder_names_free(result.files, result.n_files);
    return rc;
}

int mixing_run(const struct mixing *mixing, struct error *err)
{
    struct mix_report report;
    int rc = 0;

    if (mixing->weights)
        merge_set_weights(mixing->merge, mixing->weights);
    if (mixing->settings)
        rc = merge_set_settings(mixing->merge, mixing->settings, err);
    terminal_notices(&mixing->merge->notices, mixing->common);
    if (rc)
        return -1;
    if (!mixing->options->dry_run)
        return write_mix(mixing, err);
    report = report_of(mixing);
    print(mixing, &report);
    return 0;
}

void mixing_show_weights(const struct mixing *mixing)
{
    struct mix_report report = report_of(mixing);

    terminal_notices(&mixing->merge->notices, mixing->common);
    merge_set_weights(mixing->merge, mixing->weights);
    if (mixing->common->json)
        print_json(&report);
    else
        mix_report_print_models(&report, stdout);
}
