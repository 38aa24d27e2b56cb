/* routers.c - how the routers of a model, or of two, send tokens to experts. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "eval/examples.h"
#include "eval/losses.h"
#include "eval/router_watch.h"
#include "report/router_plots.h"
#include "report/router_report.h"
#include "report/routers_report.h"
#include "text/vocabulary.h"

#include "command.h"
#include "loaded_model.h"
#include "option_blocks.h"
#include "terminal.h"

struct routers_options {
    struct common_options common;
    const char *examples, *task, *type, *capacity, *svg;
    size_t batch_size, max_length;
    bool csv, force, follow_symlinks;
};

static const struct option_row rows[] = {
    OPTIONS_EXAMPLES(struct routers_options),
    {0, "csv", OPTION_FLAG, offsetof(struct routers_options, csv), NULL,
     "print one table of all layers as CSV"},
    {0, "svg", OPTION_PATH, offsetof(struct routers_options, svg), "DIR",
     "draw plots into a new directory"},
    {'f', "force", OPTION_FLAG, offsetof(struct routers_options, force), NULL,
     "replace the plots in DIR"},
    OPTIONS_EXAMPLE_BATCHES(struct routers_options),
    OPTION_TYPE(struct routers_options, type, "decoder|encoder-decoder",
                "what the models are (from config.json)"),
    OPTION_CAPACITY(struct routers_options),
    OPTION_FOLLOW_SYMLINKS(struct routers_options, follow_symlinks, "directory"),
    OPTION_EXPERT_PARALLEL,
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    RULE_EXAMPLES,
    RULE_CSV,
    {.type = RULE_WITH, .options = "force|svg",
     .message = "--force replaces plots: it needs --svg DIR"},
    {0},
};

struct routers {
    struct loaded_model loaded[2];
    struct router_watch watches[2];
    struct examples examples;
    struct router_models models; /* of the watches, when they have ended */
};

static void print(const struct routers_options *options, const struct routers *routers)
{
    const struct router_models *models = &routers->models;
    const struct routers_report report = {models, routers->examples.n_items, options->svg};
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    if (options->common.json) {
        routers_report_add_json(&json, &report);
        puts(out.data);
    } else if (options->csv) {
        router_report_print_csv(models->watches, models->n, stdout);
    } else {
        routers_report_print(&report, stdout);
    }
    buffer_release(&out);
}

/* ---- the command ---- */

/* The ids of a text must mean the same to both. A second model without tokenizer takes the word of
 * the first. */
static int compare_tokenizers(const struct model_folder *a, const struct model_folder *b,
                              struct notices *notices, struct error *err)
{
    struct vocabulary of_a = {0}, of_b = {0};
    struct buffer difference = {0};
    int rc = model_folder_vocabulary(a, &of_a, err);

    if (rc == 0)
        rc = model_folder_vocabulary(b, &of_b, err);
    if (rc == 0 && of_b.kind) {
        if (!vocabulary_same(&of_a, &of_b, a->name, b->name, &difference))
            rc = error_set(err, ERROR_INCOMPATIBLE, "the tokenizers differ: %s", difference.data);
        else if (!vocabulary_same_rules(&of_a, &of_b, &difference))
            notices_add(notices, "the tokenizers have the same tokens, but other rules (%s): the "
                        "first one's ids are used", difference.data);
    }
    buffer_release(&difference);
    vocabulary_release(&of_a);
    vocabulary_release(&of_b);
    return rc;
}

static int load(struct routers *routers, const struct routers_options *options,
                struct notices *notices, struct error *err)
{
    const struct common_options *common = &options->common;
    struct router_watch *first = NULL;

    for (size_t i = 0; i < common->n_operands; i++) {
        const struct loaded_model_options how = {
            .type = options->type,
            .capacity = options->capacity,
            .types = 1u << MODEL_DECODER | 1u << MODEL_ENCODER_DECODER,
            .follow_symlinks = options->follow_symlinks,
            .no_tokenizer = i > 0,
            .threads = routers->loaded[0].threads,
            .experts = routers->loaded[0].experts,
        };
        struct loaded_model *loaded = &routers->loaded[i];

        if (loaded_model_open(loaded, common->operands[i], &how, common, err) ||
            router_watch_start(&routers->watches[i], loaded->model, common->operands[i], first,
                               err))
            return -1;
        first = &routers->watches[i];
    }
    if (common->n_operands > 1 &&
        compare_tokenizers(&routers->loaded[0].folder, &routers->loaded[1].folder, notices, err))
        return -1;
    if (examples_load(&routers->examples, options->examples,
                      losses_kind(routers->loaded[0].type), options->task, err))
        return -1;
    examples_note(&routers->examples, notices);
    return 0;
}

/* The losses come along; only what the model reads for them is of interest here. */
static int compute(struct routers *routers, const struct routers_options *options,
                   struct notices *notices, struct error *err)
{
    size_t n = options->common.n_operands;
    const struct losses_model model = {
        .name = options->common.operands[0],
        .type = routers->loaded[0].type,
        .model = routers->loaded[0].model,
        .tokenizer = routers->loaded[0].tokenizer,
    };
    struct terminal_progress shown;
    const struct losses_options how = {
        .batch_size = options->batch_size,
        .max_length = options->max_length,
        .follower = router_watch_follower(&routers->watches[n - 1]),
        .progress = &shown.progress,
    };
    struct losses losses;
    int rc;

    terminal_progress_start(&shown, "watching routers", &options->common);
    rc = losses_compute(&losses, &model, &routers->examples, &how, notices, err);
    terminal_progress_end(&shown);
    losses_release(&losses);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = router_watch_end(&routers->watches[i], notices, err);
        routers->models.watches[routers->models.n++] = &routers->watches[i];
    }
    return rc;
}

static int show(const struct routers_options *options, struct error *err)
{
    struct routers routers = {0};
    struct notices notices = {0};
    int rc = options->svg ? router_plots_check(options->svg, options->force, err) : 0;

    if (rc == 0)
        rc = load(&routers, options, &notices, err);
    if (rc == 0)
        rc = compute(&routers, options, &notices, err);
    if (rc == 0)
        rc = experts_tell(routers.loaded[0].experts, &options->common, err);
    if (rc == 0 && options->svg)
        rc = router_plots_write(options->svg, options->force, &routers.models, err);
    if (rc == 0) {
        terminal_notices(&notices, &options->common);
        print(options, &routers);
    }
    examples_release(&routers.examples);
    for (size_t i = 2; i-- > 0;) { /* the first one's pool last */
        router_watch_release(&routers.watches[i]);
        loaded_model_release(&routers.loaded[i]);
    }
    notices_release(&notices);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct routers_options options = {.max_length = 2048};
    int rc = command_parse(&command_routers, argc, argv, &options, err);

    if (rc == 0)
        rc = show(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_routers = {
    .name = "routers",
    .summary = "show how routers send tokens to experts",
    .usage = "MODEL [MODEL] --examples FILE",
    .min_operands = 1,
    .max_operands = 2,
    .rows = rows,
    .rules = rules,
    .has_ranks = true,
    .run = run,
};
