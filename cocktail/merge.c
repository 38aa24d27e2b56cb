/* merge.c - what a recipe of mergekit makes. */
#include "base/threads.h"
#include "mix/recipe_run.h"
#include "report/recipe_report.h"

#include "command.h"
#include "mixing.h"
#include "recipe_model.h"
#include "terminal.h"

struct recipe_merge_options {
    struct common_options common;
    struct mixing_options mixing;
    const char *models;
    size_t seed;
    bool explains;
};

static const struct option_row rows[] = {
    {'o', "output", OPTION_PATH, offsetof(struct recipe_merge_options, mixing.output), "DIR|FILE.gguf",
     "where to put the merged model"},
    {0, "models", OPTION_PATH, offsetof(struct recipe_merge_options, models), "DIR",
     "look for models here first"},
    {0, "seed", OPTION_COUNT, offsetof(struct recipe_merge_options, seed), "N",
     "of methods that draw: another seed, another result (1)"},
    {0, "explain", OPTION_FLAG, offsetof(struct recipe_merge_options, explains), NULL,
     "show what each tensor is made of, write nothing"},
    OPTION_TYPE(struct recipe_merge_options, mixing.type,
                "decoder|encoder|reranker|encoder-decoder", "what the models are (from config.json)"),
    OPTION_POOLING(struct recipe_merge_options, mixing.pooling),
    OPTION_MIXING_SHARDS(struct recipe_merge_options),
    OPTIONS_MIXING_TARGET(struct recipe_merge_options),
    OPTIONS_COMMON,
};

/* `context`: the options. */
static char *find_model(void *context, const struct recipe_reference *model, struct error *err)
{
    const struct recipe_merge_options *options = context;

    return recipe_model_find(model, options->models, &options->common, err);
}

/* Standard input without an operand. */
static const char *recipe_of(const struct recipe_merge_options *options)
{
    return options->common.n_operands ? options->common.operands[0] : "-";
}

/* `context`: the options. */
static void add_members(const void *context, struct json_writer *json)
{
    const struct recipe_merge_options *options = context;

    json_writer_string(json, "recipe", recipe_of(options));
}

static int merge(struct recipe_merge_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    struct recipe_options recipe_options = {.merge = mixing_merge_options(&options->mixing),
                                            .seed = options->seed ? options->seed : 1,
                                            .find = find_model,
                                            .context = options};
    struct recipes recipes = {0};
    struct recipe_run run = {0};
    struct notices notices = {0};
    struct mixing mixing = {.options = &options->mixing, .common = common,
                            .add_members = add_members, .context = options};
    int rc = mixing_check_output(&options->mixing, err) ||
             recipes_load(&recipes, recipe_of(options), &notices, err);

    terminal_notices(&notices, common);
    if (rc == 0) {
        rc = recipe_run_open(&run, &recipes, &recipe_options, err);
        terminal_notices(&run.notices, common);
    }
    if (rc == 0 && options->explains) {
        rc = common->json ? recipe_report_print_json(&run, stdout, err)
                          : recipe_report_print(&run, stdout, err);
    } else if (rc == 0) {
        mixing.merge = run.last->result;
        mixing.recipe = recipes.text;
        mixing.threads = threads_new(common->n_threads, err);
        rc = mixing.threads ? mixing_run(&mixing, err) : -1;
        threads_free(mixing.threads);
    }
    recipe_run_release(&run);
    recipes_release(&recipes);
    notices_release(&notices);
    return rc ? -1 : 0;
}

static int run(int argc, char **argv, struct error *err)
{
    struct recipe_merge_options options = {0};
    int rc = command_parse(&command_merge, argc, argv, &options, err);

    if (rc == 0)
        rc = merge(&options, err);
    options_release(&options.common);
    return rc;
}

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "output|explain",
     .message = "--output is missing: where to put the merged model"},
    {0},
};

const struct command command_merge = {
    .name = "merge",
    .summary = "write what a recipe of mergekit makes",
    .usage = "[RECIPE.yml] -o DIR",
    .min_operands = 0,
    .max_operands = 1,
    .has_ranks = true,
    .rows = rows,
    .rules = rules,
    .run = run,
};
