/* output_tensor.h - a tensor that is to be written: what a file's header says of it, and nothing of
 * where its values come from. */
#ifndef COCKTAIL_OUTPUT_TENSOR_H
#define COCKTAIL_OUTPUT_TENSOR_H

#include <stddef.h>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

enum output_packing {
    OUTPUT_PLAIN,
    OUTPUT_Q8_0, /* blocks of 32 items along the rows, which are whole blocks; of F32 */
};

struct output_tensor {
    const char *name;
    enum dtype dtype;
    size_t n_dims;
    const size_t *shape; /* [n_dims], last dimension fastest */
    size_t n_items;      /* product of shape */
    size_t size_bytes;   /* as they are stored, one behind the other */
    enum output_packing packing; /* how the writer, which is given items of the dtype, stores them */
};

/* Fills n_items and size_bytes from shape, dtype and packing; errors as tensor_measure has them. */
int output_tensor_measure(struct output_tensor *tensor, struct error *err);
/* One that is written as `tensor` is; borrows its name and shape. */
struct output_tensor output_tensor_like(const struct tensor *tensor);

#endif
