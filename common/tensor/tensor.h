/* tensor.h - a named array of numbers, and where its bytes are: read with tensor_source.h. */
#ifndef COCKTAIL_TENSOR_H
#define COCKTAIL_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tensor/dtype.h"

enum { TENSOR_DIMS_MAX = 64 };

struct tensor_source;

struct tensor {
    const char *name;
    enum dtype dtype;
    size_t n_dims;
    const size_t *shape;   /* [n_dims], last dimension fastest */
    size_t n_items;        /* product of shape */
    size_t size_bytes;     /* of the items, as if they lay one behind the other */
    const struct tensor_source *source; /* what they are read from */
    size_t offset;         /* byte of what it gives where the first item starts */
    const size_t *strides; /* [n_dims], in items; NULL when row-major and without gaps */
};

/* Fills n_items and size_bytes from shape and dtype. ERROR_FORMAT when the product overflows, when
 * there are more than TENSOR_DIMS_MAX dimensions, or when items do not fill whole bytes. */
int tensor_measure(struct tensor *tensor, struct error *err);
bool tensor_same_shape(const struct tensor *a, const struct tensor *b);
void tensor_add_shape(struct buffer *out, const struct tensor *tensor); /* "[2, 3]" */

#endif
