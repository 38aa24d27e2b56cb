#include "tensor_floats.h"

#include <string.h>

#include "tensor/tensor_source.h"

struct floats {
    struct tensor_source source;
    const float *items;
    const char *origin;
};

static int floats_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                       struct error *err)
{
    (void)err;
    memcpy(out, (const char *)((const struct floats *)source)->items + offset, n_bytes);
    return 0;
}

static void floats_describe(const struct tensor_source *source, struct buffer *out)
{
    buffer_add_text(out, ((const struct floats *)source)->origin);
}

static const struct tensor_source_kind floats_kind = {.read = floats_read,
                                                      .describe = floats_describe};

int tensor_floats(struct tensor *made, const char *name, size_t n_dims, const size_t *shape,
                  const float *items, const char *origin, struct arena *arena, struct error *err)
{
    struct floats *floats = arena_alloc(arena, sizeof *floats);
    size_t *own = arena_alloc(arena, n_dims * sizeof *own);

    memcpy(own, shape, n_dims * sizeof *own);
    *floats = (struct floats){{&floats_kind}, items, origin};
    *made = (struct tensor){.name = name, .dtype = DTYPE_F32, .n_dims = n_dims, .shape = own,
                            .source = &floats->source};
    return tensor_measure(made, err) ? error_context(err, "tensor '" ERROR_NAME "'", name) : 0;
}
