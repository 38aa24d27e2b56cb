#include "recipe_apply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "arch/model_stack.h"
#include "arch/tensor_names.h"
#include "base/memory.h"
#include "mix/combine_settings.h"
#include "tensor/tensor_cast.h"

/* The name with the layer's number `by` higher; to be freed. */
static char *shift_layer(const struct model_folder *model, const char *name, size_t by)
{
    struct name_layer layer;

    if (by == 0 || !tensor_names_find_layer(name, &layer) || model_stack_is_shared(model, name))
        return memory_copy(name);
    return memory_format("%.*s%zu%s", (int)layer.start, name, layer.number + by,
                         name + layer.start + layer.length);
}

char *recipe_apply_name(const struct recipe_merge *made, const struct plan_item *item)
{
    return shift_layer(&made->merge.models[0], item->out.name, made->at);
}

char *recipe_apply_own_name(const struct recipe_merge *made, const struct plan_source *source)
{
    const struct recipe_source *entry = made->sources[source->input];

    return shift_layer(&made->merge.models[source->input], source->tensor->name,
                       entry ? (size_t)entry->first : 0);
}

/* A model may have several stacks of layers: an encoder and a decoder, what reads pictures. */
static void count_layers(struct recipe_merge *made, const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_items; i++) {
        const char *name = plan->items[i].out.name;
        struct name_layer layer;
        size_t *n_layers;

        if (!tensor_names_find_layer(name, &layer))
            continue;
        hash_map_add(&made->stacks, name, layer.start, 0);
        n_layers = hash_map_find(&made->stacks, name, layer.start);
        if (layer.number >= *n_layers)
            *n_layers = layer.number + 1;
    }
}

/* Where the tensor stands among the layers of its slice. */
static double place_of(const struct recipe_merge *made, const struct plan_item *item)
{
    size_t n_layers = made->n_layers;
    struct name_layer layer;

    if (!tensor_names_find_layer(item->out.name, &layer))
        return 0;
    if (n_layers == 0 || made->stacks.n_entries > 1)
        n_layers = *hash_map_find(&made->stacks, item->out.name, layer.start);
    if (n_layers <= 1 || layer.number >= n_layers)
        return 1;
    return (double)layer.number / (double)(n_layers - 1);
}

int recipe_apply_value(const struct recipe_merge *made, const struct plan_item *item,
                       const struct plan_source *source, const struct combine_parameter *row,
                       struct recipe_value *value, struct error *err)
{
    const struct recipe_source *entry = source ? made->sources[source->input] : NULL;
    char *name = source ? recipe_apply_own_name(made, source) : recipe_apply_name(made, item);
    int rc = recipe_scope_value(&made->scope, row, entry, name, place_of(made, item), value, err);

    free(name);
    return rc;
}

/* Those of one scope, in the arena of the plan; NULL where there are none. */
static int fill_settings(const struct recipe_merge *made, struct plan *plan,
                         const struct plan_item *item, const struct plan_source *source,
                         const double **out, struct error *err)
{
    const struct combine_method *method = made->scope.method;
    enum combine_scope scope = source ? COMBINE_EACH : COMBINE_ALL;
    size_t n = combine_n_settings(method, scope), k = 0;
    double *settings = arena_alloc(&plan->arena, n * sizeof *settings);

    for (size_t i = 0; i < method->n_parameters; i++) {
        struct recipe_value value;

        if (method->parameters[i].scope != scope)
            continue;
        if (recipe_apply_value(made, item, source, &method->parameters[i], &value, err))
            return -1;
        settings[k++] = value.value;
    }
    assert(out);
    *out = n ? settings : NULL;
    return 0;
}

static int fill_weight(const struct recipe_merge *made, const struct plan_item *item,
                       struct plan_source *source, struct error *err)
{
    const struct combine_method *method = made->scope.method;
    struct recipe_value value;

    for (size_t i = 0; i < method->n_parameters; i++)
        if (method->parameters[i].scope == COMBINE_WEIGHT) {
            if (recipe_apply_value(made, item, source, &method->parameters[i], &value, err))
                return -1;
            source->weight = value.value;
        }
    return 0;
}

/* What the values are to one another. */
static int check(const struct recipe_merge *made, const struct plan_item *item, struct error *err)
{
    struct combine_input *inputs = memory_zalloc(item->n_sources + 1, sizeof *inputs);
    struct combine_call call = {.out = &item->out, .inputs = inputs, .n_inputs = item->n_sources,
                                .settings = item->settings, .seed = item->seed,
                                .base = item->base.tensor ? &inputs[item->n_sources] : NULL};
    struct error reason = {0};
    char *name;
    int rc;

    for (size_t i = 0; i < item->n_sources; i++)
        inputs[i] = (struct combine_input){NULL, item->sources[i].tensor->dtype,
                                           item->sources[i].weight, item->sources[i].settings};
    if (item->base.tensor)
        inputs[item->n_sources] = (struct combine_input){.dtype = item->base.tensor->dtype};
    rc = made->scope.method->check(&call, &reason);
    free(inputs);
    if (rc == 0)
        return 0;
    name = recipe_apply_name(made, item);
    recipe_fail(made->scope.recipe, made->scope.slice->line, err, "tensor '" ERROR_NAME "': %s",
                name, reason.text);
    free(name);
    return -1;
}

/* What is read is first rounded to the recipe's dtype, where that holds less. */
static void cast(const struct recipe_merge *made, struct plan *plan, struct plan_source *source)
{
    const char *name = made->scope.recipe->dtype;
    struct tensor *tensor;
    enum dtype dtype;

    if (!name || !source->tensor || dtype_find_torch(name, &dtype) ||
        dtype == source->tensor->dtype ||
        dtype_info(dtype)->n_bits > dtype_info(source->tensor->dtype)->n_bits)
        return;
    tensor = arena_alloc(&plan->arena, sizeof *tensor);
    tensor_cast(tensor, source->tensor, dtype, &plan->arena);
    source->tensor = tensor;
}

static int fill_item(struct recipe_merge *made, struct plan *plan, struct plan_item *item,
                     struct error *err)
{
    if (fill_settings(made, plan, item, NULL, &item->settings, err))
        return -1;
    for (size_t i = 0; i < item->n_sources; i++)
        if (fill_weight(made, item, &item->sources[i], err) ||
            fill_settings(made, plan, item, &item->sources[i], &item->sources[i].settings, err))
            return -1;
    for (size_t i = 0; i < item->n_sources; i++)
        cast(made, plan, &item->sources[i]);
    cast(made, plan, &item->base);
    return made->scope.method->check ? check(made, item, err) : 0;
}

int recipe_apply(struct recipe_merge *made, uint64_t seed, struct error *err)
{
    for (size_t c = 0; c < made->merge.n_components; c++) {
        struct plan *plan = merge_plan(&made->merge, c);

        count_layers(made, plan);
        for (size_t i = 0; i < plan->n_items; i++) {
            plan->items[i].seed = seed;
            if (plan->items[i].method && recipe_scope_has(&made->scope, plan->items[i].out.name) &&
                fill_item(made, plan, &plan->items[i], err))
                return -1;
        }
    }
    return 0;
}
