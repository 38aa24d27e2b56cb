#include "gguf_blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/checkpoint_reader.h"

enum { STEP_BYTES = 16384 };
_Static_assert(STEP_BYTES >= 2 * GGML_BLOCK_BYTES_MAX, "a step is of whole blocks");

struct blocks_source {
    struct tensor_source source;
    const struct tensor_source *file;
    enum ggml_format format;
    size_t place;           /* of the first block in the file */
    const float *scales;    /* of NVFP4, else NULL: each for so many items */
    size_t items_per_scale;
};

/* ---- reading ---- */

static void multiply(const struct blocks_source *source, size_t first, size_t n, float *values)
{
    for (size_t i = 0; i < n; i++)
        values[i] *= source->scales[(first + i) / source->items_per_scale];
}

/* As many values from item `first` on as `step` holds the blocks of, at most n; how many. */
static size_t read_step(const struct blocks_source *source, size_t first, size_t n, float *out,
                        struct error *err)
{
    const struct ggml_type *type = ggml_type(source->format);
    size_t items = type->block_items, skip = first % items;
    size_t most = STEP_BYTES / type->block_bytes * items - skip;
    size_t n_here = n < most ? n : most, n_blocks = (skip + n_here + items - 1) / items;
    char blocks[STEP_BYTES];

    if (source->file->kind->read(source->file,
                                 source->place + first / items * type->block_bytes,
                                 n_blocks * type->block_bytes, blocks, err))
        return 0;
    ggml_decode_range(source->format, blocks, skip, n_here, out);
    if (source->scales)
        multiply(source, first, n_here, out);
    return n_here;
}

static int blocks_read(const struct tensor_source *base, size_t offset, size_t n_bytes, void *out,
                       struct error *err)
{
    const struct blocks_source *source = (const struct blocks_source *)base;
    size_t first = offset / sizeof(float), n = n_bytes / sizeof(float);
    float *to = out;

    while (n > 0) {
        size_t n_read = read_step(source, first, n, to, err);

        if (n_read == 0)
            return -1;
        first += n_read;
        to += n_read;
        n -= n_read;
    }
    return 0;
}

static void blocks_describe(const struct tensor_source *base, struct buffer *out)
{
    const struct tensor_source *file = ((const struct blocks_source *)base)->file;

    file->kind->describe(file, out);
}

static struct tensor_stored blocks_stored(const struct tensor *tensor)
{
    const struct blocks_source *source = (const struct blocks_source *)tensor->source;
    const struct ggml_type *type = ggml_type(source->format);

    return (struct tensor_stored){type->name,
                                  tensor->n_items / type->block_items * type->block_bytes};
}

/* Rows of whole blocks; of a matrix that is one expert of several, the scale of that one. */
static int blocks_blocks(const struct tensor *tensor, struct tensor_blocks *out,
                         struct error *err)
{
    const struct blocks_source *source = (const struct blocks_source *)tensor->source;
    const struct ggml_type *type = ggml_type(source->format);
    size_t first = tensor->offset / sizeof(float);
    const char *data;

    if (!source->file->kind->view || tensor->n_items == 0 || first % type->block_items ||
        tensor->shape[1] % type->block_items)
        return 0;
    if (source->scales && first / source->items_per_scale !=
                              (first + tensor->n_items - 1) / source->items_per_scale)
        return 0;
    data = source->file->kind->view(source->file, source->place, err);
    if (!data)
        return -1;
    *out = (struct tensor_blocks){
        .format = type->name,
        .data = data + first / type->block_items * type->block_bytes,
        .scales = source->scales ? &source->scales[first / source->items_per_scale] : NULL,
        .stride = tensor->shape[1],
    };
    return 1;
}

static const struct tensor_source_kind blocks_kind = {
    .read = blocks_read, .describe = blocks_describe, .stored = blocks_stored,
    .blocks = blocks_blocks,
};

const struct tensor_source *gguf_blocks_source(struct arena *arena,
                                               const struct tensor_source *file,
                                               enum ggml_format format, size_t place)
{
    struct blocks_source *source = arena_alloc(arena, sizeof *source);

    *source = (struct blocks_source){.source = {&blocks_kind}, .file = file, .format = format,
                                     .place = place};
    return &source->source;
}

/* ---- the scales of NVFP4 ---- */

static bool is_nvfp4(const struct tensor *tensor)
{
    return tensor->source->kind == &blocks_kind &&
           ((const struct blocks_source *)tensor->source)->format == GGML_NVFP4;
}

/* The tensor that is called as this one, with another ending than .weight; or NULL. */
static const struct tensor *find_beside(const struct checkpoint *checkpoint,
                                        const struct tensor *weight, const char *ending)
{
    const char *point = strrchr(weight->name, '.');
    const struct tensor *found;
    char *name;

    if (!point || strcmp(point, ".weight") != 0)
        return NULL;
    name = memory_format("%.*s%s", (int)(point - weight->name), weight->name, ending);
    found = checkpoint_find(checkpoint, name);
    free(name);
    return found;
}

static int apply_scale(struct checkpoint *checkpoint, const struct tensor *scale,
                       struct tensor *weight, struct error *err)
{
    const struct blocks_source *plain = (const struct blocks_source *)weight->source;
    struct blocks_source *source = arena_alloc(&checkpoint->arena, sizeof *source);
    size_t n_experts = weight->n_dims > 2 ? weight->shape[0] : 1;
    float *scales;

    if (scale->dtype != DTYPE_F32 ||
        (scale->n_items != 1 && scale->n_items != n_experts))
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %zu scales as %s, not one, "
                         "or one for each expert, as F32", scale->name, scale->n_items,
                         dtype_info(scale->dtype)->name);
    scales = arena_alloc(&checkpoint->arena, scale->size_bytes);
    *source = *plain;
    source->scales = scales;
    source->items_per_scale = weight->n_items / scale->n_items;
    weight->source = &source->source;
    return tensor_read(scale, 0, scale->n_items, scales, err);
}

int gguf_blocks_apply_scales(struct checkpoint *checkpoint, struct error *err)
{
    size_t n = checkpoint->n_tensors, n_kept = 0;
    bool *is_used = memory_zalloc(n, sizeof *is_used);
    struct tensor *kept = memory_alloc(n * sizeof *kept);
    int rc = 0;

    memcpy(kept, checkpoint->tensors, n * sizeof *kept);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct tensor *scale, *input;

        if (!is_nvfp4(&kept[i]))
            continue;
        scale = find_beside(checkpoint, &kept[i], ".scale");
        input = find_beside(checkpoint, &kept[i], ".input_scale");
        if (scale) {
            rc = apply_scale(checkpoint, scale, &kept[i], err);
            is_used[scale - checkpoint->tensors] = true;
        }
        if (input)
            is_used[input - checkpoint->tensors] = true;
    }
    for (size_t i = 0; i < n; i++)
        if (!is_used[i])
            kept[n_kept++] = kept[i];
    free(is_used);
    if (rc == 0 && n_kept < n)
        return checkpoint_replace_tensors(checkpoint, kept, n_kept, err);
    free(kept);
    return rc;
}
