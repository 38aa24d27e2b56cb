/* moe.c - a mixture of experts made of dense models, by mergekit-moe's file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/adapted_model.h"
#include "arch/moe_folder.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/threads.h"
#include "eval/moe_router.h"
#include "mix/card_terms.h"
#include "mix/fit.h"
#include "mix/merge_write.h"
#include "mix/moe_recipe.h"

#include "command.h"
#include "mixing.h"
#include "recipe_model.h"
#include "terminal.h"

struct moe_options {
    struct common_options common;
    struct mixing_options mixing;
    const char *models;
    size_t seed;
    bool allows_same;
};

static const struct option_row rows[] = {
    {'o', "output", OPTION_PATH, offsetof(struct moe_options, mixing.output), "DIR|FILE.gguf",
     "where to put the mixture"},
    {0, "models", OPTION_PATH, offsetof(struct moe_options, models), "DIR",
     "look for models here first"},
    {0, "seed", OPTION_COUNT, offsetof(struct moe_options, seed), "N",
     "of random routers and of noise: another seed, another result (1)"},
    {0, "i-understand-this-is-not-useful-without-training", OPTION_FLAG,
     offsetof(struct moe_options, allows_same), NULL, "let all experts be the same model"},
    OPTION_MIXING_SHARDS(struct moe_options),
    OPTIONS_MIXING_TARGET(struct moe_options),
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "output",
     .message = "--output is missing: where to put the mixture"},
    {0},
};

struct moe_model { /* open, for all who name it */
    const char *text; /* its reference */
    struct model_folder folder;
};

struct moe_run {
    const struct moe_options *options;
    struct moe_recipe recipe;
    struct moe_model **models;    /* [n_models], the first is the base */
    size_t n_models;
    struct model_folder **inputs; /* [1 + experts + shared ones] of the recipe, in its order */
    size_t n_inputs;
    struct moe_part *parts;       /* [n_inputs - 1] */
    float *rows;                  /* of the routers */
    size_t n_layers, hidden_size;
    struct merge merge;
    struct notices notices;
};

/* ---- models ---- */

/* MODEL+ADAPTER: from then on a model like any other. */
static int add_adapter(struct moe_run *run, const struct recipe_reference *reference,
                       struct model_folder *model, struct error *err)
{
    const struct moe_options *options = run->options;
    struct recipe_reference adapter = {.path = reference->lora,
                                       .revision = reference->lora_revision,
                                       .is_adapter = true};
    char *path = recipe_model_find(&adapter, options->models, &options->common, err);
    int rc = !path || !model_folder_weights(model, &run->notices, err) ||
             adapted_model_add(model, path, reference->lora, options->mixing.follow_symlinks,
                               &run->notices, err);

    free(path);
    if (rc)
        return -1;
    free(model->name);
    model->name = memory_copy(reference->text);
    return 0;
}

static int open_folder(struct moe_run *run, const struct recipe_reference *reference,
                       struct model_folder *model, struct error *err)
{
    const struct moe_options *options = run->options;
    char *path = recipe_model_find(reference, options->models, &options->common, err);
    int rc = path ? model_folder_open(model, path, reference->lora ? reference->path
                                                                   : reference->text,
                                      options->mixing.follow_symlinks, err)
                  : -1;

    free(path);
    if (rc == 0 && reference->lora && add_adapter(run, reference, model, err)) {
        model_folder_release(model);
        rc = -1;
    }
    return rc ? error_context(err, "%s:%zu", run->recipe.file, reference->line) : 0;
}

static int open_model(struct moe_run *run, const struct recipe_reference *reference,
                      struct error *err)
{
    struct moe_model *model = memory_zalloc(1, sizeof *model);

    if (open_folder(run, reference, &model->folder, err)) {
        free(model);
        return -1;
    }
    model->text = reference->text;
    run->models = memory_resize(run->models, run->n_models + 1, sizeof(*run->models));
    run->models[run->n_models++] = model;
    return 0;
}

static struct model_folder *find_open(const struct moe_run *run, const char *text)
{
    for (size_t i = 0; i < run->n_models; i++)
        if (strcmp(run->models[i]->text, text) == 0)
            return &run->models[i]->folder;
    return NULL;
}

static int add_input(struct moe_run *run, const struct recipe_reference *reference,
                     struct error *err)
{
    if (!find_open(run, reference->text) && open_model(run, reference, err))
        return -1;
    run->inputs[run->n_inputs++] = find_open(run, reference->text);
    return 0;
}

static int add_expert(struct moe_run *run, const struct moe_recipe_expert *expert,
                      struct error *err)
{
    if (add_input(run, &expert->model, err))
        return -1;
    run->parts[run->n_inputs - 2] = (struct moe_part){
        run->inputs[run->n_inputs - 1], expert->has_noise ? expert->noise : 0,
        expert->has_scale ? expert->scale : 1};
    return 0;
}

static int open_models(struct moe_run *run, struct error *err)
{
    const struct moe_recipe *recipe = &run->recipe;
    size_t n = recipe->n_experts + recipe->n_shared;

    run->inputs = memory_zalloc(n + 1, sizeof(*run->inputs));
    run->parts = memory_zalloc(n, sizeof *run->parts);
    if (add_input(run, &recipe->base, err))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (add_expert(run, i < recipe->n_experts ? &recipe->experts[i]
                                                  : &recipe->shared[i - recipe->n_experts], err))
            return -1;
    return 0;
}

/* The router reads what the base's tokenizer makes of a text, and so do all experts: one that was trained on
 * other tokens is of less use. */
static int compare_tokenizers(struct moe_run *run, struct error *err)
{
    struct model_folder *folders = memory_zalloc(run->n_models, sizeof *folders);
    int rc;

    for (size_t i = 0; i < run->n_models; i++)
        folders[i] = run->models[i]->folder; /* looked at, not owned */
    rc = fit_compare_tokenizers(folders, run->n_models, true, &run->notices, err);
    free(folders);
    return rc;
}

/* --force removes the target: it must not take a model along that lies in it. */
static int check_models(const struct moe_run *run, struct error *err)
{
    char *output = memory_realpath(run->options->mixing.output);
    size_t length = output ? strlen(output) : 0;
    int rc = 0;

    for (size_t i = 0; output && rc == 0 && i < run->n_models; i++) {
        const struct model_folder *model = &run->models[i]->folder;

        if (strncmp(model->folder->real, output, length) == 0 && model->folder->real[length] == '/')
            rc = error_set(err, ERROR_EXISTS, "'%s' lies in the output directory '%s', which would "
                           "be replaced", model->name, run->options->mixing.output);
    }
    free(output);
    return rc;
}

/* ---- the mixture ---- */

static const struct moe_output *choose(struct moe_run *run, struct error *err)
{
    const struct moe_recipe *recipe = &run->recipe;
    const struct moe_recipe_expert *shared = recipe->n_shared ? &recipe->shared[0] : NULL;
    struct moe_wanted wanted = {
        .models = run->inputs, .n_models = run->n_inputs, .n_shared = recipe->n_shared,
        .shared_has_positive = shared && shared->positive.n_items,
        .shared_has_prompts = shared && (shared->positive.n_items || shared->negative.n_items),
        .is_random = recipe->gate == MOE_GATE_RANDOM,
        .architecture = recipe->architecture,
    };
    const struct moe_output *output = moe_output_choose(&wanted, &run->notices, err);

    if (!output && err->code == ERROR_FORMAT && run->inputs[0]->has_config)
        error_context(err, "%s:%zu", recipe->file,
                      recipe->architecture ? recipe->architecture_line
                      : shared             ? shared->line
                                           : recipe->line);
    return output;
}

/* "float32" -> "f32", as --dtype has it; NULL for others. */
static const char *find_dtype(const char *name)
{
    static const char *const names[][2] = {
        {"float32", "f32"}, {"float16", "f16"}, {"bfloat16", "bf16"}, {"float64", "f64"},
    };

    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], strncmp(name, "torch.", 6) == 0 ? name + 6 : name) == 0)
            return names[i][1];
    return NULL;
}

/* By the recipe, else by the config.json of the base, else as most of its weights are stored. */
static const char *choose_dtype(struct moe_run *run)
{
    const cJSON *json = run->inputs[0]->config.json;
    const struct checkpoint *weights = model_folder_weights(run->inputs[0], &run->notices,
                                                            &(struct error){0});
    const char *dtype = run->recipe.dtype;
    size_t bytes[N_DTYPES] = {0}, best = DTYPE_F32;

    dtype = dtype ? dtype : find_dtype(json_find_string(json, "dtype"));
    dtype = dtype ? dtype : find_dtype(json_find_string(json, "torch_dtype"));
    for (size_t i = 0; weights && i < weights->n_tensors; i++)
        bytes[weights->tensors[i].dtype] += weights->tensors[i].size_bytes;
    for (size_t d = 0; d < N_DTYPES; d++)
        if (find_dtype(dtype_info((enum dtype)d)->torch_name) && bytes[d] > bytes[best])
            best = d;
    return dtype ? dtype : find_dtype(dtype_info((enum dtype)best)->torch_name);
}

static void add_file(const struct moe_run *run, struct model_folder *mixture)
{
    char *copy = memory_alloc(run->recipe.size + 1);

    memcpy(copy, run->recipe.text, run->recipe.size);
    folder_add(mixture->folder, "mergekit_moe_config.yml", copy, run->recipe.size);
}

static int make_mixture(struct moe_run *run, struct model_folder *mixture, struct error *err)
{
    const struct moe_recipe *recipe = &run->recipe;
    const struct moe_output *output = choose(run, err);
    struct moe_design design = {
        .output = output, .base = run->inputs[0], .experts = run->parts,
        .n_experts = recipe->n_experts, .n_chosen = recipe->n_chosen,
        .shared = recipe->n_shared ? &run->parts[recipe->n_experts] : NULL,
        .seed = run->options->seed ? run->options->seed : 1,
    };
    size_t n_rows;

    if (!output || moe_folder_sizes(run->inputs[0], &run->n_layers, &run->hidden_size, err))
        return -1;
    if (__builtin_mul_overflow(run->n_layers, recipe->n_experts + 1, &n_rows))
        n_rows = SIZE_MAX;
    run->rows = memory_try(n_rows, run->hidden_size * sizeof *run->rows, "routers", err);
    if (!run->rows)
        return -1;
    design.rows = run->rows;
    if (model_folder_reopen(mixture, run->inputs[0], run->inputs[0]->name, err) ||
        moe_folder_make(mixture, &design, &run->notices, err))
        return -1;
    add_file(run, mixture);
    return 0;
}

static int open_merge(struct moe_run *run, struct error *err)
{
    struct merge_options options = mixing_merge_options(&run->options->mixing);
    struct model_folder mixture = {0};
    int rc = make_mixture(run, &mixture, err);

    if (rc == 0) {
        options.method = &combine_moe;
        options.copies = true;
        options.dtype = choose_dtype(run);
        rc = merge_open_models(&run->merge, &mixture, 1, &options, err);
    }
    model_folder_release(&mixture);
    return rc ? -1 : 0;
}

/* Card and report tell of the models that the recipe names; licence and languages follow from all. */
static void tell_models(struct moe_run *run)
{
    struct merge *merge = &run->merge;
    struct plan *plan = &merge->components[0].plan;
    struct model_folder *folders = memory_zalloc(run->n_models, sizeof *folders);

    plan->n_inputs = run->n_models;
    plan->inputs = arena_alloc(&plan->arena, plan->n_inputs * sizeof *plan->inputs);
    merge->origins = memory_zalloc(run->n_models, sizeof *merge->origins);
    for (size_t i = 0; i < run->n_models; i++) {
        struct model_folder *folder = &run->models[i]->folder;

        plan->inputs[i] = (struct plan_input){.name = run->models[i]->text, .weight = NAN};
        merge->origins[i] =
            (struct merge_origin){model_folder_label(folder), model_folder_hub_id(folder)};
        folders[i] = *folder; /* looked at, not owned */
    }
    if (!merge->makes_gguf) {
        buffer_clear(&merge->card_terms);
        card_terms_add(&merge->card_terms, folders, run->n_models, &merge->notices);
    }
    free(folders);
}

/* ---- the command ---- */

/* Standard input without an operand. */
static const char *recipe_of(const struct moe_options *options)
{
    return options->common.n_operands ? options->common.operands[0] : "-";
}

/* `context`: the options. */
static void add_members(const void *context, struct json_writer *json)
{
    json_writer_string(json, "recipe", recipe_of(context));
}

static int write_mixture(struct moe_run *run, struct error *err)
{
    const struct moe_options *options = run->options;
    struct mixing mixing = {.options = &options->mixing, .common = &options->common,
                            .merge = &run->merge, .recipe = run->recipe.text,
                            .add_members = add_members, .context = options};
    int rc;

    mixing.threads = threads_new(options->common.n_threads, err);
    if (!mixing.threads)
        return -1;
    /* Prompts may take long, and a disk that is full is full before them. */
    if (!options->mixing.dry_run && merge_check_space(&run->merge, err))
        rc = -1;
    else if (options->mixing.dry_run)
        rc = moe_router_check(&run->recipe, run->inputs[0], err);
    else
        rc = moe_router_fill(run->rows, run->n_layers, run->hidden_size, &run->recipe,
                             run->inputs[0], options->seed ? options->seed : 1, mixing.threads,
                             &run->merge.notices, err);
    if (rc == 0)
        rc = mixing_run(&mixing, err);
    threads_free(mixing.threads);
    return rc;
}

static void release(struct moe_run *run)
{
    merge_release(&run->merge);
    for (size_t i = 0; i < run->n_models; i++) {
        model_folder_release(&run->models[i]->folder);
        free(run->models[i]);
    }
    free(run->models);
    free(run->inputs);
    free(run->parts);
    free(run->rows);
    moe_recipe_release(&run->recipe);
    notices_release(&run->notices);
}

static int make(const struct moe_options *options, struct error *err)
{
    struct moe_run run = {.options = options};
    int rc = mixing_check_output(&options->mixing, err) ||
             moe_recipe_load(&run.recipe, recipe_of(options), options->allows_same, &run.notices,
                             err) ||
             open_models(&run, err) || check_models(&run, err) ||
             compare_tokenizers(&run, err) || open_merge(&run, err);

    terminal_notices(&run.notices, &options->common);
    if (rc == 0) {
        merge_set_weights(&run.merge, (const double[]){1}); /* each tensor as it is, rounded once */
        tell_models(&run);
        rc = write_mixture(&run, err);
    }
    release(&run);
    return rc ? -1 : 0;
}

static int run(int argc, char **argv, struct error *err)
{
    struct moe_options options = {0};
    int rc = command_parse(&command_moe, argc, argv, &options, err);

    if (rc == 0)
        rc = make(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_moe = {
    .name = "moe",
    .summary = "make a mixture of experts of dense models",
    .usage = "[RECIPE.yml] -o DIR",
    .min_operands = 0,
    .max_operands = 1,
    .rows = rows,
    .rules = rules,
    .run = run,
};
