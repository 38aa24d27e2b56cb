#include "tensor_cast.h"

#include "tensor/tensor_source.h"

enum { STEP = 2048 };

struct cast {
    struct tensor_source source;
    const struct tensor *from;
    enum dtype dtype;
};

static int cast_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                     struct error *err)
{
    const struct cast *cast = (const struct cast *)source;
    size_t bytes = dtype_info(cast->dtype)->n_bits / 8, first = offset / bytes;
    _Alignas(double) char stored[STEP * sizeof(double)];
    double values[STEP];
    char *to = out;

    for (size_t n = n_bytes / bytes, step; n > 0; n -= step) {
        step = n < STEP ? n : STEP;
        if (tensor_read(cast->from, first, step, stored, err))
            return -1;
        dtype_to_double(cast->from->dtype, stored, values, step);
        dtype_from_double(cast->dtype, values, to, step);
        first += step;
        to += step * bytes;
    }
    return 0;
}

static void cast_describe(const struct tensor_source *source, struct buffer *out)
{
    const struct tensor_source *from = ((const struct cast *)source)->from->source;

    from->kind->describe(from, out);
}

static size_t cast_rows_together(const struct tensor *tensor)
{
    const struct tensor *from = ((const struct cast *)tensor->source)->from;
    const struct tensor_source_kind *kind = from->source->kind;

    return from->strides || !kind->rows_together ? 1 : kind->rows_together(from);
}

static bool cast_same(const struct tensor_source *a, const struct tensor_source *b)
{
    const struct cast *x = (const struct cast *)a, *y = (const struct cast *)b;

    return x->dtype == y->dtype && tensor_same_bytes(x->from, y->from);
}

static const struct tensor_source_kind cast_kind = {
    .read = cast_read, .describe = cast_describe, .rows_together = cast_rows_together,
    .same = cast_same,
};

void tensor_cast(struct tensor *cast, const struct tensor *tensor, enum dtype dtype,
                 struct arena *arena)
{
    struct cast *source = arena_alloc(arena, sizeof *source);

    *source = (struct cast){{&cast_kind}, tensor, dtype};
    *cast = *tensor;
    cast->dtype = dtype;
    cast->source = &source->source;
    cast->offset = 0;
    cast->strides = NULL;
    cast->size_bytes = tensor->n_items * (dtype_info(dtype)->n_bits / 8);
}
