#include "expert_tensor.h"

#include <string.h>

#include "math/random.h"
#include "tensor/tensor_source.h"

enum { STEP = 256 }; /* items converted at once */

struct changed {
    struct tensor_source source;
    const struct tensor *from;
    struct expert_change change;
};

static float change_item(const struct expert_change *change, size_t at, double value)
{
    float x = (float)value;

    if (change->noise != 0)
        x += (float)(change->noise * random_normal_at(change->seed, change->stream, at));
    return change->scale == 1 ? x : x * (float)change->scale;
}

static int changed_read(const struct tensor_source *source, size_t offset, size_t n_bytes,
                        void *out, struct error *err)
{
    const struct changed *changed = (const struct changed *)source;
    size_t first = offset / sizeof(float);
    _Alignas(double) char stored[STEP * sizeof(double)];
    double values[STEP];
    char *to = out;

    for (size_t n = n_bytes / sizeof(float), step; n > 0; n -= step) {
        step = n < STEP ? n : STEP;
        if (tensor_read(changed->from, first, step, stored, err))
            return -1;
        dtype_to_double(changed->from->dtype, stored, values, step);
        for (size_t i = 0; i < step; i++) {
            float x = change_item(&changed->change, first + i, values[i]);

            memcpy(to + i * sizeof x, &x, sizeof x);
        }
        first += step;
        to += step * sizeof(float);
    }
    return 0;
}

static void changed_describe(const struct tensor_source *source, struct buffer *out)
{
    const struct tensor_source *from = ((const struct changed *)source)->from->source;

    from->kind->describe(from, out);
}

static size_t changed_rows_together(const struct tensor *tensor)
{
    const struct tensor *from = ((const struct changed *)tensor->source)->from;
    const struct tensor_source_kind *kind = from->source->kind;

    return from->strides || !kind->rows_together ? 1 : kind->rows_together(from);
}

static const struct tensor_source_kind changed_kind = {
    .read = changed_read, .describe = changed_describe, .rows_together = changed_rows_together,
};

int expert_tensor(struct tensor *made, const struct tensor *tensor,
                  const struct expert_change *change, struct arena *arena, struct error *err)
{
    struct changed *changed = arena_alloc(arena, sizeof *changed);

    if (dtype_info(tensor->dtype)->n_bits % 8)
        return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': an expert cannot be made "
                         "of %s", tensor->name, dtype_info(tensor->dtype)->name);
    *changed = (struct changed){{&changed_kind}, tensor, *change};
    *made = *tensor;
    made->dtype = DTYPE_F32;
    made->source = &changed->source;
    made->offset = 0;
    made->strides = NULL;
    return tensor_measure(made, err) ? error_context(err, "tensor '" ERROR_NAME "'", tensor->name)
                                     : 0;
}
