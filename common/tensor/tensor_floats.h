/* tensor_floats.h - a tensor whose items stand in memory. */
#ifndef COCKTAIL_TENSOR_FLOATS_H
#define COCKTAIL_TENSOR_FLOATS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor.h"

/* Makes *made the floats at `items`, which are read when the tensor is: they may be filled in later, and
 * must outlive it, as must name and origin, which stands in for the name of a file. The arena keeps the
 * rest. ERROR_FORMAT as tensor_measure. */
int tensor_floats(struct tensor *made, const char *name, size_t n_dims, const size_t *shape,
                  const float *items, const char *origin, struct arena *arena, struct error *err);

#endif
