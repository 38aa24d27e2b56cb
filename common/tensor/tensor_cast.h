/* tensor_cast.h - a tensor rounded to another dtype as it is read. */
#ifndef COCKTAIL_TENSOR_CAST_H
#define COCKTAIL_TENSOR_CAST_H

#include "base/arena.h"
#include "tensor/tensor.h"

/* Makes *cast the values of `tensor`, rounded once to a mixable dtype; both dtypes are of whole bytes.
 * `tensor` must outlive it; the arena keeps what it needs. */
void tensor_cast(struct tensor *cast, const struct tensor *tensor, enum dtype dtype,
                 struct arena *arena);

#endif
