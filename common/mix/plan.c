#include "plan.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

struct plan_item *plan_add_item(struct plan *plan, const struct output_tensor *out,
                                size_t n_sources, struct error *err)
{
    struct plan_item *item;

    if ((plan->n_items & (plan->n_items - 1)) == 0) /* 0, or a power of two: full */
        plan->items = memory_resize(plan->items, plan->n_items ? 2 * plan->n_items : 1,
                                    sizeof *plan->items);
    item = &plan->items[plan->n_items];
    *item = (struct plan_item){.out = *out, .n_sources = n_sources};
    if (output_tensor_measure(&item->out, err)) {
        error_context(err, "tensor '" ERROR_NAME "'", out->name);
        return NULL;
    }
    item->sources = arena_alloc(&plan->arena, n_sources * sizeof *item->sources);
    plan->n_items++;
    return item;
}

static int compare_items(const void *a, const void *b, void *format)
{
    const struct plan_item *x = a, *y = b;

    return ((const struct checkpoint_writer_kind *)format)->compare(&x->out, &y->out);
}

int plan_finish(struct plan *plan, const struct checkpoint_writer_kind *format, struct error *err)
{
    plan->format = format;
    if (plan->n_items)
        qsort_r(plan->items, plan->n_items, sizeof *plan->items, compare_items, (void *)format);
    plan->outputs = arena_alloc(&plan->arena, plan->n_items * sizeof(struct output_tensor *));
    for (size_t i = 0; i < plan->n_items; i++) {
        const struct plan_item *item = &plan->items[i];

        plan->outputs[i] = &item->out;
        if (item->is_parameter)
            plan->n_parameters += item->out.n_items;
        if (__builtin_add_overflow(plan->size_bytes, item->out.size_bytes, &plan->size_bytes))
            return error_set(err, ERROR_FORMAT, "the sizes of its tensors overflow");
    }
    return 0;
}

void plan_set_weights(struct plan *plan, const double *weights)
{
    for (size_t i = 0; i < plan->n_inputs; i++)
        plan->inputs[i].weight = weights[i];
    for (size_t i = 0; i < plan->n_items; i++)
        for (size_t k = 0; k < plan->items[i].n_sources; k++)
            plan->items[i].sources[k].weight = weights[plan->items[i].sources[k].input];
}

bool plan_has_weights(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_inputs; i++)
        if (!isnan(plan->inputs[i].weight))
            return true;
    return false;
}

void plan_release(struct plan *plan)
{
    free(plan->items);
    arena_release(&plan->arena);
    *plan = (struct plan){0};
}
