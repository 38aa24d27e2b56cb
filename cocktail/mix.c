/* mix.c - several checkpoints merged into a new one: their weighted average, or by another method. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/threads.h"

#include "command.h"
#include "mix_method.h"
#include "mixing.h"
#include "model_argument.h"

struct mix_options {
    struct common_options common;
    struct mixing_options mixing;
    struct mix_method_options method;
    const char *tokenizer;
};

static const struct option_row rows[] = {
    OPTIONS_MIX_METHOD(struct mix_options),
    {0, "compat", OPTION_CHOICE, offsetof(struct mix_options, mixing.compat), "lm-cocktail",
     "round step by step as LM_Cocktail does"},
    {0, "tokenizer", OPTION_PATH, offsetof(struct mix_options, tokenizer), "union|base|MODEL",
     "move embeddings to the tokens of all models, of the first, or of MODEL"},
    OPTIONS_MIXING(struct mix_options),
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    {.type = RULE_EXCLUDE, .options = "method|compat"},
    {.type = RULE_EXCLUDE, .options = "tokenizer|ignore-tokenizer"},
    {.type = RULE_NEEDED, .options = "weights|method",
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

/* The path of the model whose tokenizer is wanted, to be freed; NULL: it is none of its own, or with an
 * error. */
static char *find_tokenizer(const struct mix_options *options, const struct mix_method *method,
                            struct error *err)
{
    const char *wanted = options->tokenizer;

    if (!wanted || strcmp(wanted, "union") == 0 || strcmp(wanted, "base") == 0)
        return NULL;
    for (size_t i = 0; i < method->n_names; i++)
        if (strcmp(method->names[i], wanted) == 0)
            return NULL;
    return model_argument_find(wanted, HUB_NEED_TEXTS, &options->common, err);
}

static int mix(const struct mix_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    struct merge_options merge_options = mixing_merge_options(&options->mixing);
    struct merge merge = {0};
    struct mix_method method = {0};
    struct mixing mixing = {.options = &options->mixing, .common = common, .merge = &merge};
    char **paths = NULL, *tokenizer = NULL;
    int rc = -1;

    if (check_operands(options, err) ||
        mix_method_read(&method, &options->method, common->operands, common->n_operands, err) ||
        mixing_check_output(&options->mixing, err))
        goto done;
    merge_options.names = method.names;
    merge_options.method = method.method;
    merge_options.has_base = method.has_base;
    mixing.weights = method.weights;
    mixing.settings = method.has_settings ? &method.settings : NULL;
    merge_options.tokenizer = options->tokenizer;
    tokenizer = find_tokenizer(options, &method, err);
    merge_options.tokenizer_path = tokenizer;
    if (!err->code)
        paths = model_arguments_find(method.names, method.n_names, HUB_NEED_MODEL, common, err);
    if (paths &&
        merge_open(&merge, (const char *const *)paths, method.n_names, &merge_options, err) == 0)
        mixing.threads = threads_new(common->n_threads, err);
    if (mixing.threads)
        rc = mixing_run(&mixing, err);
    threads_free(mixing.threads);
done:
    merge_release(&merge);
    model_arguments_free(paths, method.n_names);
    free(tokenizer);
    mix_method_release(&method);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct mix_options options = {0};
    int rc = command_parse(&command_mix, argc, argv, &options, err);

    options.method.compat = options.mixing.compat;
    if (rc == 0)
        rc = mix(&options, err);
    free(options.method.params.items);
    free(options.method.weights_of.items);
    options_release(&options.common);
    return rc;
}

const struct command command_mix = {
    .name = "mix",
    .summary = "write one model made of several",
    .usage = "[--method M] [--weights W,...] MODEL... -o DIR",
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .has_ranks = true,
    .rows = rows,
    .rules = rules,
    .print_more = mix_method_print_help,
    .run = run,
};
