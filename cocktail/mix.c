/* mix.c - the weighted average of several checkpoints as a new one. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/utf8.h"
#include "mix/merge.h"
#include "mix/weights.h"

#include "command.h"
#include "model_argument.h"
#include "terminal.h"

struct mix_options {
    struct common_options common;
    const char *weights, *output, *type, *dtype, *compat, *pooling;
    size_t shard_bytes;
    bool normalize, ignore_tokenizer, force, dry_run, follow_symlinks;
};

static const struct option_row rows[] = {
    {'w', "weights", OPTION_TEXT, offsetof(struct mix_options, weights), "W,...",
     "one weight per model; they sum to 1"},
    {'o', "output", OPTION_PATH, offsetof(struct mix_options, output), "DIR",
     "where to put the mixed model"},
    {0, "type", OPTION_CHOICE, offsetof(struct mix_options, type),
     "decoder|encoder|reranker|encoder-decoder", "what the models are (from config.json)"},
    {0, "dtype", OPTION_CHOICE, offsetof(struct mix_options, dtype), "f32|f16|bf16",
     "store every floating tensor so (as the first model has it)"},
    {0, "shard-size", OPTION_SIZE, offsetof(struct mix_options, shard_bytes), "SIZE",
     "start a new weights file beyond this (5GB)"},
    {0, "normalize", OPTION_FLAG, offsetof(struct mix_options, normalize), NULL,
     "divide the weights by their sum, whatever it is"},
    {0, "compat", OPTION_CHOICE, offsetof(struct mix_options, compat), "lm-cocktail",
     "round step by step as LM_Cocktail does"},
    {0, "ignore-tokenizer", OPTION_FLAG, offsetof(struct mix_options, ignore_tokenizer), NULL,
     "mix although the tokenizers differ"},
    {0, "pooling", OPTION_CHOICE, offsetof(struct mix_options, pooling), "cls|mean",
     "pooling of an encoder that does not say (cls)"},
    {'f', "force", OPTION_FLAG, offsetof(struct mix_options, force), NULL,
     "replace the checkpoint at DIR"},
    {0, "dry-run", OPTION_FLAG, offsetof(struct mix_options, dry_run), NULL,
     "check everything and show the plan, write nothing"},
    {0, "follow-symlinks", OPTION_FLAG, offsetof(struct mix_options, follow_symlinks), NULL,
     "follow symbolic links out of the model directories"},
    OPTIONS_COMMON,
};

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

static char *command_line(int argc, char **argv)
{
    struct buffer line = {0};

    buffer_add_text(&line, "cocktail");
    for (int i = 0; i < argc; i++) {
        buffer_add_char(&line, ' ');
        add_quoted(&line, argv[i]);
    }
    return line.data;
}

/* ---- showing ---- */

static void print_models(const struct merge *merge, const double *weights)
{
    struct table table = {.columns = "lr"};
    char text[64];

    table_add(&table, "model");
    table_add(&table, "weight");
    for (size_t i = 0; i < merge->n_models; i++) {
        snprintf(text, sizeof text, "%#.8g", weights[i]);
        table_add(&table, merge->models[i].name);
        table_add(&table, text);
    }
    table_print(&table, stdout);
    table_release(&table);
}

static void print_json(const struct mix_options *options, const struct merge *merge,
                       const double *weights, const struct merge_result *result, double seconds,
                       size_t memory_bytes)
{
    struct buffer out = {0};

    buffer_add_text(&out, "{\"output\":");
    json_add_string(&out, options->output);
    if (merge->has_type)
        buffer_format(&out, ",\"type\":\"%s\"", model_type_name(merge->type));
    else
        buffer_add_text(&out, ",\"type\":null");
    buffer_format(&out, ",\"method\":\"%s\",\"models\":[", merge->options.method->name);
    for (size_t i = 0; i < merge->n_models; i++) {
        buffer_add_text(&out, i ? ",{\"path\":" : "{\"path\":");
        json_add_string(&out, merge->models[i].name);
        buffer_add_text(&out, ",\"weight\":");
        json_add_number(&out, weights[i]);
        buffer_add_char(&out, '}');
    }
    buffer_format(&out, "],\"tensors\":%zu,\"parameters\":%zu,\"bytes\":%zu,\"files\":[",
                  merge->n_tensors, merge->n_parameters, merge->weights_bytes);
    for (size_t i = 0; i < result->n_files; i++) {
        buffer_add_text(&out, i ? "," : "");
        json_add_string(&out, result->files[i]);
    }
    buffer_add_text(&out, "],\"seconds\":");
    json_add_number(&out, seconds);
    if (options->dry_run)
        buffer_format(&out, ",\"dry_run\":true,\"disk_bytes\":%zu,\"memory_bytes\":%zu",
                      merge->disk_bytes, memory_bytes);
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

static void print_plan(const struct mix_options *options, const struct merge *merge,
                       const double *weights, size_t memory_bytes)
{
    char size[TERMINAL_SIZE_MAX];

    print_models(merge, weights);
    printf("\nwould write '%s': ", options->output);
    print_size(merge);
    printf("\ndisk: %s\n", terminal_size(size, merge->disk_bytes));
    printf("memory for buffers: %s\n", terminal_size(size, memory_bytes));
    if (options->common.verbose)
        for (size_t i = 0; i < merge->base_files.n_kept; i++)
            printf("copies: %s\n", merge->base_files.kept[i]);
}

static void print_result(const struct mix_options *options, const struct merge *merge,
                         const double *weights, const struct merge_result *result, double seconds)
{
    print_models(merge, weights);
    printf("\nwrote '%s': ", options->output);
    print_size(merge);
    printf(" in %.2f s\n", seconds);
    if (options->common.verbose)
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

/* ---- the command ---- */

static int write_mix(const struct mix_options *options, struct merge *merge, const double *weights,
                     const char *command, struct error *err)
{
    struct threads *threads = threads_new(options->common.n_threads, err);
    struct terminal_progress shown;
    struct merge_result result = {0};
    double start = clock_now_s();
    int rc;

    if (!threads)
        return -1;
    terminal_notices(&merge->notices, &options->common);
    terminal_progress_start(&shown, "mixing", &options->common);
    rc = merge_write(merge, weights, command, threads, &shown.progress, &result, err);
    terminal_progress_end(&shown);
    if (rc == 0) {
        struct notices late = {0};

        note_special(&result, &late);
        terminal_notices(&late, &options->common);
        notices_release(&late);
        if (options->common.json)
            print_json(options, merge, weights, &result, clock_now_s() - start, 0);
        else
            print_result(options, merge, weights, &result, clock_now_s() - start);
    }
    folder_names_free(result.files, result.n_files);
    threads_free(threads);
    return rc;
}

static int show_plan(const struct mix_options *options, struct merge *merge, const double *weights)
{
    size_t memory_bytes = mixer_buffer_bytes(merge->n_models, options->common.n_threads);
    struct merge_result nothing = {0};

    terminal_notices(&merge->notices, &options->common);
    if (options->common.json)
        print_json(options, merge, weights, &nothing, 0, memory_bytes);
    else
        print_plan(options, merge, weights, memory_bytes);
    return 0;
}

static int mix(const struct mix_options *options, const char *command, struct error *err)
{
    const struct common_options *common = &options->common;
    size_t n = common->n_operands;
    struct merge_options merge_options = {
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
    enum weights_rule rule = options->normalize ? WEIGHTS_NORMALIZE
                             : options->compat  ? WEIGHTS_AS_GIVEN
                                                : WEIGHTS_SUM_TO_ONE;
    struct merge merge = {0};
    double *weights;
    int rc = -1;

    if (!options->weights)
        return error_set(err, ERROR_USAGE, "--weights is missing: one number per model, like "
                         "--weights 0.7,0.3");
    if (!options->output)
        return error_set(err, ERROR_USAGE, "--output is missing: where to put the mixed model");
    weights = memory_zalloc(n, sizeof *weights);
    if (weights_parse(options->weights, weights, n, err) || weights_scale(weights, n, rule, err))
        goto done;
    for (size_t i = 0; i < n; i++)
        if (model_argument_check(common->operands[i], err))
            goto done;
    if (merge_open(&merge, common->operands, n, &merge_options, err))
        goto done;
    rc = options->dry_run ? show_plan(options, &merge, weights)
                          : write_mix(options, &merge, weights, command, err);
done:
    merge_release(&merge);
    free(weights);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct mix_options options = {.shard_bytes = 5000000000};
    int rc = command_parse(&command_mix, argc, argv, &options, err);

    if (rc == 0) {
        char *command = command_line(argc, argv);

        rc = mix(&options, command, err);
        free(command);
    }
    options_release(&options.common);
    return rc;
}

const struct command command_mix = {
    .name = "mix",
    .summary = "write the weighted average of several models",
    .usage = "--weights W,... MODEL... -o DIR",
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .rows = rows,
    .run = run,
};
