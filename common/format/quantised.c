#include "quantised.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"

/* A tile of a turned matrix: so many outputs are decoded at once, so many inputs of each: no power of
 * two, or all outputs of an input would share a few places of the cache. */
enum { TILE_OUT = 32, TILE_IN = 480, LINE = 16 };
/* A system call takes as long as copying so many bytes: smaller gaps are read over. */
enum { GAP_BYTES = 3072, SPAN_BYTES = 65536 };
enum { STEP = 1024 };

/* ---- the source ---- */

static const struct quantised *of(const struct tensor_source *source)
{
    return (const struct quantised *)source;
}

static size_t at_most(size_t n, size_t most)
{
    return n < most ? n : most;
}

/* A part of a row, or whole rows. */
static int read_plain(const struct quantised *quantised, size_t first, size_t n, float *out,
                      struct error *err)
{
    size_t width = quantised->n_in;

    while (n > 0) {
        size_t row = first / width, in = first % width;
        bool is_whole = in == 0 && n >= width;
        size_t n_rows = is_whole ? n / width : 1;
        size_t n_in = is_whole ? width : at_most(n, width - in);

        if (quantised->decode(quantised, row, n_rows, in, n_in, out, err))
            return -1;
        first += n_rows * n_in;
        out += n_rows * n_in;
        n -= n_rows * n_in;
    }
    return 0;
}

/* values [n_out, n_in] to out [n_in, n_out], whose rows are `stride` apart. */
static void turn(const float *values, size_t n_out, size_t n_in, float *out, size_t stride)
{
    for (size_t first = 0; first < n_out; first += LINE)
        for (size_t i = 0; i < n_in; i++)
            for (size_t o = first; o < n_out && o < first + LINE; o++)
                out[i * stride + o] = values[o * n_in + i];
}

/* out [n_lines, n_out]: inputs from `in` on of the outputs from row `row` on. */
static int read_lines(const struct quantised *quantised, size_t row, size_t n_out, size_t in,
                      size_t n_lines, float *out, struct error *err)
{
    float values[TILE_OUT * TILE_IN];

    for (size_t i = 0; i < n_lines; i += TILE_IN)
        for (size_t o = 0; o < n_out; o += TILE_OUT) {
            size_t n_i = at_most(n_lines - i, TILE_IN), n_o = at_most(n_out - o, TILE_OUT);

            if (quantised->decode(quantised, row + o, n_o, in + i, n_i, values, err))
                return -1;
            turn(values, n_o, n_i, out + i * n_out + o, n_out);
        }
    return 0;
}

static int read_turned(const struct quantised *quantised, size_t first, size_t n, float *out,
                       struct error *err)
{
    size_t width = quantised->n_out;

    while (n > 0) {
        size_t line = first / width, o = first % width;
        size_t matrix = line / quantised->n_in, in = line % quantised->n_in;
        bool is_whole = o == 0 && n >= width;
        size_t n_lines = is_whole ? at_most(n / width, quantised->n_in - in) : 1;
        size_t n_out = is_whole ? width : at_most(n, width - o);

        if (read_lines(quantised, matrix * width + o, n_out, in, n_lines, out, err))
            return -1;
        first += n_lines * n_out;
        out += n_lines * n_out;
        n -= n_lines * n_out;
    }
    return 0;
}

static int read_source(const struct tensor_source *source, size_t offset, size_t n_bytes,
                       void *out, struct error *err)
{
    const struct quantised *quantised = of(source);
    size_t first = offset / sizeof(float), n = n_bytes / sizeof(float);

    assert((uintptr_t)out % _Alignof(float) == 0);
    return quantised->n_out ? read_turned(quantised, first, n, out, err)
                            : read_plain(quantised, first, n, out, err);
}

/* The files of the parts, each once. */
static void describe(const struct tensor_source *source, struct buffer *out)
{
    const struct quantised *quantised = of(source);

    for (size_t i = 0; i < quantised->n_parts; i++) {
        const struct tensor_source *file = quantised->parts[i]->source;
        size_t k = 0;

        while (k < i && quantised->parts[k]->source != file)
            k++;
        if (k < i)
            continue;
        if (i > 0)
            buffer_add_text(out, ", ");
        file->kind->describe(file, out);
    }
}

static struct tensor_stored stored(const struct tensor *tensor)
{
    const struct quantised *quantised = of(tensor->source);
    struct tensor_stored all = {quantised->method, 0};

    for (size_t i = 0; i < quantised->n_parts; i++)
        all.n_bytes += quantised->parts[i]->size_bytes;
    if (tensor->n_items == quantised->n_rows * quantised->n_in)
        return all;
    return (struct tensor_stored){dtype_info(tensor->dtype)->name, tensor->size_bytes};
}

static size_t rows_together(const struct tensor *tensor)
{
    const struct quantised *quantised = of(tensor->source);

    return quantised->rows_together ? quantised->rows_together : 1;
}

/* Only the way of storing writes to it, and no two threads at once. */
static int blocks(const struct tensor *tensor, struct tensor_blocks *out, struct error *err)
{
    struct quantised *quantised = (struct quantised *)tensor->source;
    size_t first = tensor->offset / sizeof(float);

    if (!quantised->blocks || quantised->n_out || first % quantised->n_in ||
        tensor->shape[1] != quantised->n_in || tensor->n_items == 0)
        return 0;
    return quantised->blocks(quantised, first / quantised->n_in, out, err);
}

static const struct tensor_source_kind quantised_kind = {
    .read = read_source, .describe = describe, .stored = stored, .rows_together = rows_together,
    .blocks = blocks,
};

void quantised_add_part(struct quantised *quantised, const struct tensor *part)
{
    assert(quantised->n_parts < QUANTISED_PARTS_MAX);
    if (part)
        quantised->parts[quantised->n_parts++] = part;
}

int quantised_make(struct quantised *quantised, const char *name, size_t n_dims,
                   const size_t *shape, struct arena *arena, struct tensor *out,
                   struct error *err)
{
    size_t *sizes = arena_alloc(arena, n_dims * sizeof *sizes);

    quantised->source.kind = &quantised_kind;
    memcpy(sizes, shape, n_dims * sizeof *sizes);
    *out = (struct tensor){.name = arena_copy(arena, name, strlen(name)), .dtype = DTYPE_F32,
                           .n_dims = n_dims, .shape = sizes, .source = &quantised->source};
    return tensor_measure(out, err) ? error_context(err, "tensor '" ERROR_NAME "'", name) : 0;
}

/* ---- reading parts ---- */

const struct tensor *quantised_bytes(const struct tensor *tensor, struct arena *arena,
                                     struct error *err)
{
    struct tensor *bytes = arena_alloc(arena, sizeof *bytes);
    size_t *shape = arena_alloc(arena, sizeof *shape);

    *bytes = *tensor;
    if (tensor->strides && tensor_join(bytes, tensor->name, &tensor, 1, 0, arena, err))
        return NULL;
    *shape = bytes->size_bytes;
    bytes->dtype = DTYPE_U8;
    bytes->n_dims = 1;
    bytes->shape = shape;
    bytes->n_items = bytes->size_bytes;
    return bytes;
}

/* As many rows at once as fit, gaps included. */
static int read_span(const struct tensor *bytes, size_t row_bytes, size_t row, size_t n_rows,
                     size_t at, size_t n_bytes, char *out, struct error *err)
{
    char span[SPAN_BYTES];
    size_t most = (sizeof span - n_bytes) / row_bytes + 1;

    for (size_t i = 0; i < n_rows; i += most) {
        size_t n = at_most(n_rows - i, most);

        if (tensor_read(bytes, (row + i) * row_bytes + at, (n - 1) * row_bytes + n_bytes, span,
                        err))
            return -1;
        for (size_t k = 0; k < n; k++)
            memcpy(out + (i + k) * n_bytes, span + k * row_bytes, n_bytes);
    }
    return 0;
}

int quantised_read_rows(const struct tensor *bytes, size_t row_bytes, size_t row, size_t n_rows,
                        size_t at, size_t n_bytes, void *out, struct error *err)
{
    char *to = out;

    if (n_bytes == row_bytes)
        return tensor_read(bytes, row * row_bytes, n_rows * row_bytes, out, err);
    if (row_bytes - n_bytes <= GAP_BYTES && row_bytes <= SPAN_BYTES)
        return read_span(bytes, row_bytes, row, n_rows, at, n_bytes, out, err);
    for (size_t i = 0; i < n_rows; i++)
        if (tensor_read(bytes, (row + i) * row_bytes + at, n_bytes, to + i * n_bytes, err))
            return -1;
    return 0;
}

int quantised_floats(const struct tensor *tensor, size_t first, size_t n, float *out,
                     struct error *err)
{
    double values[STEP];
    _Alignas(double) char items[STEP * sizeof(double)];

    if (tensor->dtype == DTYPE_F32)
        return tensor_read(tensor, first, n, out, err);
    for (size_t i = 0; i < n; i += STEP) {
        size_t n_now = at_most(n - i, STEP);

        if (tensor_read(tensor, first + i, n_now, items, err))
            return -1;
        dtype_to_double(tensor->dtype, items, values, n_now);
        for (size_t k = 0; k < n_now; k++)
            out[i + k] = (float)values[k];
    }
    return 0;
}

const float *quantised_keep_floats(const struct tensor *tensor, struct arena *arena,
                                   struct error *err)
{
    float *values = arena_alloc(arena, tensor->n_items * sizeof *values);

    return quantised_floats(tensor, 0, tensor->n_items, values, err) ? NULL : values;
}

/* ---- checks ---- */

int quantised_check_shape(const struct tensor *tensor, size_t n_dims, const size_t *shape,
                          const char *why, struct error *err)
{
    struct tensor expected = {.n_dims = n_dims, .shape = shape};
    struct buffer text = {0};

    if (tensor_same_shape(tensor, &expected))
        return 0;
    tensor_add_shape(&text, tensor);
    buffer_add_text(&text, "; by ");
    buffer_add_text(&text, why);
    buffer_add_text(&text, " it is ");
    tensor_add_shape(&text, &expected);
    error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': has the shape %s", tensor->name,
              text.data);
    buffer_release(&text);
    return -1;
}

int quantised_check_scale(const struct tensor *tensor, struct error *err)
{
    if (tensor->dtype == DTYPE_F32 || tensor->dtype == DTYPE_F16 || tensor->dtype == DTYPE_BF16)
        return 0;
    return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': scales are F32, F16 or BF16, not "
                     "%s", tensor->name, dtype_info(tensor->dtype)->name);
}
