/* mix.c - the weighted average of several checkpoints as a new one. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/threads.h"
#include "mix/weights.h"

#include "command.h"
#include "mixing.h"
#include "model_argument.h"

struct mix_options {
    struct common_options common;
    struct mixing_options mixing;
    const char *weights;
    bool normalize;
};

static const struct option_row rows[] = {
    {'w', "weights", OPTION_TEXT, offsetof(struct mix_options, weights), "W,...",
     "one weight per model; they sum to 1"},
    {0, "normalize", OPTION_FLAG, offsetof(struct mix_options, normalize), NULL,
     "divide the weights by their sum, whatever it is"},
    {0, "compat", OPTION_CHOICE, offsetof(struct mix_options, mixing.compat), "lm-cocktail",
     "round step by step as LM_Cocktail does"},
    OPTIONS_MIXING(struct mix_options),
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "weights",
     .message = "--weights is missing: one number per model, like --weights 0.7,0.3"},
    {.type = RULE_NEEDED, .options = "output",
     .message = "--output is missing: where to put the mixed model"},
    {0},
};

/* `--weights 0.7 0.3 A B`: only "0.7" is the option's, and what follows would be models. */
static int check_operands(const struct mix_options *options, struct error *err)
{
    const char *const *operands = options->common.operands;
    struct stat info;

    for (size_t i = 0; i < options->common.n_operands; i++)
        if (operands[i][strspn(operands[i], "0123456789.,+-eE")] == '\0' &&
            strpbrk(operands[i], "0123456789") && stat(operands[i], &info))
            return error_set(err, ERROR_USAGE, "--weights: commas separate weights, without "
                             "blanks, as in --weights 0.7,0.3; '%s' is no model", operands[i]);
    return 0;
}

static int mix(const struct mix_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    size_t n = common->n_operands;
    struct merge_options merge_options = mixing_merge_options(&options->mixing);
    enum weights_rule rule = options->normalize                      ? WEIGHTS_NORMALIZE
                             : merge_options.method->takes_any_sum ? WEIGHTS_AS_GIVEN
                                                                   : WEIGHTS_SUM_TO_ONE;
    struct merge merge = {0};
    struct mixing mixing = {.options = &options->mixing, .common = common, .merge = &merge};
    char **paths = NULL;
    double *weights;
    int rc = -1;

    mixing.weights = weights = memory_zalloc(n, sizeof *weights);
    if (check_operands(options, err) || weights_parse(options->weights, weights, n, err) ||
        weights_scale(weights, n, rule, err) || mixing_check_output(&options->mixing, err))
        goto done;
    merge_options.names = common->operands;
    paths = model_arguments_find(common->operands, n, HUB_NEED_MODEL, common, err);
    if (paths && merge_open(&merge, (const char *const *)paths, n, &merge_options, err) == 0)
        mixing.threads = threads_new(common->n_threads, err);
    if (mixing.threads)
        rc = mixing_run(&mixing, err);
    threads_free(mixing.threads);
done:
    merge_release(&merge);
    model_arguments_free(paths, n);
    free(weights);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct mix_options options = {0};
    int rc = command_parse(&command_mix, argc, argv, &options, err);

    if (rc == 0)
        rc = mix(&options, err);
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
    .rules = rules,
    .run = run,
};
