/* eval.c - the loss of a model on examples. */
#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "eval/examples.h"
#include "eval/losses.h"
#include "eval/router_watch.h"
#include "model/sentence.h"
#include "report/router_report.h"
#include "report/table.h"

#include "command.h"
#include "loaded_model.h"
#include "terminal.h"

struct eval_options {
    struct common_options common;
    const char *examples, *task, *type, *pooling, *capacity;
    size_t batch_size, max_length, n_negatives, seed;
    double temperature;
    bool each, routers, csv, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "examples", OPTION_PATH, offsetof(struct eval_options, examples), "FILE",
     "JSON Lines, or a JSON list; - is stdin"},
    {0, "task", OPTION_TEXT, offsetof(struct eval_options, task), "NAME",
     "which list of a FILE that is an object of lists"},
    {0, "each", OPTION_FLAG, offsetof(struct eval_options, each), NULL,
     "print the loss of each example too"},
    {0, "routers", OPTION_FLAG, offsetof(struct eval_options, routers), NULL,
     "show how routers send tokens to experts too"},
    {0, "csv", OPTION_FLAG, offsetof(struct eval_options, csv), NULL,
     "print what --routers shows, and only that, as CSV"},
    {0, "batch-size", OPTION_COUNT, offsetof(struct eval_options, batch_size), "N",
     "examples at once (8)"},
    {0, "max-input-length", OPTION_COUNT, offsetof(struct eval_options, max_length), "N",
     "cut texts at N tokens (2048)"},
    {0, "neg-number", OPTION_COUNT, offsetof(struct eval_options, n_negatives), "N",
     "negatives of a query; more are thinned (7)"},
    {0, "seed", OPTION_COUNT, offsetof(struct eval_options, seed), "N",
     "which negatives are left (1)"},
    {0, "similarity-temperature", OPTION_NUMBER, offsetof(struct eval_options, temperature), "T",
     "what cosines are divided by (0.05)"},
    OPTION_POOLING(struct eval_options, pooling),
    {0, "type", OPTION_CHOICE, offsetof(struct eval_options, type),
     "decoder|encoder|reranker|encoder-decoder", "what the model is (from config.json)"},
    OPTION_CAPACITY(struct eval_options),
    {0, "follow-symlinks", OPTION_FLAG, offsetof(struct eval_options, follow_symlinks), NULL,
     "follow symbolic links out of the model directory"},
    OPTIONS_COMMON,
};

struct evaluation {
    struct loaded_model loaded;
    struct sentence_model *sentence; /* of an encoder */
    struct examples examples;
    struct losses losses;
    struct router_watch routers;
};

static bool has_perplexity(enum model_type type)
{
    return losses_kind(type) == EXAMPLE_OUTPUT;
}

/* ---- printing ---- */

static void add_examples(struct json_writer *json, const struct evaluation *evaluation)
{
    json_writer_array(json, "examples");
    for (size_t i = 0; i < evaluation->losses.n_items; i++) {
        const struct example_loss *item = &evaluation->losses.items[i];

        json_writer_object(json, NULL);
        json_writer_size(json, "line", evaluation->examples.items[i].number);
        json_writer_double(json, "loss", item->loss);
        json_writer_size(json, "n_tokens", item->n_tokens);
        json_writer_end(json);
    }
    json_writer_end(json);
}

static void print_json(const struct eval_options *options, const struct evaluation *evaluation)
{
    const struct losses *losses = &evaluation->losses;
    enum model_type type = evaluation->loaded.type;
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "model", options->common.operands[0]);
    json_writer_string(&json, "type", model_type_name(type));
    json_writer_double(&json, "loss", losses->loss);
    json_writer_double(&json, "perplexity", has_perplexity(type) ? exp(losses->loss) : NAN);
    json_writer_size(&json, "n_examples", losses->n_items);
    json_writer_size(&json, "n_tokens", losses->n_tokens);
    json_writer_object(&json, "metrics");
    json_writer_double(&json, "accuracy", losses->accuracy);
    if (!isnan(losses->mrr))
        json_writer_double(&json, "mrr", losses->mrr);
    json_writer_end(&json);
    if (options->each)
        add_examples(&json, evaluation);
    if (options->routers)
        router_report_add_json(&json, "routers", &evaluation->routers, false);
    json_writer_end(&json);
    puts(out.data);
    buffer_release(&out);
}

static void print_csv(const struct router_watch *routers)
{
    struct buffer out = {0};

    router_report_add_csv(&out, &routers, 1);
    fwrite(out.data, 1, out.size, stdout);
    buffer_release(&out);
}

static void print_each(const struct evaluation *evaluation)
{
    const struct table_column columns[] = {
        {.label = evaluation->examples.is_list ? "example" : "line", .side = TABLE_RIGHT},
        {.label = "tokens", .side = TABLE_RIGHT},
        {.label = "loss", .side = TABLE_RIGHT, .format = "%.4f", .limit = 1e9,
         .far_format = "%.5g"},
    };
    struct table table = TABLE(columns);

    for (size_t i = 0; i < evaluation->losses.n_items; i++) {
        const struct example_loss *item = &evaluation->losses.items[i];

        table_add_count(&table, evaluation->examples.items[i].number);
        table_add_count(&table, item->n_tokens);
        table_add_real(&table, item->loss);
    }
    table_print(&table, stdout);
    table_release(&table);
    putchar('\n');
}

static void print_text(const struct eval_options *options, const struct evaluation *evaluation)
{
    const struct losses *losses = &evaluation->losses;
    enum model_type type = evaluation->loaded.type;
    struct table table = TABLE(table_facts);

    if (options->each)
        print_each(evaluation);
    table_add(&table, "model");
    table_add(&table, options->common.operands[0]);
    table_add(&table, "type");
    table_add(&table, model_type_name(type));
    table_add(&table, "examples");
    table_add_count(&table, losses->n_items);
    table_add(&table, "tokens");
    table_add_count(&table, losses->n_tokens);
    table_add(&table, "loss");
    table_add_real(&table, losses->loss);
    if (has_perplexity(type)) {
        table_add(&table, "perplexity");
        table_add_real(&table, exp(losses->loss));
    }
    table_add(&table, "accuracy");
    table_add_real(&table, losses->accuracy);
    if (!isnan(losses->mrr)) {
        table_add(&table, "MRR");
        table_add_real(&table, losses->mrr);
    }
    table_print(&table, stdout);
    table_release(&table);
    router_report_print(&evaluation->routers, true, stdout);
}

static void print(const struct eval_options *options, const struct evaluation *evaluation)
{
    const struct router_watch *routers = &evaluation->routers;

    if (options->common.json)
        print_json(options, evaluation);
    else if (options->csv)
        print_csv(routers);
    else
        print_text(options, evaluation);
}

/* ---- the command ---- */

static int check_options(const struct eval_options *options, struct error *err)
{
    if (!options->examples)
        return error_set(err, ERROR_USAGE, "say on what: --examples FILE");
    if (options->temperature < 1e-9)
        return error_set(err, ERROR_USAGE, "--similarity-temperature must be at least 1e-9");
    if (options->csv && !options->routers)
        return error_set(err, ERROR_USAGE, "--csv is for what routers do: it needs --routers");
    if (options->csv && options->common.json)
        return error_set(err, ERROR_USAGE, "--csv and --json: one of them");
    return 0;
}

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
                      options->task, err))
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
        .temperature = options->temperature,
        .follower = options->routers ? router_watch_follower(routers) : (struct pass_follower){0},
        .progress = &shown.progress,
    };
    int rc;

    terminal_progress_start(&shown, "evaluating", &options->common);
    rc = losses_compute(&evaluation->losses, &model, &evaluation->examples, &how, notices, err);
    terminal_progress_end(&shown);
    if (rc == 0)
        router_watch_end(routers, notices);
    return rc;
}

static int evaluate(const struct eval_options *options, struct error *err)
{
    struct evaluation evaluation = {0};
    struct notices notices = {0};
    int rc = check_options(options, err);

    if (rc == 0)
        rc = load(&evaluation, options, &notices, err);
    if (rc == 0)
        rc = compute(&evaluation, options, &notices, err);
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
        .batch_size = 8, .max_length = 2048, .n_negatives = 7, .seed = 1, .temperature = 0.05,
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
    .run = run,
};
