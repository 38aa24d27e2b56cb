#include "output_tensor.h"

#include "tensor/q8_0.h"

int output_tensor_measure(struct output_tensor *tensor, struct error *err)
{
    struct tensor measured = {.dtype = tensor->dtype, .n_dims = tensor->n_dims,
                              .shape = tensor->shape};

    if (tensor_measure(&measured, err))
        return -1;
    tensor->n_items = measured.n_items;
    tensor->size_bytes = tensor->packing == OUTPUT_Q8_0
                             ? measured.n_items / Q8_0_ITEMS * Q8_0_BYTES
                             : measured.size_bytes;
    return 0;
}

struct output_tensor output_tensor_like(const struct tensor *tensor)
{
    return (struct output_tensor){.name = tensor->name,
                                  .dtype = tensor->dtype,
                                  .n_dims = tensor->n_dims,
                                  .shape = tensor->shape,
                                  .n_items = tensor->n_items,
                                  .size_bytes = tensor->size_bytes};
}
