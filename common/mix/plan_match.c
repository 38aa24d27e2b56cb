/* plan_match.c - match the tensors of the models, one base tensor at a time.
 *
 * Where both layouts are known, a base tensor takes what the other has for the same part. Else two
 * views of each model's names are kept: as stored (checkpoint_find) and plain, that is without the
 * prefixes that wrappers add. A base tensor takes the tensor of its very name, else the one of its
 * plain name. What is left over in another model must be something that the mix can do without. */
#include "plan_match.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/checkpoint_names.h"
#include "arch/layout_check.h"
#include "arch/layout_experts.h"
#include "arch/tensor_names.h"
#include "base/memory.h"
#include "mix/token_part.h"
#include "tensor/dtype.h"

enum { NAMES_SHOWN = 3 };

struct planner {
    struct plan *plan;
    const struct plan_model *models;
    size_t n_models;
    const struct plan_options *options;
    struct notices *notices;
    struct checkpoint_names *names; /* [n_models] */
    struct hash_map written;        /* names of items */
    bool **is_used; /* [n_models][n_tensors]: has a place in the result, or needs none */
};

/* ---- messages ---- */

struct name_list { /* the first few names for a message */
    struct buffer text;
    size_t n_names;
};

static void list_add(struct name_list *list, const char *name)
{
    if (list->n_names < NAMES_SHOWN)
        buffer_format(&list->text, "%s'%.100s'", list->n_names ? ", " : "", name);
    else if (list->n_names == NAMES_SHOWN)
        buffer_add_text(&list->text, ", …");
    list->n_names++;
}

static int report_misfit(const struct planner *planner, size_t model,
                         const struct name_list *missing, const struct name_list *extra,
                         struct error *err)
{
    struct buffer text = {0};

    if (missing->n_names)
        buffer_format(&text, "%zu tensor%s missing in it (%s)", missing->n_names,
                      missing->n_names == 1 ? " is" : "s are", missing->text.data);
    if (extra->n_names)
        buffer_format(&text, "%s%zu tensor%s only in it (%s)", text.size ? ", " : "",
                      extra->n_names, extra->n_names == 1 ? " is" : "s are", extra->text.data);
    error_set(err, ERROR_INCOMPATIBLE, "'%s' does not fit the base '%s': %s; only models of one "
              "architecture and size can be mixed, see 'cocktail diff'",
              planner->models[model].name, planner->models[0].name, text.data);
    buffer_release(&text);
    return -1;
}

static int report_shape(const struct planner *planner, size_t model, const struct tensor *base,
                        const struct tensor *other, struct error *err)
{
    struct buffer text = {0}, plain = {0};
    bool is_vocabulary = token_part_of(base, &plain) != TOKEN_PART_NONE &&
                         base->n_dims == other->n_dims &&
                         (base->n_dims == 1 || base->shape[1] == other->shape[1]);

    tensor_add_shape(&text, base);
    buffer_format(&text, " in '%s', ", planner->models[0].name);
    tensor_add_shape(&text, other);
    buffer_format(&text, " in '%s'", planner->models[model].name);
    error_set(err, ERROR_INCOMPATIBLE, "tensor '" ERROR_NAME "': shape %s; only models of one "
              "architecture, size and vocabulary can be mixed%s", base->name, text.data,
              is_vocabulary ? ": 'mix --tokenizer', or tokenizer in a recipe, gives them one vocabulary"
                            : "");
    buffer_release(&plain);
    buffer_release(&text);
    return -1;
}

/* ---- one tensor of the base ---- */

static bool is_whole(enum dtype dtype)
{
    enum dtype_kind kind = dtype_info(dtype)->kind;

    return kind == DTYPE_INTEGER || kind == DTYPE_BOOLEAN;
}

static int check_mixable(const struct planner *planner, size_t model, const struct tensor *tensor,
                         struct error *err)
{
    if (is_whole(tensor->dtype) || dtype_info(tensor->dtype)->is_mixable)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "'%s': tensor '" ERROR_NAME "': %s %s cannot be "
                     "averaged", planner->models[model].name, tensor->name,
                     dtype_info(tensor->dtype)->kind == DTYPE_COMPLEX ? "complex numbers, here"
                                                                      : "numbers of type",
                     dtype_info(tensor->dtype)->name);
}

static int check_source(const struct planner *planner, size_t model, const struct tensor *base,
                        const struct tensor *other, struct error *err)
{
    if (!tensor_same_shape(base, other))
        return report_shape(planner, model, base, other, err);
    if (check_mixable(planner, model, other, err))
        return -1;
    if (is_whole(base->dtype) != is_whole(other->dtype))
        return error_set(err, ERROR_INCOMPATIBLE, "tensor '" ERROR_NAME "': %s in '%s', %s in "
                         "'%s': floating and whole numbers cannot be averaged", base->name,
                         dtype_info(base->dtype)->name, planner->models[0].name,
                         dtype_info(other->dtype)->name, planner->models[model].name);
    return 0;
}

/* The entry of the layout that tensor `index` of a model is, or NULL. */
static const struct layout_entry *find_entry(const struct planner *planner, size_t model,
                                             size_t index)
{
    const struct model_layout *layout = planner->models[model].layout;

    return layout && layout->entry_of[index] != SIZE_MAX ? &layout->entries[layout->entry_of[index]]
                                                         : NULL;
}

/* The name that the architecture has for a tensor of the base; as it is stored, where two tensors
 * would get the same. */
static const char *written_name(struct planner *planner, size_t index)
{
    const struct tensor *base = &planner->models[0].checkpoint->tensors[index];
    const struct layout_entry *entry = find_entry(planner, 0, index);
    struct buffer text = {0}, plain = {0};
    const char *name = base->name;

    tensor_names_write(base->name, planner->options->style, &text);
    tensor_names_plain(base->name, &plain);
    if (entry && entry->is_embedding && strcmp(entry->name, plain.data) != 0) {
        /* A head, or T5's encoder, stands for it. */
        buffer_clear(&text);
        if (!planner->options->style.is_bare && planner->options->style.body)
            buffer_add_text(&text, planner->options->style.body);
        buffer_add_text(&text, entry->name);
    }
    if (strcmp(text.data, base->name) != 0 &&
        !checkpoint_find(planner->models[0].checkpoint, text.data) &&
        !hash_map_find(&planner->written, text.data, text.size))
        name = arena_copy(&planner->plan->arena, text.data, text.size);
    buffer_release(&text);
    buffer_release(&plain);
    hash_map_add(&planner->written, name, strlen(name), index);
    return name;
}

static struct plan_source source_of(const struct planner *planner, size_t model,
                                    const struct tensor *tensor)
{
    return (struct plan_source){.tensor = tensor, .owner = planner->models[model].name,
                                .input = model};
}

static struct plan_item *add_item(struct planner *planner, size_t index, struct error *err)
{
    const struct plan_options *options = planner->options;
    const struct tensor *base = &planner->models[0].checkpoint->tensors[index];
    struct output_tensor out = output_tensor_like(base);
    bool is_parameter = tensor_names_is_parameter(base);
    bool is_mixed = is_parameter && !is_whole(base->dtype);
    struct plan_item *item;

    out.name = written_name(planner, index);
    if (is_mixed && options->has_dtype)
        out.dtype = options->dtype;
    else if (is_mixed && tensor_is_quantised(base))
        out.dtype = options->dequantised;
    else
        out.dtype = tensor_written(base);
    item = plan_add_item(planner->plan, &out,
                         is_mixed ? planner->n_models - options->has_base : 1, err);
    if (!item)
        return NULL;
    item->is_parameter = is_parameter;
    item->method = is_mixed && !(options->copies_same && out.dtype == base->dtype) ? options->method
                                                                                   : NULL;
    if (is_mixed && options->has_base)
        item->base = source_of(planner, 0, base);
    else
        item->sources[0] = source_of(planner, 0, base);
    return item;
}

/* What model `i` has for tensor `index` of the base; NULL when it lacks it, or with an error. */
static const struct tensor *find_source(struct planner *planner, size_t index, size_t i,
                                        struct error *err)
{
    const struct checkpoint_names *names = &planner->names[i];
    const struct plan_model *base = &planner->models[0], *model = &planner->models[i];
    const struct layout_entry *entry = find_entry(planner, 0, index);
    const struct tensor *other = NULL;
    bool is_own;

    if (entry && model->layout)
        other = layout_match(base->layout, entry, model->layout, &planner->plan->arena, err);
    if (!other && err->code == ERROR_NONE)
        other = checkpoint_names_match(&planner->names[0], index, names);
    if (!other && err->code == ERROR_NONE)
        other = checkpoint_names_find_alias(names, planner->names[0].plain[index], model->is_tied);
    is_own = other >= names->checkpoint->tensors &&
             other < names->checkpoint->tensors + names->checkpoint->n_tensors;
    if (other && is_own)
        planner->is_used[i][other - names->checkpoint->tensors] = true;
    return other;
}

/* Finds the tensor of every other model that goes with tensor `index`; those that lack it are noted
 * in missing[model]. */
static int find_sources(struct planner *planner, struct plan_item *item, size_t index,
                        struct name_list *missing, struct error *err)
{
    const struct tensor *base = &planner->models[0].checkpoint->tensors[index];

    for (size_t i = 1; i < planner->n_models; i++) {
        const struct tensor *other = find_source(planner, index, i, err);

        if (err->code)
            return error_context(err, "'%s'", planner->models[i].name);
        if (!other)
            list_add(&missing[i], base->name);
        else if (check_source(planner, i, base, other, err))
            return -1;
        else if (item->method)
            item->sources[i - planner->options->has_base] = source_of(planner, i, other);
    }
    return 0;
}

/* Whether the base's tensor is left out because it is its model's embedding once more. */
static int is_tied_away(struct planner *planner, size_t index, struct error *err)
{
    const struct checkpoint_names *names = &planner->names[0];
    const struct tied_name *tied = tensor_names_find_tied(names->plain[index]);
    int is_copy;

    if (!tied || (tied->is_head && !planner->models[0].is_tied))
        return 0;
    is_copy = checkpoint_names_is_copy(names, index, err);
    if (is_copy == 0 && tied->is_head && checkpoint_names_find_owner(names, tied)) {
        planner->plan->has_untied_head = true;
        notices_add(planner->notices, "'%s': tie_word_embeddings is true, but '" ERROR_NAME "' "
                    "differs from the embedding: it stays a tensor of its own",
                    planner->models[0].name, names->checkpoint->tensors[index].name);
    }
    return is_copy;
}

/* Whether it is more than copied; safetensors has no C128, so that cannot even be copied. */
static bool is_computed(const struct planner *planner, const struct tensor *base)
{
    const struct plan_options *options = planner->options;

    if (base->dtype == DTYPE_C128)
        return true;
    if (options->copies_same && !tensor_is_quantised(base) &&
        (!options->has_dtype || options->dtype == base->dtype))
        return false;
    return tensor_names_is_parameter(base);
}

static enum dtype promoted(enum dtype a, enum dtype b)
{
    return a == b ? a : a == DTYPE_F64 || b == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
}

/* As torch promotes them together. */
static int promote(struct plan_item *item, struct error *err)
{
    for (size_t i = 0; i < item->n_sources; i++)
        if (item->sources[i].tensor && !tensor_is_quantised(item->sources[i].tensor))
            item->out.dtype = promoted(item->out.dtype, tensor_written(item->sources[i].tensor));
    return output_tensor_measure(&item->out, err);
}

static int plan_tensor(struct planner *planner, size_t index, struct name_list *missing,
                       struct error *err)
{
    const struct tensor *base = &planner->models[0].checkpoint->tensors[index];
    struct plan_item *item;
    int is_away;

    if (planner->is_used[0][index]) /* left out */
        return 0;
    if (is_computed(planner, base) && check_mixable(planner, 0, base, err))
        return -1;
    is_away = is_tied_away(planner, index, err);
    if (is_away)
        return is_away < 0 ? -1 : 0;
    item = add_item(planner, index, err);
    if (!item || (item->is_parameter && find_sources(planner, item, index, missing, err)))
        return -1;
    return item->method && planner->options->promotes && !planner->options->has_dtype
               ? promote(item, err)
               : 0;
}

/* ---- what the base has no place for ---- */

/* An expert that base tensors took parts of. */
static bool is_taken_apart(const struct planner *planner, size_t model, size_t index)
{
    const struct layout_entry *entry = find_entry(planner, model, index);

    return entry && entry->group != SIZE_MAX && planner->models[0].layout;
}

/* A tensor of another model that no base tensor took: fine when it is a buffer, or its model's
 * embedding once more, while the base's head is tied. */
static int check_leftover(struct planner *planner, size_t model, size_t index,
                          struct name_list *extra, struct error *err)
{
    const struct checkpoint_names *names = &planner->names[model];
    const struct tensor *tensor = &names->checkpoint->tensors[index];
    const struct tied_name *tied;
    int is_copy;

    if (planner->is_used[model][index] || !tensor_names_is_parameter(tensor) ||
        is_taken_apart(planner, model, index))
        return 0;
    tied = tensor_names_find_tied(names->plain[index]);
    is_copy = checkpoint_names_is_copy(names, index, err);
    if (is_copy < 0)
        return -1;
    if (is_copy == 0 && tied && tied->is_head &&
        checkpoint_names_find_owner(&planner->names[0], tied))
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': its output head '" ERROR_NAME "' differs "
                         "from its embedding, while the head of the base '%s' is tied to its "
                         "embedding; give an untied model first",
                         planner->models[model].name, tensor->name, planner->models[0].name);
    if (is_copy == 0)
        list_add(extra, tensor->name);
    return 0;
}

static int check_leftovers(struct planner *planner, const struct name_list *missing,
                           struct error *err)
{
    for (size_t i = 1; i < planner->n_models; i++) {
        struct name_list extra = {0};
        int rc = 0;

        for (size_t k = 0; rc == 0 && k < planner->models[i].checkpoint->n_tensors; k++)
            rc = check_leftover(planner, i, k, &extra, err);
        if (rc == 0 && (missing[i].n_names || extra.n_names))
            rc = report_misfit(planner, i, &missing[i], &extra, err);
        buffer_release(&extra.text);
        if (rc)
            return -1;
    }
    return 0;
}

/* ---- what not all models have, and none needs ---- */

enum spare { SPARE_HEAD, SPARE_POOLER, SPARE_LAYER, N_SPARES };

static const char *const spare_names[N_SPARES][3] = {
    [SPARE_HEAD] = {"head", "is", "it"},
    [SPARE_POOLER] = {"pooler, which nothing uses,", "is", "it"},
    [SPARE_LAYER] = {"layers for predicting further tokens", "are", "them"},
};

/* Nothing that runs the model as what it is here reads tensor `index`. */
static bool is_spare(const struct planner *planner, size_t model, size_t index, enum spare kind)
{
    const struct plan_model *one = &planner->models[model];
    const struct checkpoint_names *names = &planner->names[model];
    const char *plain = names->plain[index];

    if (!tensor_names_is_parameter(&one->checkpoint->tensors[index]) ||
        find_entry(planner, model, index))
        return false;
    if (kind == SPARE_LAYER)
        return layout_is_next_token(names, planner->options->n_layers, index);
    if (!one->layout && !planner->options->drops_heads)
        return false;
    return kind == SPARE_HEAD ? tensor_names_is_encoder_head(plain)
                              : tensor_names_is_pooler(plain);
}

/* Whether every model has all the spare tensors of the kind that any one has. */
static bool all_have(const struct planner *planner, enum spare kind)
{
    for (size_t i = 0; i < planner->n_models; i++)
        for (size_t k = 0; k < planner->models[i].checkpoint->n_tensors; k++) {
            const char *plain = planner->names[i].plain[k];
            const struct tied_name *tied = tensor_names_find_tied(plain);

            /* What is tied need not be stored. */
            if (!is_spare(planner, i, k, kind) ||
                (tied && (!tied->is_head || planner->models[i].is_tied)))
                continue;
            for (size_t m = 0; m < planner->n_models; m++)
                if (!checkpoint_names_find_plain(&planner->names[m], plain))
                    return false;
        }
    return true;
}

/* Marks the tensors of the kind in all models as used, so that nothing asks for them. */
static void drop(struct planner *planner, enum spare kind)
{
    for (size_t i = 0; i < planner->n_models; i++) {
        struct name_list dropped = {0};

        for (size_t k = 0; k < planner->models[i].checkpoint->n_tensors; k++)
            if (is_spare(planner, i, k, kind)) {
                planner->is_used[i][k] = true;
                list_add(&dropped, planner->models[i].checkpoint->tensors[k].name);
            }
        if (dropped.n_names)
            notices_add(planner->notices, "'%s': its %s %s left out, not all models have %s: %s",
                        planner->models[i].name, spare_names[kind][0], spare_names[kind][1],
                        spare_names[kind][2], dropped.text.data);
        buffer_release(&dropped.text);
    }
}

/* What it is called in the first model. */
static const char *stored_name(const struct plan_item *item)
{
    return (item->base.tensor ? item->base.tensor : item->sources[0].tensor)->name;
}

/* What is not called as the architecture has it would be looked for in vain. */
static void note_names(struct planner *planner)
{
    size_t n_changed = 0, first = 0;

    for (size_t i = planner->plan->n_items; i > 0; i--)
        if (strcmp(planner->plan->items[i - 1].out.name,
                   stored_name(&planner->plan->items[i - 1])) != 0) {
            n_changed++;
            first = i - 1;
        }
    if (n_changed)
        notices_add(planner->notices, "'%s': '" ERROR_NAME "' is written as '" ERROR_NAME "', the "
                    "name that its architecture has%s", planner->models[0].name,
                    stored_name(&planner->plan->items[first]),
                    planner->plan->items[first].out.name,
                    n_changed > 1 ? "; so are the others of its kind" : "");
}

/* Whether an embedding is among the items without the output head that it could be tied to. */
static bool find_lacks_head(const struct planner *planner)
{
    const struct checkpoint_names *base = &planner->names[0];
    bool has_embedding = false, has_head = false;
    struct buffer plain = {0};

    for (size_t i = 0; i < planner->plan->n_items; i++) {
        const struct tied_name *tied;

        tensor_names_plain(planner->plan->items[i].out.name, &plain);
        tied = tensor_names_find_tied(plain.data);
        has_head |= tied && tied->is_head && checkpoint_names_find_owner(base, tied);
        has_embedding |= tensor_names_is_embedding(plain.data);
    }
    buffer_release(&plain);
    return has_embedding && !has_head;
}

/* ---- all ---- */

/* An average of the two layouts would be one of unlike rows. */
static int check_layouts(const struct planner *planner, struct error *err)
{
    size_t first[2] = {SIZE_MAX, SIZE_MAX}; /* model of either layout */

    for (size_t i = 0; i < planner->n_models; i++) {
        bool is_consolidated = false;

        for (size_t k = 0; k < planner->models[i].checkpoint->n_tensors; k++)
            is_consolidated |= tensor_names_is_consolidated(
                planner->models[i].checkpoint->tensors[k].name);
        if (first[is_consolidated] == SIZE_MAX)
            first[is_consolidated] = i;
    }
    if (first[0] == SIZE_MAX || first[1] == SIZE_MAX)
        return 0;
    return error_set(err, ERROR_INCOMPATIBLE, "'%s' is in the consolidated layout of Mistral's and "
                     "Llama's own files and '%s' is not: the rows of its queries and keys stand in another order (the two "
                     "that rotate together side by side), so that an average would mean nothing; "
                     "give all models in one layout", planner->models[first[1]].name,
                     planner->models[first[0]].name);
}

/* What the plan tells of itself. */
static void name_inputs(const struct planner *planner)
{
    struct plan *plan = planner->plan;

    plan->method = planner->options->method;
    plan->n_inputs = planner->n_models;
    plan->has_base = planner->options->has_base;
    plan->inputs = arena_alloc(&plan->arena, plan->n_inputs * sizeof *plan->inputs);
    for (size_t i = 0; i < plan->n_inputs; i++)
        plan->inputs[i] = (struct plan_input){.name = planner->models[i].name};
}

static int plan_all(struct planner *planner, struct name_list *missing, struct error *err)
{
    const struct checkpoint *base = planner->models[0].checkpoint;
    struct plan *plan = planner->plan;

    if (check_layouts(planner, err))
        return -1;
    name_inputs(planner);
    for (size_t i = 0; i < planner->n_models; i++) {
        const struct checkpoint *checkpoint = planner->models[i].checkpoint;

        checkpoint_names_init(&planner->names[i], checkpoint);
        planner->is_used[i] = memory_zalloc(checkpoint->n_tensors, sizeof **planner->is_used);
    }
    for (int kind = 0; kind < N_SPARES; kind++)
        if (!all_have(planner, (enum spare)kind))
            drop(planner, (enum spare)kind);
    for (size_t k = 0; k < base->n_tensors; k++)
        if (plan_tensor(planner, k, missing, err))
            return -1;
    if (check_leftovers(planner, missing, err))
        return -1;
    note_names(planner);
    plan->lacks_head = find_lacks_head(planner);
    return plan_finish(plan, planner->options->format, err)
               ? error_context(err, "'%s'", planner->models[0].name)
               : 0;
}

int plan_match(struct plan *plan, const struct plan_model *models, size_t n_models,
               const struct plan_options *options, struct notices *notices, struct error *err)
{
    struct planner planner = {.plan = plan, .models = models, .n_models = n_models,
                              .options = options, .notices = notices};
    struct name_list *missing = memory_zalloc(n_models, sizeof *missing);
    int rc;

    *plan = (struct plan){0};
    planner.names = memory_zalloc(n_models, sizeof *planner.names);
    planner.is_used = memory_zalloc(n_models, sizeof *planner.is_used);
    rc = plan_all(&planner, missing, err);
    for (size_t i = 0; i < n_models; i++) {
        checkpoint_names_release(&planner.names[i]);
        free(planner.is_used[i]);
        buffer_release(&missing[i].text);
    }
    free(planner.names);
    free(planner.is_used);
    hash_map_release(&planner.written);
    free(missing);
    if (rc)
        plan_release(plan);
    return rc;
}
