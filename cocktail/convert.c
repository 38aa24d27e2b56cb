/* convert.c - a model in another layout, dtype or format. */
#include "base/threads.h"

#include "command.h"
#include "mixing.h"
#include "model_argument.h"

struct convert_options {
    struct common_options common;
    struct mixing_options mixing;
};

static const struct option_row rows[] = {
    {'o', "output", OPTION_PATH, offsetof(struct convert_options, mixing.output), "DIR|FILE.gguf",
     "where to put the model"},
    OPTION_TYPE(struct convert_options, mixing.type, "decoder|encoder|reranker|encoder-decoder",
                "what the model is (from config.json)"),
    OPTION_MIXING_DTYPE(struct convert_options, "as it is stored"),
    OPTION_MIXING_SHARDS(struct convert_options),
    OPTIONS_MIXING_TARGET(struct convert_options),
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "output",
     .message = "--output is missing: where to put the converted model"},
    {0},
};

static int convert(const struct convert_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    struct merge_options merge_options = mixing_merge_options(&options->mixing);
    struct merge merge = {0};
    struct mixing mixing = {.options = &options->mixing, .common = common, .merge = &merge,
                            .weights = (const double[]){1}};
    char **paths = NULL;
    int rc = -1;

    if (mixing_check_output(&options->mixing, err))
        return -1;
    merge_options.names = common->operands;
    merge_options.method = &combine_convert;
    merge_options.converts = true;
    paths = model_arguments_find(common->operands, 1, HUB_NEED_MODEL, common, err);
    if (paths && merge_open(&merge, (const char *const *)paths, 1, &merge_options, err) == 0)
        mixing.threads = threads_new(common->n_threads, err);
    if (mixing.threads)
        rc = mixing_run(&mixing, err);
    threads_free(mixing.threads);
    merge_release(&merge);
    model_arguments_free(paths, 1);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct convert_options options = {0};
    int rc = command_parse(&command_convert, argc, argv, &options, err);

    if (rc == 0)
        rc = convert(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_convert = {
    .name = "convert",
    .summary = "write a model in another layout, dtype or format",
    .usage = "MODEL -o DIR|FILE.gguf",
    .min_operands = 1,
    .max_operands = 1,
    .has_ranks = true,
    .rows = rows,
    .rules = rules,
    .run = run,
};
