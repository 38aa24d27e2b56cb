/* eval.c - the loss of a model on examples. */
#include <stdio.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "eval/examples.h"
#include "eval/losses.h"
#include "eval/router_watch.h"
#include "model/sentence.h"
#include "report/eval_report.h"
#include "report/router_report.h"

#include "chat_examples.h"
#include "command.h"
#include "loaded_model.h"
#include "option_blocks.h"
#include "terminal.h"

struct eval_options {
    struct common_options common;
    const char *examples, *task, *template, *type, *pooling, *capacity;
    size_t batch_size, max_length, n_negatives, seed;
    double similarity_temperature;
    bool each, routers, csv, chat, literal_special, follow_symlinks;
};

static const struct option_row rows[] = {
    OPTIONS_EXAMPLES(struct eval_options),
    {0, "chat-template", OPTION_FLAG, offsetof(struct eval_options, chat), NULL,
     "the input is what a user says: put it into the chat template"},
    {0, "template", OPTION_TEXT, offsetof(struct eval_options, template), "FILE|chatml",
     "with --chat-template: another one than the model's own"},
    OPTION_LITERAL_SPECIAL(struct eval_options, literal_special),
    {0, "each", OPTION_FLAG, offsetof(struct eval_options, each), NULL,
     "print the loss of each example too"},
    {0, "routers", OPTION_FLAG, offsetof(struct eval_options, routers), NULL,
     "show how routers send tokens to experts too"},
    {0, "csv", OPTION_FLAG, offsetof(struct eval_options, csv), NULL,
     "print what --routers shows, and only that, as CSV"},
    OPTIONS_EXAMPLE_BATCHES(struct eval_options),
    OPTIONS_RANKING_LOSS(struct eval_options),
    OPTION_POOLING(struct eval_options, pooling),
    OPTION_TYPE(struct eval_options, type, "decoder|encoder|reranker|encoder-decoder",
                "what the model is (from config.json)"),
    OPTION_CAPACITY(struct eval_options),
    OPTION_FOLLOW_SYMLINKS(struct eval_options, follow_symlinks, "directory"),
    OPTION_EXPERT_PARALLEL,
    OPTION_COMPUTE,
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    RULE_EXAMPLES,
    RULE_SIMILARITY_TEMPERATURE,
    {.type = RULE_WITH, .options = "csv|routers",
     .message = "--csv is for what routers do: it needs --routers"},
    {.type = RULE_WITH, .options = "template|chat-template"},
    {.type = RULE_WITH, .options = "literal-special|chat-template"},
    RULE_CSV,
    {0},
};

struct evaluation {
    struct loaded_model loaded;
    struct sentence_model *sentence; /* of an encoder */
    struct examples examples;
    struct losses losses;
    struct router_watch routers;
};

static void print(const struct eval_options *options, const struct evaluation *evaluation)
{
    const struct router_watch *routers = &evaluation->routers;
    const struct eval_report report = {
        .name = options->common.operands[0],
        .type = evaluation->loaded.type,
        .examples = &evaluation->examples,
        .losses = &evaluation->losses,
        .routers = options->routers ? routers : NULL,
        .with_each = options->each,
    };
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    if (options->common.json) {
        eval_report_add_json(&json, &report);
        puts(out.data);
    } else if (options->csv) {
        router_report_print_csv(&routers, 1, stdout);
    } else {
        eval_report_print(&report, stdout);
    }
    buffer_release(&out);
}

/* ---- the command ---- */

static int load(struct evaluation *evaluation, const struct eval_options *options,
                struct notices *notices, struct error *err)
{
    struct loaded_model *loaded = &evaluation->loaded;
    const struct loaded_model_options how = {
        .type = options->type,
        .capacity = options->capacity,
        .follow_symlinks = options->follow_symlinks,
    };

    if (loaded_model_open(loaded, options->common.operands[0], &how, &options->common, err) ||
        (options->routers && router_watch_start(&evaluation->routers, loaded->model,
                                                options->common.operands[0], NULL, err)) ||
        examples_load(&evaluation->examples, options->examples, losses_kind(loaded->type),
                      options->task, err) ||
        (options->chat &&
         chat_examples_apply(&evaluation->examples, loaded, options->template,
                             options->literal_special, err)))
        return -1;
    examples_thin(&evaluation->examples, options->n_negatives, options->seed);
    examples_note(&evaluation->examples, notices);
    if (loaded->type != MODEL_ENCODER)
        return 0;
    evaluation->sentence = sentence_model_load(&loaded->folder, loaded->model, options->pooling,
                                               notices, err);
    return evaluation->sentence ? 0 : -1;
}

static int compute(struct evaluation *evaluation, const struct eval_options *options,
                   struct notices *notices, struct error *err)
{
    const struct losses_model model = {
        .name = options->common.operands[0],
        .type = evaluation->loaded.type,
        .model = evaluation->loaded.model,
        .tokenizer = evaluation->loaded.tokenizer,
        .sentence = evaluation->sentence,
        .settings = &evaluation->loaded.settings,
    };
    struct router_watch *routers = &evaluation->routers;
    struct terminal_progress shown;
    const struct losses_options how = {
        .batch_size = options->batch_size,
        .max_length = options->max_length,
        .temperature = options->similarity_temperature,
        .are_prompts = options->chat,
        .have_marks = options->literal_special,
        .follower = options->routers ? router_watch_follower(routers) : (struct pass_follower){0},
        .progress = &shown.progress,
    };
    int rc;

    terminal_progress_start(&shown, "evaluating", &options->common);
    rc = losses_compute(&evaluation->losses, &model, &evaluation->examples, &how, notices, err);
    terminal_progress_end(&shown);
    if (rc == 0)
        rc = router_watch_end(routers, notices, err);
    return rc;
}

static int evaluate(const struct eval_options *options, struct error *err)
{
    struct evaluation evaluation = {0};
    struct notices notices = {0};
    int rc = load(&evaluation, options, &notices, err);

    if (rc == 0)
        rc = compute(&evaluation, options, &notices, err);
    if (rc == 0)
        rc = experts_tell(evaluation.loaded.experts, &options->common, err);
    if (rc == 0) {
        terminal_notices(&notices, &options->common);
        print(options, &evaluation);
    }
    router_watch_release(&evaluation.routers);
    losses_release(&evaluation.losses);
    examples_release(&evaluation.examples);
    sentence_model_free(evaluation.sentence);
    loaded_model_release(&evaluation.loaded);
    notices_release(&notices);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct eval_options options = {
        .max_length = 2048, .n_negatives = 7, .seed = 1,
        .similarity_temperature = 0.05,
    };
    int rc = command_parse(&command_eval, argc, argv, &options, err);

    if (rc == 0)
        rc = evaluate(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_eval = {
    .name = "eval",
    .summary = "measure the loss of a model on examples",
    .usage = "MODEL --examples FILE",
    .min_operands = 1,
    .max_operands = 1,
    .rows = rows,
    .rules = rules,
    .has_ranks = true,
    .run = run,
};
