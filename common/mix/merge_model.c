#include "merge_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "mix/item_source.h"
#include "mix/merge_write.h"

/* The weights in `model`, which is like the base, that the component stands for. */
static struct checkpoint *find_weights(struct model_folder *model,
                                       const struct merge_component *component,
                                       struct notices *notices, struct error *err)
{
    const struct model_component *base = component->base;
    const char *slash = strrchr(base->path, '/');
    const struct checkpoint *weights;

    if (base->kind == COMPONENT_MODEL)
        weights = model_folder_weights(model, notices, err);
    else
        weights = model_folder_checkpoint(model, base->directory,
                                          base->kind != COMPONENT_HEAD ? NULL
                                          : slash                      ? slash + 1
                                                                       : base->path,
                                          notices, err);
    return model_folder_own(model, weights);
}

static int replace(struct model_folder *model, struct merge_component *component,
                   struct notices *notices, struct error *err)
{
    struct checkpoint *weights = find_weights(model, component, notices, err);
    const struct plan *plan = &component->plan;
    struct tensor *tensors;

    if (!weights)
        return -1;
    tensors = memory_zalloc(plan->n_items, sizeof *tensors);
    for (size_t i = 0; i < plan->n_items; i++)
        item_source_make(&tensors[i], &plan->items[i], &weights->arena);
    return checkpoint_replace_tensors(weights, tensors, plan->n_items, err);
}

int merge_model_open(struct model_folder *model, struct merge *merge, const char *name,
                     struct error *err)
{
    struct notices ignored = {0}; /* the merge has told them */
    struct buffer text = {0};
    int rc = model_folder_reopen(model, &merge->models[0], name, err);

    if (rc)
        return -1;
    for (size_t c = 0; rc == 0 && c < merge->n_components; c++)
        rc = replace(model, &merge->components[c], &ignored, err);
    if (rc == 0 && model->has_config) {
        merge_add_config(merge, &text);
        rc = model_folder_set_config(model, &text, err);
    }
    notices_release(&ignored);
    if (rc)
        model_folder_release(model);
    return rc;
}
