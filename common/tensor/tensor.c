#include "tensor.h"

#include <string.h>

int tensor_measure(struct tensor *tensor, struct error *err)
{
    size_t n_items = 1;
    bool is_empty = false;

    if (tensor->n_dims > TENSOR_DIMS_MAX)
        return error_set(err, ERROR_FORMAT, "%zu dimensions, more than the limit of %d",
                         tensor->n_dims, TENSOR_DIMS_MAX);
    /* A zero anywhere makes the product zero, but the rest must not overflow all the same. */
    for (size_t i = 0; i < tensor->n_dims; i++) {
        is_empty |= tensor->shape[i] == 0;
        if (tensor->shape[i] && __builtin_mul_overflow(n_items, tensor->shape[i], &n_items))
            return error_set(err, ERROR_FORMAT, "the product of its shape overflows");
    }
    tensor->n_items = is_empty ? 0 : n_items;
    if (dtype_bytes(tensor->dtype, tensor->n_items, &tensor->size_bytes)) {
        unsigned n_bits = dtype_info(tensor->dtype)->n_bits;

        if (n_bits < 8 && tensor->n_items * n_bits % 8)
            return error_set(err, ERROR_FORMAT, "%zu items of %s are %zu bits, not whole bytes",
                             tensor->n_items, dtype_info(tensor->dtype)->name,
                             tensor->n_items * n_bits);
        return error_set(err, ERROR_FORMAT, "the size of %zu items of %s overflows",
                         tensor->n_items, dtype_info(tensor->dtype)->name);
    }
    return 0;
}

bool tensor_same_shape(const struct tensor *a, const struct tensor *b)
{
    return a->n_dims == b->n_dims &&
           (a->n_dims == 0 || memcmp(a->shape, b->shape, a->n_dims * sizeof *a->shape) == 0);
}

void tensor_add_shape(struct buffer *out, const struct tensor *tensor)
{
    buffer_add_char(out, '[');
    for (size_t i = 0; i < tensor->n_dims; i++)
        buffer_format(out, "%s%zu", i ? ", " : "", tensor->shape[i]);
    buffer_add_char(out, ']');
}
