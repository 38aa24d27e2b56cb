/* mix_data.c - a mix whose weights follow from what the models lose on a few examples; of adapters of one
 * base an adapter.
 *
 * The method of LM-Cocktail (arXiv 2311.13534): w = softmax(-loss / T), and with --target
 * alpha * target + (1 - alpha) * sum of w_i * model_i. One model after another is run and put away;
 * the mixing is that of `mix`. */
#include <math.h>
#include <stdlib.h>

#include "adapter/shared_bases.h"
#include "arch/model_ranks.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "eval/examples.h"
#include "eval/judge.h"
#include "eval/loss_weights.h"
#include "eval/losses.h"
#include "mix/gguf_merge.h"
#include "mix/merge_write.h"
#include "report/eval_report.h"

#include "command.h"
#include "loaded_model.h"
#include "mix_data_adapter.h"
#include "mixing.h"
#include "model_argument.h"
#include "option_blocks.h"
#include "terminal.h"

struct mix_data_options {
    struct common_options common;
    struct mixing_options mixing;
    const char *examples, *task, *target, *capacity, *method;
    size_t batch_size, max_length, n_negatives, seed, rank;
    double temperature, similarity_temperature, alpha;
    bool each, weights_only, merged;
};

static const struct option_row rows[] = {
    OPTIONS_EXAMPLES(struct mix_data_options),
    {'T', "temperature", OPTION_NUMBER, offsetof(struct mix_data_options, temperature), "T",
     "weight = softmax(-loss / T) (5)"},
    {0, "target", OPTION_PATH, offsetof(struct mix_data_options, target), "MODEL",
     "the model to keep strong; it becomes the base"},
    {0, "alpha", OPTION_NUMBER, offsetof(struct mix_data_options, alpha), "A",
     "share of the target, from 0 to 1 (0.5)"},
    {0, "weights-only", OPTION_FLAG, offsetof(struct mix_data_options, weights_only), NULL,
     "compute the weights and write nothing"},
    {0, "each", OPTION_FLAG, offsetof(struct mix_data_options, each), NULL,
     "with --json: the losses of each example too"},
    {0, "merged", OPTION_FLAG, offsetof(struct mix_data_options, merged), NULL,
     "write a model also where all models are adapters of one base"},
    {0, "method", OPTION_CHOICE, offsetof(struct mix_data_options, method), "cat|svd|linear",
     "how adapters become one: exactly, of least rank, as PEFT adds (cat)"},
    {0, "rank", OPTION_COUNT, offsetof(struct mix_data_options, rank), "N",
     "with --method svd: its rank (the largest of the adapters)"},
    OPTIONS_EXAMPLE_BATCHES(struct mix_data_options),
    OPTIONS_RANKING_LOSS(struct mix_data_options),
    {0, "compat", OPTION_CHOICE, offsetof(struct mix_data_options, mixing.compat), "lm-cocktail",
     "losses and rounding as LM_Cocktail has them"},
    OPTION_CAPACITY(struct mix_data_options),
    OPTIONS_MIXING(struct mix_data_options),
    OPTION_EXPERT_PARALLEL,
    OPTION_COMPUTE,
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "examples",
     .message = "say by what the models are judged: --examples FILE"},
    {.type = RULE_NEEDED, .options = "output|weights-only",
     .message = "--output is missing: where to put the mixed model; or --weights-only"},
    {.type = RULE_EXCLUDE, .options = "weights-only|output",
     .message = "--weights-only writes nothing: leave out --output"},
    {.type = RULE_EXCLUDE, .options = "weights-only|dry-run",
     .message = "--weights-only writes nothing: leave out --dry-run"},
    {.type = RULE_EXCLUDE, .options = "weights-only|merged",
     .message = "--weights-only writes nothing: leave out --merged"},
    {.type = RULE_EXCLUDE, .options = "weights-only|method",
     .message = "--weights-only writes nothing: leave out --method"},
    {.type = RULE_EXCLUDE, .options = "merged|method",
     .message = "--merged writes a model: --method is for adapters"},
    {.type = RULE_WITH, .options = "rank|method=svd",
     .message = "--rank is for --method svd: of the others it follows from the adapters"},
    {.type = RULE_RANGE, .options = "temperature", .least = DBL_TRUE_MIN, .most = DBL_MAX,
     .message = "--temperature must be above 0"},
    RULE_SIMILARITY_TEMPERATURE,
    {.type = RULE_WITH, .options = "alpha|target",
     .message = "--alpha is the share of a --target, which is missing"},
    {.type = RULE_RANGE, .options = "alpha", .least = 0, .most = 1,
     .message = "--alpha must be from 0 to 1"},
    {0},
};

struct judging { /* of models by examples */
    const struct mix_data_options *options;
    struct mix_data_adapter adapter; /* what is written; method NULL: a model */
    struct merge *merge;
    size_t first;              /* model that is judged: 1 behind a target, else 0 */
    struct examples examples;
    struct judge judge;
    struct threads *threads;
    struct expert_group group; /* of --expert-parallel */
    struct expert_group *experts;
    struct losses *losses;     /* [merge->n_models]; a target has none */
};

static double alpha_of(const struct mix_data_options *options)
{
    return isnan(options->alpha) ? 0.5 : options->alpha;
}

/* ---- losses ---- */

static struct judge_options judge_options(const struct judging *judging)
{
    const struct mix_data_options *options = judging->options;

    return (struct judge_options){
        .type = judging->merge->type,
        .pooling = options->mixing.pooling,
        .lifts_capacity = loaded_model_lifts_capacity(options->capacity),
        .threads = judging->threads,
        .experts = judging->experts,
        .losses = {
            .batch_size = options->batch_size,
            .max_length = options->max_length,
            .temperature = options->similarity_temperature,
            .is_lm_cocktail = options->mixing.compat != NULL,
        },
    };
}

static int load_examples(struct judging *judging, const struct judge_options *how,
                         struct error *err)
{
    const struct mix_data_options *options = judging->options;
    const struct judge_examples from = {options->examples, options->task, options->n_negatives,
                                        options->seed};
    struct notices notices = {0};
    int rc = judge_load_examples(&judging->examples, how, &from, &notices, err);

    terminal_notices(&notices, &options->common);
    notices_release(&notices);
    return rc;
}

static int judge_model(struct judging *judging, size_t number, struct error *err)
{
    const struct common_options *common = &judging->options->common;
    struct merge *merge = judging->merge;
    struct notices notices = {0};
    struct terminal_progress shown;
    int rc;

    terminal_progress_start(&shown, "evaluating", common);
    rc = judge_run(&judging->judge, &merge->models[number],
                   number + 1 < merge->n_models ? &merge->models[number + 1] : NULL,
                   &judging->losses[number], &shown.progress, &notices, err);
    terminal_progress_end(&shown);
    if (rc == 0)
        terminal_notices(&notices, common);
    notices_release(&notices);
    return rc;
}

static int judge_all(struct judging *judging, struct error *err)
{
    struct judge_options how;

    judging->threads = threads_new(judging->options->common.n_threads, err);
    how = judge_options(judging);
    if (!judging->threads || load_examples(judging, &how, err) ||
        judge_init(&judging->judge, &how, &judging->examples, &judging->merge->models[0], err))
        return -1;
    for (size_t i = judging->first; i < judging->merge->n_models; i++)
        if (judge_model(judging, i, err))
            return -1;
    return experts_tell(judging->experts, &judging->options->common, err);
}

static void judging_release(struct judging *judging)
{
    for (size_t i = 0; judging->losses && i < judging->merge->n_models; i++)
        losses_release(&judging->losses[i]);
    free(judging->losses);
    examples_release(&judging->examples);
    judge_release(&judging->judge);
    expert_group_release(&judging->group);
    threads_free(judging->threads);
}

/* ---- weights ---- */

/* losses and weights [n_models]: a target has no loss, and alpha for its weight. */
static void find_weights(const struct judging *judging, double *losses, double *weights)
{
    const struct mix_data_options *options = judging->options;
    size_t first = judging->first, n = judging->merge->n_models;

    for (size_t i = 0; i < n; i++)
        losses[i] = i < first ? NAN : judging->losses[i].loss;
    loss_weights(losses + first, n - first, options->temperature, weights + first);
    if (!options->target)
        return;
    weights[0] = alpha_of(options);
    for (size_t i = 1; i < n; i++)
        weights[i] *= 1 - alpha_of(options);
}

/* What the JSON object has besides that of `mix`. */
static void add_members(const void *context, struct json_writer *json)
{
    const struct judging *judging = context;
    const struct mix_data_options *options = judging->options;

    json_writer_double(json, "temperature", options->temperature);
    if (options->target) {
        json_writer_string(json, "target", options->target);
        json_writer_double(json, "alpha", alpha_of(options));
    }
    json_writer_size(json, "n_examples", judging->examples.n_items);
    if (options->each)
        eval_report_add_losses(json, &judging->examples, judging->losses + judging->first,
                               judging->merge->n_models - judging->first);
}

/* ---- the command ---- */

static int check_models(const struct judging *judging, struct error *err)
{
    const struct merge *merge = judging->merge;

    for (size_t i = 0; i < merge->n_models; i++)
        if (!merge->models[i].has_config)
            return error_set(err, ERROR_FORMAT, "'%s': is a weights file; to run it, name the "
                             "directory that holds it with its config.json", merge->models[i].name);
    if (judging->options->mixing.compat && merge->type != MODEL_DECODER &&
        merge->type != MODEL_ENCODER)
        return error_set(err, ERROR_UNSUPPORTED, "LM_Cocktail judges decoders and encoders; for "
                         "type '%s' leave out --compat", model_type_name(merge->type));
    return 0;
}

static int compare_ranks(const struct judging *judging, struct error *err)
{
    struct notices told_later = {0}; /* when they are judged */
    int rc = 0;

    for (size_t i = 0; i < judging->merge->n_models && rc == 0; i++)
        rc = model_ranks_compare(&judging->merge->models[i], &told_later, err);
    notices_release(&told_later);
    return rc;
}

/* To judge takes long, and a disk that is full is full before it. */
static int check_result(const struct judging *judging, const struct mixing *mixing,
                        struct error *err)
{
    if (!mixing->options->output)
        return 0;
    if (judging->adapter.method)
        return mix_data_adapter_check(&judging->adapter, mixing, err);
    return mixing->options->dry_run ? 0 : merge_check_space(judging->merge, err);
}

static int run_judging(struct judging *judging, struct error *err)
{
    const struct mix_data_options *options = judging->options;
    size_t n = judging->merge->n_models;
    double *losses = memory_zalloc(n, sizeof *losses), *weights = memory_zalloc(n, sizeof *weights);
    int rc = -1;

    struct mixing mixing = {.options = &options->mixing, .common = &options->common,
                            .merge = judging->merge, .weights = weights, .losses = losses,
                            .add_members = add_members, .context = judging};

    judging->losses = memory_zalloc(n, sizeof *judging->losses);
    if (check_models(judging, err) == 0 && compare_ranks(judging, err) == 0 &&
        check_result(judging, &mixing, err) == 0 && judge_all(judging, err) == 0) {
        mixing.threads = judging->threads;
        find_weights(judging, losses, weights);
        rc = 0;
        if (options->weights_only)
            mixing_show_weights(&mixing);
        else
            rc = judging->adapter.method ? mix_data_adapter_run(&judging->adapter, &mixing, err)
                                         : mixing_run(&mixing, err);
    }
    free(losses);
    free(weights);
    return rc;
}

/* Options that an adapter, or a model, has no use for. */
static int check_choice(const struct mix_data_options *options, bool is_adapter, struct error *err)
{
    const struct mixing_options *mixing = &options->mixing;
    const char *option = mixing->dtype         ? "dtype"
                         : mixing->shard_bytes ? "shard-size"
                         : mixing->compat      ? "compat"
                                               : NULL;

    if (is_adapter && option)
        return error_set(err, ERROR_USAGE, "--%s: the result is an adapter, as all models are of one "
                         "base; --merged writes a model", option);
    if (is_adapter && gguf_merge_is_output(mixing->output))
        return error_set(err, ERROR_USAGE, "--output: a GGUF file is a model, and the result is an "
                         "adapter, as all models are of one base; --merged writes a model");
    if (!is_adapter && options->method)
        return error_set(err, ERROR_USAGE, "--method: the models are not adapters of one base, so that "
                         "the result is a model");
    return 0;
}

static bool has_adapter(char *const *paths, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (shared_bases_is_one((const char *const *)&paths[i], 1))
            return true;
    return false;
}

/* What is written follows from what the models are. */
static int choose_result(struct judging *judging, char *const *paths, size_t n, struct error *err)
{
    const struct mix_data_options *options = judging->options;
    bool is_adapter = !options->merged && !options->weights_only &&
                      shared_bases_is_one((const char *const *)paths, n);

    if (options->merged && !has_adapter(paths, n))
        return error_set(err, ERROR_USAGE, "--merged: no model has an adapter");
    if (check_choice(options, is_adapter, err))
        return -1;
    if (is_adapter)
        judging->adapter = (struct mix_data_adapter){
            adapter_method_find(options->method ? options->method : "cat"), options->rank};
    return 0;
}

static int mix_data(const struct mix_data_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    struct merge_options merge_options = mixing_merge_options(&options->mixing);
    struct merge merge = {0};
    struct judging judging = {.options = options, .merge = &merge};
    const char **names = memory_zalloc(common->n_operands + 1, sizeof *names);
    char **paths = NULL;
    size_t n = 0;
    int rc = mixing_check_output(&options->mixing, err) ||
                     experts_join(&judging.group, &judging.experts, common, err)
                 ? -1
                 : 0;

    if (options->target)
        names[n++] = options->target;
    judging.first = n;
    for (size_t i = 0; i < common->n_operands; i++)
        names[n++] = common->operands[i];
    merge_options.names = names;
    if (rc == 0) {
        paths = model_arguments_find(names, n, HUB_NEED_MODEL, common, err);
        rc = paths ? choose_result(&judging, paths, n, err) : -1;
    }
    if (judging.adapter.method)
        merge_options.output = NULL;
    if (rc == 0)
        rc = merge_open(&merge, (const char *const *)paths, n, &merge_options, err);
    if (rc == 0)
        rc = run_judging(&judging, err);
    judging_release(&judging);
    merge_release(&merge);
    model_arguments_free(paths, n);
    free(names);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct mix_data_options options = {
        .max_length = 2048, .n_negatives = 7, .seed = 1,
        .temperature = 5, .similarity_temperature = 0.05, .alpha = NAN,
    };
    int rc = command_parse(&command_mix_data, argc, argv, &options, err);

    if (rc == 0)
        rc = mix_data(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_mix_data = {
    .name = "mix-data",
    .summary = "mix with weights from few-shot examples",
    .usage = "--examples FILE MODEL... -o DIR",
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .rows = rows,
    .rules = rules,
    .has_ranks = true,
    .run = run,
};
