/* weighted_tensor.h - the weighted sum of tensors of one shape, as a tensor that is made as it is read. */
#ifndef COCKTAIL_WEIGHTED_TENSOR_H
#define COCKTAIL_WEIGHTED_TENSOR_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor.h"

/* F32, summed in double. It has the name and the shape of the first, and borrows all of them; the arena
 * keeps what it needs. Not complex, and not of packed dtypes: ERROR_UNSUPPORTED. */
int weighted_tensor_make(struct tensor *made, const struct tensor *const *tensors,
                         const double *weights, size_t n, struct arena *arena, struct error *err);

#endif
