/* lora_tensor.h - tensors of a base with an adapter on them, computed as they are read: floats, or doubles
 * where the base has these. They are best written as the base's are (tensor_written), so that a sum is
 * rounded once. Source: docs/adapters.md, "Merging". */
#ifndef COCKTAIL_LORA_TENSOR_H
#define COCKTAIL_LORA_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "adapter/lora_factors.h"
#include "base/arena.h"
#include "tensor/tensor.h"

struct lora_change {
    struct lora_store *store;
    const struct lora_folder *lora;
    size_t module;
    bool is_turned;      /* the rows of W are the module's inputs: embeddings, Conv1D */
    size_t first_expert; /* the one that W, or its first matrix, is of */
    size_t first_row;    /* of B A, that W's first row goes with */
};

/* W + s B A, with DoRA's magnitudes if the module has them. W is a matrix, or, of experts, one for each;
 * its values are those of `values`, which has the shape of `base`. The caller has seen that all fits. The
 * arena keeps what *made needs; `values` and `base` must outlive it. */
int lora_tensor_make(struct tensor *made, const struct tensor *base, const struct tensor *values,
                     const struct lora_change *change, struct arena *arena, struct error *err);
/* values + scale addend, item by item; addend NULL: the values alone. */
int lora_tensor_add(struct tensor *made, const struct tensor *base, const struct tensor *values,
                    const struct tensor *addend, double scale, struct arena *arena,
                    struct error *err);

#endif
