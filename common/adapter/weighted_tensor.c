#include "weighted_tensor.h"

#include <assert.h>
#include <string.h>

#include "tensor/tensor_source.h"

enum { STEP = 1 << 9 };

struct weighted {
    struct tensor_source source;
    const struct tensor **tensors; /* [n] */
    double *weights;
    size_t n;
};

static int weighted_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                         struct error *err)
{
    const struct weighted *weighted = (const struct weighted *)source;
    _Alignas(double) char stored[STEP * sizeof(double)];
    size_t first = offset / sizeof(float), n = n_bytes / sizeof(float);
    double values[STEP], sums[STEP];
    char *to = out;

    while (n > 0) {
        size_t some = n < STEP ? n : STEP;

        memset(sums, 0, sizeof sums);
        for (size_t k = 0; k < weighted->n; k++) {
            if (tensor_read(weighted->tensors[k], first, some, stored, err))
                return -1;
            dtype_to_double(weighted->tensors[k]->dtype, stored, values, some);
            for (size_t i = 0; i < some; i++)
                sums[i] += weighted->weights[k] * values[i];
        }
        dtype_from_double(DTYPE_F32, sums, to, some);
        to += some * sizeof(float);
        first += some;
        n -= some;
    }
    return 0;
}

static void weighted_describe(const struct tensor_source *source, struct buffer *out)
{
    const struct tensor_source *first = ((const struct weighted *)source)->tensors[0]->source;

    first->kind->describe(first, out);
}

static const struct tensor_source_kind weighted_kind = {
    .read = weighted_read, .describe = weighted_describe,
};

int weighted_tensor_make(struct tensor *made, const struct tensor *const *tensors,
                         const double *weights, size_t n, struct arena *arena, struct error *err)
{
    struct weighted *weighted = arena_alloc(arena, sizeof *weighted);

    *weighted = (struct weighted){{&weighted_kind}, arena_alloc(arena, n * sizeof *tensors),
                                  arena_alloc(arena, n * sizeof *weights), n};
    for (size_t k = 0; k < n; k++) {
        assert(tensor_same_shape(tensors[k], tensors[0]));
        if (!dtype_info(tensors[k]->dtype)->is_mixable)
            return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': of dtype %s no sum is "
                             "taken", tensors[k]->name, dtype_info(tensors[k]->dtype)->name);
        weighted->tensors[k] = tensors[k];
        weighted->weights[k] = weights[k];
    }
    *made = (struct tensor){.name = tensors[0]->name, .dtype = DTYPE_F32,
                            .n_dims = tensors[0]->n_dims, .shape = tensors[0]->shape,
                            .source = &weighted->source};
    return tensor_measure(made, err);
}
