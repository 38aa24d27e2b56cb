#include "output_tensor.h"

int output_tensor_measure(struct output_tensor *tensor, struct error *err)
{
    struct tensor measured = {.dtype = tensor->dtype, .n_dims = tensor->n_dims,
                              .shape = tensor->shape};

    if (tensor_measure(&measured, err))
        return -1;
    tensor->n_items = measured.n_items;
    tensor->size_bytes = measured.size_bytes;
    return 0;
}

struct output_tensor output_tensor_like(const struct tensor *tensor)
{
    return (struct output_tensor){tensor->name,  tensor->dtype,   tensor->n_dims,
                                  tensor->shape, tensor->n_items, tensor->size_bytes};
}
