/* recipe_run.c - open what a recipe names, from the document that is written down to the models. */
#include "recipe_run.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/adapted_model.h"
#include "arch/model_modules.h"
#include "arch/model_ranks.h"
#include "arch/model_stack.h"
#include "arch/tensor_names.h"
#include "base/json.h"
#include "base/memory.h"
#include "mix/combine.h"
#include "mix/combine_settings.h"
#include "mix/merge_model.h"
#include "mix/recipe_apply.h"
#include "mix/recipe_files.h"
#include "mix/recipe_join.h"
#include "mix/recipe_origins.h"

static int open_stage(struct recipe_run *run, struct recipe_stage *stage, struct error *err);

/* ---- models ---- */

static int open_stage_model(struct recipe_run *run, struct recipe_stage *stage,
                            const struct recipe *recipe, const struct recipe_reference *reference,
                            struct model_folder *model, struct error *err)
{
    if (stage->is_begun && !stage->result)
        return recipe_fail(recipe, reference->line, err, "'" ERROR_NAME "' is made of itself: "
                           "the documents depend on one another in a circle", reference->path);
    if (!stage->result && open_stage(run, stage, err))
        return -1;
    return merge_model_open(model, stage->result, reference->text, err);
}

/* An error that finding or opening the model has set. */
static int fail_reference(const struct recipe *recipe, const struct recipe_reference *reference,
                          struct error *err)
{
    return error_context(err, "%s:%zu", recipe->file, reference->line);
}

static int open_path(struct recipe_run *run, const struct recipe *recipe,
                     const struct recipe_reference *reference, struct model_folder *model,
                     struct error *err)
{
    char *path = run->options.find(run->options.context, reference, err);
    char *name = memory_format("%s%s%s", reference->path, reference->revision ? "@" : "",
                               reference->revision ? reference->revision : "");
    int rc = path ? model_folder_open(model, path, name, run->options.merge.follow_symlinks, err)
                  : -1;

    free(name);
    free(path);
    if (rc == 0 && (!model_folder_weights(model, &run->notices, err) ||
                    model_ranks_compare(model, &run->notices, err))) {
        model_folder_release(model);
        rc = -1;
    }
    return rc ? fail_reference(recipe, reference, err) : 0;
}

/* The model may be another document's result. */
static int add_adapter(struct recipe_run *run, const struct recipe *recipe,
                       const struct recipe_reference *reference, struct model_folder *model,
                       struct error *err)
{
    struct recipe_reference adapter = {.path = reference->lora,
                                       .revision = reference->lora_revision,
                                       .is_adapter = true};
    char *path = run->options.find(run->options.context, &adapter, err);
    int rc = path ? adapted_model_add(model, path, reference->lora,
                                      run->options.merge.follow_symlinks, &run->notices, err)
                  : -1;

    free(path);
    if (rc) {
        model_folder_release(model);
        return fail_reference(recipe, reference, err);
    }
    free(model->name);
    model->name = memory_copy(reference->text);
    return 0;
}

/* override_architecture: another class in its config.json. */
static int set_class(const struct recipe_reference *reference, struct model_folder *model,
                     struct error *err)
{
    struct buffer text = {0}, list = {0};

    if (!model->has_config || model->config.is_consolidated)
        return error_set(err, ERROR_FORMAT, "'" ERROR_NAME "': no config.json, in which "
                         "override_architecture could be set", reference->text);
    buffer_add_char(&list, '[');
    json_add_string(&list, reference->override_architecture);
    buffer_add_char(&list, ']');
    buffer_add(&text, model->config.text, model->config.size);
    json_edit_member(&text, "architectures", list.data);
    buffer_release(&list);
    return model_folder_set_config(model, &text, err);
}

static int open_new(struct recipe_run *run, const struct recipe *recipe,
                    const struct recipe_reference *reference, struct model_folder *model,
                    struct error *err)
{
    struct recipe_stage *stage = recipe_stages_find(run, reference->path);

    if (stage ? open_stage_model(run, stage, recipe, reference, model, err)
              : open_path(run, recipe, reference, model, err))
        return -1;
    if (reference->override_architecture && set_class(reference, model, err)) {
        model_folder_release(model);
        return fail_reference(recipe, reference, err);
    }
    return reference->lora ? add_adapter(run, recipe, reference, model, err) : 0;
}

/* The model, open; NULL with an error. A recipe may name one a thousand times: it is opened once. */
static struct model_folder *find_model(struct recipe_run *run, const struct recipe *recipe,
                                       const struct recipe_reference *reference, struct error *err)
{
    size_t length = strlen(reference->text);
    const size_t *found = hash_map_find(&run->by_text, reference->text, length);
    struct recipe_model *model;

    if (found)
        return &run->models[*found]->folder;
    model = memory_zalloc(1, sizeof *model);
    if (open_new(run, recipe, reference, &model->folder, err)) {
        free(model);
        return NULL;
    }
    model->text = reference->text;
    hash_map_add(&run->by_text, model->text, length, run->n_models);
    run->models = memory_resize(run->models, run->n_models + 1, sizeof *run->models);
    run->models[run->n_models++] = model;
    return &model->folder;
}

/* The same as one that the caller owns. */
static int open_model(struct recipe_run *run, const struct recipe *recipe,
                      const struct recipe_reference *reference, struct model_folder *model,
                      struct error *err)
{
    struct model_folder *whole = find_model(run, recipe, reference, err);

    return whole ? model_folder_reopen(model, whole, reference->text, err) : -1;
}

/* A place for the result of a slice. */
static struct model_folder *keep_model(struct recipe_stage *stage)
{
    stage->kept = memory_resize(stage->kept, stage->n_kept + 1, sizeof *stage->kept);
    stage->kept[stage->n_kept] = memory_zalloc(1, sizeof **stage->kept);
    return stage->kept[stage->n_kept++];
}

/* Whose layers are meant; NULL: a model has but one stack of them. */
static const char *module_of(const struct recipe_merge *made)
{
    return made->scope.recipe->n_modules > 1 ? made->scope.module->name : NULL;
}

/* The layers of a source, as a model. */
static int open_layers(struct recipe_run *run, const struct recipe_merge *made,
                       const struct recipe_source *source, struct model_folder *model,
                       struct error *err)
{
    const struct recipe *recipe = made->scope.recipe;
    struct model_folder *whole = find_model(run, recipe, &source->model, err);
    struct stack_part part = {whole, (size_t)source->first, (size_t)(source->end - source->first)};
    size_t n_layers;

    if (!whole)
        return -1;
    n_layers = model_stack_count_layers(whole, module_of(made));
    if ((size_t)source->end > n_layers && n_layers)
        return recipe_fail(recipe, source->line, err, "layer_range [%ld, %ld]: '" ERROR_NAME "' has "
                           "%zu layers", source->first, source->end, source->model.text, n_layers);
    if (model_folder_reopen(model, whole, source->model.text, err))
        return -1;
    return model_stack(model, &part, 1, module_of(made), &run->notices, err)
               ? error_context(err, "%s:%zu", recipe->file, source->line)
               : 0;
}

/* ---- one merge ---- */

/* Fills made->sources, the base first; returns their number. */
static size_t list_sources(struct recipe_merge *made)
{
    const struct recipe_slice *slice = made->scope.slice;
    const struct recipe_reference *base = recipe_stages_base(made);
    size_t n = 0, listed = SIZE_MAX;

    made->sources = memory_zalloc(slice->n_sources + 1, sizeof *made->sources);
    for (size_t i = 0; base && i < slice->n_sources; i++)
        if (strcmp(slice->sources[i].model.text, base->text) == 0)
            listed = i;
    if (listed != SIZE_MAX)
        made->sources[n++] = &slice->sources[listed];
    else if (base && !made->scope.module->has_slices)
        n++; /* the base has no entry */
    for (size_t i = 0; i < slice->n_sources; i++)
        if (i != listed)
            made->sources[n++] = &slice->sources[i];
    return n;
}

static int check_models(const struct recipe_merge *made, size_t n_models, bool has_base,
                        struct error *err)
{
    const struct combine_method *method = made->scope.method;
    struct error reason = {0};
    size_t n_inputs = n_models - (has_base && method->base != COMBINE_BASE_INPUT);

    if (combine_check_models(method, n_inputs, has_base, &reason) == 0)
        return 0;
    return recipe_fail(made->scope.recipe, made->scope.slice->line, err, "%s%s", reason.text,
                       !has_base && method->base >= COMBINE_BASE_REQUIRED
                           ? "; say which model it is with base_model" : "");
}

static int open_models(struct recipe_run *run, struct recipe_stage *stage,
                       struct recipe_merge *made, struct model_folder *models, size_t n_models,
                       struct error *err)
{
    for (size_t i = 0; i < n_models; i++) {
        const struct recipe_source *source = made->sources[i];

        if (source && source->has_range
                ? open_layers(run, made, source, &models[i], err)
                : open_model(run, stage->recipe, source ? &source->model : recipe_stages_base(made),
                             &models[i], err))
            return -1;
    }
    return 0;
}

static const char *dtype_name(const char *torch_name)
{
    static const char *const names[][2] = {
        {"float32", "f32"}, {"float16", "f16"}, {"bfloat16", "bf16"}, {"float64", "f64"},
    };

    for (size_t i = 0; torch_name && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], torch_name) == 0)
            return names[i][1];
    return NULL;
}

static struct merge_options merge_options(const struct recipe_run *run, const struct recipe *recipe,
                                          const struct combine_method *method, bool has_base,
                                          bool has_join)
{
    struct merge_options options = run->options.merge;

    options.names = NULL;
    options.method = method;
    options.has_base = has_base && method->base != COMBINE_BASE_INPUT &&
                       method->base != COMBINE_BASE_NONE;
    options.dtype = dtype_name(recipe->out_dtype ? recipe->out_dtype : recipe->dtype);
    options.promotes = true;
    options.ignore_tokenizer = true; /* without a tokenizer block nobody compares them */
    options.has_one_tokenizer = has_join;
    return options;
}

static bool is_noticed(const struct notices *notices, const char *text)
{
    for (size_t i = 0; i < notices->n_texts; i++)
        if (strcmp(notices->texts[i], text) == 0)
            return true;
    return false;
}

/* Slices of one model have the same ones. */
static void take_notices(struct recipe_run *run, struct notices *notices)
{
    for (size_t i = 0; i < notices->n_texts; i++)
        if (!is_noticed(&run->notices, notices->texts[i]))
            notices_add(&run->notices, "%s", notices->texts[i]);
    notices_release(notices);
}

/* Gives the donor of a document's result the files that the recipe wants. */
static int add_files(struct recipe_run *run, const struct recipe_stage *stage,
                     struct model_folder *const *models, size_t n_models,
                     struct model_folder *donor, struct error *err)
{
    assert(n_models > 0 && models);
    if (stage->join && join_add_files(stage->join, donor, &run->notices, err))
        return error_context(err, "%s:%zu: tokenizer", stage->recipe->file,
                             stage->recipe->tokenizer.line);
    return recipe_files_add(stage->recipe, run->recipes->text, run->recipes->size, models, n_models,
                            donor, err);
}

static int add_merge_files(struct recipe_run *run, const struct recipe_stage *stage,
                           struct model_folder *models, size_t n_models, struct error *err)
{
    struct model_folder **list = memory_zalloc(n_models, sizeof *list);
    int rc;

    for (size_t i = 0; i < n_models; i++)
        list[i] = &models[i];
    rc = add_files(run, stage, list, n_models, &models[0], err);
    free(list);
    return rc;
}

/* Gives the models of a merge the rows of one tokenizer. */
static int move_rows(struct recipe_run *run, const struct recipe_stage *stage,
                     struct model_folder *models, size_t n_models, bool has_base, struct error *err)
{
    size_t *which = memory_zalloc(n_models, sizeof *which);
    struct notices told = {0};
    int rc;

    for (size_t i = 0; i < n_models; i++) {
        which[i] = join_find(stage->join, models[i].name);
        assert(which[i] != SIZE_MAX);
    }
    rc = join_move(stage->join, models, which, n_models, has_base ? 0 : JOIN_NO_BASE, &told, err);
    take_notices(run, &told);
    free(which);
    return rc ? error_context(err, "%s:%zu: tokenizer", stage->recipe->file,
                              stage->recipe->tokenizer.line)
              : 0;
}

static int open_merge(struct recipe_run *run, struct recipe_stage *stage,
                      struct recipe_merge *made, struct error *err)
{
    size_t n_models = list_sources(made);
    bool has_base = recipe_stages_base(made) && (!made->sources[0] ||
                                      strcmp(made->sources[0]->model.text,
                                             recipe_stages_base(made)->text) == 0);
    struct model_folder *models = memory_zalloc(n_models, sizeof *models);
    struct merge_options options = merge_options(run, stage->recipe, made->scope.method, has_base,
                                                 stage->join);
    bool is_written = stage == run->last && stage->n_merges == 1;
    int rc = recipe_scope_check(&made->scope, &run->notices, err) ||
             check_models(made, n_models, has_base, err) ||
             open_models(run, stage, made, models, n_models, err) ||
             (stage->join && move_rows(run, stage, models, n_models, recipe_stages_base(made) && has_base, err)) ||
             (stage->n_merges == 1 && add_merge_files(run, stage, models, n_models, err));

    if (!is_written)
        options.output = merge_inner_output(options.output);
    if (rc == 0) {
        made->is_open = true;
        rc = merge_open_models(&made->merge, models, n_models, &options, err);
        take_notices(run, &made->merge.notices);
    }
    for (size_t i = 0; i < n_models; i++)
        model_folder_release(&models[i]);
    free(models);
    if (rc)
        return -1;
    made->n_layers = model_stack_count_layers(&made->merge.models[0], module_of(made));
    return recipe_apply(made, run->options.seed, err);
}

/* ---- a document ---- */

static const struct combine_method *find_method(const struct recipe *recipe, struct error *err)
{
    const struct combine_method *method = combine_method_find(recipe->method);
    const char *nearest = combine_method_nearest(recipe->method);

    if (!method)
        recipe_fail(recipe, recipe->method_line, err, "merge_method '" ERROR_NAME "' is not known"
                    "%s%s%s", recipe->method, nearest ? "; did you mean '" : "",
                    nearest ? nearest : "", nearest ? "'?" : "");
    return method;
}

enum { MODULES_MAX = 64 };

static int check_modules(const struct recipe *recipe, struct error *err)
{
    const struct recipe_module *module = &recipe->modules[0];

    if (recipe->n_modules == 1)
        return !module->name || strcmp(module->name, "default") == 0
                   ? 0
                   : recipe_fail(recipe, module->line, err, "module '" ERROR_NAME "' is not known; "
                                 "the one module of a model is called 'default'", module->name);
    if (recipe->n_modules > MODULES_MAX)
        return recipe_fail(recipe, recipe->modules[MODULES_MAX].line, err, "%zu modules; no model "
                           "has more than %d", recipe->n_modules, MODULES_MAX);
    for (size_t i = 0; i < recipe->n_modules; i++) {
        module = &recipe->modules[i];
        if (model_module_is_rest(module->name) && module->has_slices)
            return recipe_fail(recipe, module->line, err, "module '%s' has no layers to be sliced",
                               module->name);
        if (module->has_slices && !model_stack_is_counted(module->name))
            return error_set(err, ERROR_UNSUPPORTED, "%s:%zu: slices of module '" ERROR_NAME "' "
                             "are not supported; those of an encoder and a decoder are",
                             recipe->file, module->line, module->name);
    }
    return 0;
}

/* The parts of a stack: results of the slices. */
static int open_parts(struct recipe_stage *stage, const char *module,
                      struct recipe_merge *merges, size_t n_merges, struct stack_part *parts,
                      struct error *err)
{
    for (size_t i = 0; i < n_merges; i++) {
        struct model_folder *model = keep_model(stage);

        if (merge_model_open(model, &merges[i].merge, merges[i].merge.models[0].name, err))
            return -1;
        parts[i] = (struct stack_part){model, 0, model_stack_count_layers(model, module)};
    }
    return 0;
}

/* Whose config.json and tokenizer a stack gets: those of the base, where there is one. */
static int open_donor(struct recipe_run *run, struct recipe_stage *stage,
                      struct model_folder *first, struct model_folder *donor, struct error *err)
{
    const struct recipe_reference *base = &stage->recipe->base;

    if (!base->path || strcmp(base->text, first->name) == 0)
        return model_folder_reopen(donor, first, first->name, err);
    if (open_model(run, stage->recipe, base, donor, err))
        return -1;
    return stage->join ? join_set_config(stage->join, donor, join_find(stage->join, donor->name),
                                         &run->notices, err)
                       : 0;
}

/* What the slices of a module make: in `made`, or, of a single one, its part. */
static struct model_folder *stack_module(struct recipe_run *run, struct recipe_stage *stage,
                                         const struct recipe_module *module,
                                         struct recipe_merge *merges, struct error *err)
{
    struct stack_part *parts = memory_zalloc(module->n_slices, sizeof *parts);
    const char *name = stage->recipe->n_modules > 1 ? module->name : NULL;
    int rc = open_parts(stage, name, merges, module->n_slices, parts, err);
    struct model_folder *model = rc == 0 ? parts[0].model : NULL;

    if (rc == 0 && module->n_slices > 1) {
        model = keep_model(stage);
        rc = open_donor(run, stage, parts[0].model, model, err) ||
             model_stack(model, parts, module->n_slices, name, &run->notices, err);
    }
    free(parts);
    return rc ? NULL : model;
}

/* Makes `donor` what the modules make together. */
static int join_modules(struct recipe_run *run, struct recipe_stage *stage,
                        struct model_folder *donor, struct error *err)
{
    const struct recipe *recipe = stage->recipe;
    struct model_module *modules = memory_zalloc(recipe->n_modules, sizeof *modules);
    struct recipe_merge *merges = stage->merges;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < recipe->n_modules; i++) {
        modules[i] = (struct model_module){
            recipe->modules[i].name, stack_module(run, stage, &recipe->modules[i], merges, err)};
        merges += recipe->modules[i].n_slices;
        rc = modules[i].model ? 0 : -1;
    }
    if (rc == 0)
        rc = open_donor(run, stage, modules[0].model, donor, err);
    if (rc == 0 && model_modules_join(donor, modules, recipe->n_modules, &run->notices, err))
        rc = error_context(err, "%s:%zu", recipe->file, recipe->modules[0].line);
    free(modules);
    return rc;
}

static int stack_slices(struct recipe_run *run, struct recipe_stage *stage,
                        struct model_folder *donor, struct error *err)
{
    struct model_folder *model = stack_module(run, stage, &stage->recipe->modules[0],
                                              stage->merges, err);

    return model ? model_folder_reopen(donor, model, model->name, err) : -1;
}

static int add_stack_files(struct recipe_run *run, const struct recipe_stage *stage,
                           struct model_folder *donor, struct error *err)
{
    struct model_folder **list = NULL;
    size_t n = 0;
    int rc;

    for (size_t m = 0; m < stage->n_merges; m++)
        for (size_t i = 0; i < stage->merges[m].merge.n_models; i++) {
            list = memory_resize(list, n + 1, sizeof *list);
            list[n++] = &stage->merges[m].merge.models[i];
        }
    rc = add_files(run, stage, list, n, donor, err);
    free(list);
    return rc;
}

/* Puts slices and modules together. */
static int open_stack(struct recipe_run *run, struct recipe_stage *stage, struct error *err)
{
    struct model_folder donor = {0};
    struct merge_options options = run->options.merge;
    int rc = (stage->recipe->n_modules > 1 ? join_modules(run, stage, &donor, err)
                                           : stack_slices(run, stage, &donor, err)) ||
             add_stack_files(run, stage, &donor, err);

    if (stage != run->last)
        options.output = merge_inner_output(options.output);
    if (rc == 0) {
        options.names = NULL;
        options.method = stage->merges[0].scope.method;
        options.copies = true;
        stage->stacked = memory_zalloc(1, sizeof *stage->stacked);
        rc = merge_open_models(stage->stacked, &donor, 1, &options, err);
        take_notices(run, &stage->stacked->notices);
    }
    model_folder_release(&donor);
    return rc ? -1 : 0;
}

static int open_merges(struct recipe_run *run, struct recipe_stage *stage,
                       const struct combine_method *method, struct error *err)
{
    const struct recipe *recipe = stage->recipe;
    size_t n = 0;

    for (size_t i = 0; i < recipe->n_modules; i++)
        stage->n_merges += recipe->modules[i].n_slices;
    stage->merges = memory_zalloc(stage->n_merges, sizeof *stage->merges);
    for (size_t i = 0; i < recipe->n_modules; i++) {
        const struct recipe_module *module = &recipe->modules[i];
        size_t at = 0;

        for (size_t k = 0; k < module->n_slices; k++) {
            struct recipe_merge *made = &stage->merges[n++];

            made->scope = (struct recipe_scope){recipe, module, &module->slices[k], method};
            made->at = at;
            if (open_merge(run, stage, made, err))
                return -1;
            at += made->n_layers;
        }
    }
    return 0;
}

/* ---- one tokenizer for all models of a document ---- */

struct model_list {
    struct model_folder **items; /* [n] */
    size_t n;
};

/* Each is in it once; reference NULL or without a path: none. */
static int list_model(struct recipe_run *run, const struct recipe_stage *stage,
                      const struct recipe_reference *reference, struct model_list *list,
                      struct error *err)
{
    struct model_folder *model;

    if (!reference->path)
        return 0;
    model = find_model(run, stage->recipe, reference, err);
    if (!model)
        return -1;
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i] == model)
            return 0;
    list->items = memory_resize(list->items, list->n + 1, sizeof *list->items);
    list->items[list->n++] = model;
    return 0;
}

static int list_slice(struct recipe_run *run, const struct recipe_stage *stage,
                      const struct recipe_slice *slice, struct model_list *list, struct error *err)
{
    if (list_model(run, stage, &slice->base, list, err))
        return -1;
    for (size_t i = 0; i < slice->n_sources; i++)
        if (list_model(run, stage, &slice->sources[i].model, list, err))
            return -1;
    return 0;
}

/* The base first, then as they stand in the recipe. */
static int list_models(struct recipe_run *run, const struct recipe_stage *stage,
                       struct model_list *list, struct error *err)
{
    const struct recipe *recipe = stage->recipe;

    if (list_model(run, stage, &recipe->base, list, err))
        return -1;
    for (size_t m = 0; m < recipe->n_modules; m++)
        for (size_t i = 0; i < recipe->modules[m].n_slices; i++)
            if (list_slice(run, stage, &recipe->modules[m].slices[i], list, err))
                return -1;
    return 0;
}

static int open_join(struct recipe_run *run, struct recipe_stage *stage, struct error *err)
{
    const struct recipe *recipe = stage->recipe;
    const struct recipe_reference *wanted = &recipe->tokenizer.model;
    struct model_list list = {0};
    struct model_folder *other = NULL;
    int rc = recipe->tokenizer.line ? list_models(run, stage, &list, err) : 0;

    if (rc == 0 && recipe->tokenizer.line && wanted->path) {
        other = find_model(run, recipe, wanted, err);
        rc = other ? 0 : -1;
    }
    if (rc == 0 && list.n) {
        stage->join = memory_zalloc(1, sizeof *stage->join);
        rc = recipe_join_open(stage->join, recipe, list.items, list.n, other, &run->notices, err);
    }
    free(list.items);
    return rc;
}

static int open_stage(struct recipe_run *run, struct recipe_stage *stage, struct error *err)
{
    const struct combine_method *method = find_method(stage->recipe, err);

    stage->is_begun = true;
    if (!method || check_modules(stage->recipe, err) || open_join(run, stage, err) ||
        open_merges(run, stage, method, err))
        return -1;
    if (stage->n_merges > 1 && open_stack(run, stage, err))
        return -1;
    stage->result = stage->stacked ? stage->stacked : &stage->merges[0].merge;
    return 0;
}

/* ---- the documents ---- */

static int check_names(const struct recipe_run *run, struct error *err)
{
    for (size_t i = 0; i < run->n_stages; i++) {
        const struct recipe *recipe = run->stages[i].recipe;

        if (recipe->name && recipe_stages_find(run, recipe->name) != &run->stages[i])
            return recipe_fail(recipe, recipe->line, err, "a second document called '" ERROR_NAME
                               "'", recipe->name);
    }
    return 0;
}

/* The one without a name; of a single document, that one. */
static int find_last(struct recipe_run *run, struct error *err)
{
    for (size_t i = 0; i < run->n_stages; i++) {
        struct recipe_stage *stage = &run->stages[i];

        if (stage->recipe->name && run->n_stages > 1)
            continue;
        if (run->last)
            return recipe_fail(stage->recipe, stage->recipe->line, err, "a second document without "
                               "'name'; only the last merge has none");
        run->last = stage;
    }
    if (run->last)
        return 0;
    return recipe_fail(run->stages[0].recipe, run->stages[0].recipe->line, err, "all documents have "
                       "a 'name'; the one to be written has none");
}

static void note_unused(struct recipe_run *run)
{
    for (size_t i = 0; i < run->n_stages; i++)
        if (!run->stages[i].is_begun)
            notices_add(&run->notices, "%s:%zu: '" ERROR_NAME "' goes into nothing: it is not made",
                        run->stages[i].recipe->file, run->stages[i].recipe->line,
                        run->stages[i].recipe->name);
    if (run->n_stages == 1 && run->stages[0].recipe->name)
        notices_add(&run->notices, "%s:%zu: 'name' has no effect in a single document",
                    run->stages[0].recipe->file, run->stages[0].recipe->line);
}

int recipe_run_open(struct recipe_run *run, const struct recipes *recipes,
                    const struct recipe_options *options, struct error *err)
{
    *run = (struct recipe_run){.recipes = recipes, .options = *options,
                               .n_stages = recipes->n_items};
    run->stages = memory_zalloc(run->n_stages, sizeof *run->stages);
    for (size_t i = 0; i < run->n_stages; i++)
        run->stages[i].recipe = &recipes->items[i];
    if (check_names(run, err) || find_last(run, err) || open_stage(run, run->last, err))
        return -1;
    note_unused(run);
    recipe_origins_tell(run);
    return 0;
}

/* Of the tensors outside of the layers a stack has those of its first slice or its last. */
static bool is_kept(const struct recipe_merge *made, const char *name)
{
    const struct recipe_module *module = made->scope.module;
    size_t slice = (size_t)(made->scope.slice - module->slices);

    return slice == (model_stack_is_before_layers(name) ? 0 : module->n_slices - 1);
}

bool recipe_run_writes(const struct recipe_run *run, size_t m, const struct plan_item *item)
{
    const struct recipe_merge *made = &run->last->merges[m];
    const struct checkpoint *whole;
    struct name_layer layer;
    struct error ignored = {0};
    char *name;
    bool is_there;

    if (!run->last->stacked)
        return true;
    if (!recipe_scope_has(&made->scope, item->out.name))
        return false;
    if (!tensor_names_find_layer(item->out.name, &layer) ||
        model_stack_is_shared(&made->merge.models[0], item->out.name))
        return is_kept(made, item->out.name);
    whole = model_folder_weights(&run->last->stacked->models[0], NULL, &ignored);
    name = recipe_apply_name(made, item);
    is_there = whole && checkpoint_find(whole, name);
    free(name);
    return is_there;
}

static void release_stage(struct recipe_stage *stage)
{
    if (stage->stacked)
        merge_release(stage->stacked);
    free(stage->stacked);
    for (size_t i = 0; i < stage->n_merges; i++) {
        if (stage->merges[i].is_open)
            merge_release(&stage->merges[i].merge);
        free(stage->merges[i].sources);
        hash_map_release(&stage->merges[i].stacks);
    }
    free(stage->merges);
    for (size_t i = 0; i < stage->n_kept; i++) {
        model_folder_release(stage->kept[i]);
        free(stage->kept[i]);
    }
    free(stage->kept);
    if (stage->join)
        join_release(stage->join);
    free(stage->join);
}

void recipe_run_release(struct recipe_run *run)
{
    for (size_t i = 0; i < run->n_stages; i++)
        release_stage(&run->stages[i]);
    free(run->stages);
    for (size_t i = 0; i < run->n_models; i++) {
        model_folder_release(&run->models[i]->folder);
        free(run->models[i]);
    }
    free(run->models);
    hash_map_release(&run->by_text);
    for (size_t i = 0; i < run->n_origins; i++) {
        free(run->origins[i].label);
        free(run->origins[i].hub_id);
    }
    free(run->origins);
    notices_release(&run->notices);
    *run = (struct recipe_run){0};
}
