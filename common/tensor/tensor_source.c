#include "tensor_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tensor/dtype.h"

enum { STEP = 4096 };

static size_t item_bytes(const struct tensor *tensor)
{
    return dtype_info(tensor->dtype)->n_bits / 8;
}

static int read_bytes(const struct tensor *tensor, size_t offset, size_t n_bytes, void *out,
                      struct error *err)
{
    return tensor->source->kind->read(tensor->source, tensor->offset + offset, n_bytes, out, err);
}

/* ---- reading ---- */

/* A view with gaps or in another order (a transposed matrix, say) is gathered: runs of the last
 * dimension at once where they are dense, else item by item. Rare, so simple. */
static int read_strided(const struct tensor *tensor, size_t first, size_t n_items, char *out,
                        struct error *err)
{
    size_t last = tensor->n_dims - 1;

    while (n_items > 0) {
        size_t rest = first, place = 0, run = 1;

        for (size_t i = tensor->n_dims; i > 0; i--) {
            place += rest % tensor->shape[i - 1] * tensor->strides[i - 1];
            rest /= tensor->shape[i - 1];
        }
        if (tensor->strides[last] == 1)
            run = tensor->shape[last] - first % tensor->shape[last];
        if (run > n_items)
            run = n_items;
        if (read_bytes(tensor, place * item_bytes(tensor), run * item_bytes(tensor), out, err))
            return -1;
        first += run;
        out += run * item_bytes(tensor);
        n_items -= run;
    }
    return 0;
}

int tensor_read(const struct tensor *tensor, size_t first, size_t n_items, void *out,
                struct error *err)
{
    size_t offset, n_bytes;
    int rc;

    dtype_range_bytes(tensor->dtype, first, n_items, &offset, &n_bytes);
    rc = tensor->strides ? read_strided(tensor, first, n_items, out, err)
                         : read_bytes(tensor, offset, n_bytes, out, err);
    if (rc)
        error_context(err, "tensor '" ERROR_NAME "'", tensor->name);
    return rc;
}

int tensor_read_floats(const struct tensor *tensor, float *out, struct error *err)
{
    double values[STEP];
    _Alignas(double) char stored[STEP * sizeof(double)];

    for (size_t first = 0; first < tensor->n_items; first += STEP) {
        size_t n = tensor->n_items - first < STEP ? tensor->n_items - first : STEP;

        if (tensor_read(tensor, first, n, stored, err))
            return -1;
        dtype_to_double(tensor->dtype, stored, values, n);
        for (size_t i = 0; i < n; i++)
            out[first + i] = (float)values[i];
    }
    return 0;
}

const void *tensor_view(const struct tensor *tensor, struct error *err)
{
    const struct tensor_source *source = tensor->source;

    return tensor->strides || !source->kind->view
               ? NULL
               : source->kind->view(source, tensor->offset, err);
}

int tensor_blocks(const struct tensor *tensor, struct tensor_blocks *out, struct error *err)
{
    const struct tensor_source_kind *kind = tensor->source->kind;

    return tensor->n_dims != 2 || tensor->strides || !kind->blocks
               ? 0
               : kind->blocks(tensor, out, err);
}

/* ---- what is known without reading ---- */

enum dtype tensor_written(const struct tensor *tensor)
{
    const struct tensor_source_kind *kind = tensor->source->kind;

    return kind->written ? kind->written(tensor) : tensor->dtype;
}

static struct tensor_stored stored_plainly(const struct tensor *tensor)
{
    const struct dtype_info *info = dtype_info(tensor_written(tensor));

    return (struct tensor_stored){info->name, tensor->n_items * info->n_bits / 8};
}

struct tensor_stored tensor_stored(const struct tensor *tensor)
{
    const struct tensor_source_kind *kind = tensor->source->kind;

    return kind->stored ? kind->stored(tensor) : stored_plainly(tensor);
}

bool tensor_is_quantised(const struct tensor *tensor)
{
    return strcmp(tensor_stored(tensor).format, dtype_info(tensor_written(tensor))->name) != 0;
}

static size_t rows_together(const struct tensor *tensor)
{
    const struct tensor_source_kind *kind = tensor->source->kind;

    return tensor->strides || !kind->rows_together ? 1 : kind->rows_together(tensor);
}

bool tensor_wants_rows(const struct tensor *tensor)
{
    return rows_together(tensor) > 1;
}

size_t tensor_chunk(const struct tensor *tensor, size_t most)
{
    size_t n_rows = rows_together(tensor), group;

    /* Rows that can be read alone can be cut, too. */
    if (n_rows <= 1 || tensor->n_dims == 0 ||
        __builtin_mul_overflow(n_rows, tensor->shape[tensor->n_dims - 1], &group) || group == 0 ||
        group > most)
        return most;
    return most / group * group;
}

static bool is_same_source(const struct tensor_source *a, const struct tensor_source *b)
{
    return a == b || (a->kind == b->kind && a->kind->same && a->kind->same(a, b));
}

bool tensor_same_bytes(const struct tensor *a, const struct tensor *b)
{
    if (a->offset != b->offset || a->dtype != b->dtype || !tensor_same_shape(a, b) ||
        !a->strides != !b->strides || !is_same_source(a->source, b->source))
        return false;
    return !a->strides || memcmp(a->strides, b->strides, a->n_dims * sizeof *a->strides) == 0;
}

int tensor_equal(const struct tensor *a, const struct tensor *b, struct error *err)
{
    enum { CHUNK = 32768 };
    size_t bytes = item_bytes(a);
    char *values;
    int same = 1;

    if (tensor_same_bytes(a, b))
        return 1;
    if (a->dtype != b->dtype || !tensor_same_shape(a, b) || bytes == 0)
        return 0;
    values = memory_alloc(2 * CHUNK * bytes);
    for (size_t first = 0; same == 1 && first < a->n_items; first += CHUNK) {
        size_t n = a->n_items - first < CHUNK ? a->n_items - first : CHUNK;

        if (tensor_read(a, first, n, values, err) ||
            tensor_read(b, first, n, values + CHUNK * bytes, err))
            same = -1;
        else
            same = memcmp(values, values + CHUNK * bytes, n * bytes) == 0;
    }
    free(values);
    return same;
}

/* ---- tensors put together ---- */

/* The bytes are those of the joined tensor, row-major: for every index before the dimension, a run
 * of each part. */
struct join {
    struct tensor_source source;
    const struct tensor **parts;
    size_t n_parts;
    size_t *widths;         /* [n_parts] items of a run of each */
    size_t width;           /* of all */
    enum dtype dtype;
};

/* As it is stored, or as F64. */
static int read_part(const struct join *join, const struct tensor *part, size_t first, size_t n,
                     char *out, struct error *err)
{
    _Alignas(double) char stored[STEP * sizeof(double)];

    if (part->dtype == join->dtype)
        return tensor_read(part, first, n, out, err);
    while (n > 0) {
        size_t step = n < STEP ? n : STEP;
        double values[STEP];

        if (tensor_read(part, first, step, stored, err))
            return -1;
        dtype_to_double(part->dtype, stored, values, step);
        memcpy(out, values, step * sizeof *values);
        out += step * sizeof *values;
        first += step;
        n -= step;
    }
    return 0;
}

static int join_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                     struct error *err)
{
    const struct join *join = (const struct join *)source;
    size_t bytes = dtype_info(join->dtype)->n_bits / 8, row, at, i = 0;
    char *to = out;

    if (n_bytes == 0)
        return 0;
    row = offset / bytes / join->width;
    at = offset / bytes % join->width;
    while (i < join->n_parts - 1 && at >= join->widths[i])
        at -= join->widths[i++];
    for (size_t n = n_bytes / bytes; n > 0;) {
        size_t run = join->widths[i] - at < n ? join->widths[i] - at : n;

        if (run && read_part(join, join->parts[i], row * join->widths[i] + at, run, to, err))
            return -1;
        to += run * bytes;
        n -= run;
        at = 0;
        if (++i == join->n_parts) {
            i = 0;
            row++;
        }
    }
    return 0;
}

/* The files of the parts, each once. */
static void join_describe(const struct tensor_source *source, struct buffer *out)
{
    const struct join *join = (const struct join *)source;

    for (size_t i = 0; i < join->n_parts; i++) {
        const struct tensor_source *file = join->parts[i]->source;
        size_t k = 0;

        while (k < i && join->parts[k]->source != file)
            k++;
        if (k < i)
            continue;
        if (i > 0)
            buffer_add_text(out, ", ");
        file->kind->describe(file, out);
    }
}

/* As its parts are, where all are of one format; a part of it: as it is read. */
static struct tensor_stored join_stored(const struct tensor *tensor)
{
    const struct join *join = (const struct join *)tensor->source;
    struct tensor_stored all = tensor_stored(join->parts[0]);
    size_t n_items = join->parts[0]->n_items;
    bool is_alike = true;

    for (size_t i = 1; i < join->n_parts; i++) {
        struct tensor_stored part = tensor_stored(join->parts[i]);

        is_alike = is_alike && strcmp(part.format, all.format) == 0;
        all.n_bytes += part.n_bytes;
        n_items += join->parts[i]->n_items;
    }
    return is_alike && tensor->n_items == n_items ? all : stored_plainly(tensor);
}

static enum dtype join_written(const struct tensor *tensor)
{
    const struct join *join = (const struct join *)tensor->source;
    enum dtype first = tensor_written(join->parts[0]);

    for (size_t i = 1; i < join->n_parts; i++)
        if (tensor_written(join->parts[i]) != first)
            return tensor->dtype;
    return first;
}

/* What suits the part that asks for most, for the others are its like. */
static size_t join_rows_together(const struct tensor *tensor)
{
    const struct join *join = (const struct join *)tensor->source;
    size_t most = 1;

    for (size_t i = 0; i < join->n_parts; i++) {
        size_t n = rows_together(join->parts[i]);

        most = n > most ? n : most;
    }
    return most;
}

/* Equal widths: joined along the same dimension. */
static bool join_same(const struct tensor_source *a, const struct tensor_source *b)
{
    const struct join *x = (const struct join *)a, *y = (const struct join *)b;

    if (x->n_parts != y->n_parts || x->dtype != y->dtype)
        return false;
    for (size_t i = 0; i < x->n_parts; i++)
        if (x->widths[i] != y->widths[i] || !tensor_same_bytes(x->parts[i], y->parts[i]))
            return false;
    return true;
}

static const struct tensor_source_kind join_kind = {
    .read = join_read, .describe = join_describe, .stored = join_stored, .written = join_written,
    .rows_together = join_rows_together, .same = join_same,
};

static int check_parts(const char *name, const struct tensor *const *parts, size_t n_parts,
                       size_t dim, struct error *err)
{
    for (size_t i = 0; i < n_parts; i++) {
        const struct tensor *first = parts[0], *part = parts[i];
        bool fits = part->n_dims == first->n_dims && dim < part->n_dims;

        for (size_t d = 0; fits && d < part->n_dims; d++)
            fits = d == dim || part->shape[d] == first->shape[d];
        if (!fits)
            return error_set(err, ERROR_INCOMPATIBLE, "tensor '" ERROR_NAME "': the shape of '"
                             ERROR_NAME "' does not fit that of '" ERROR_NAME "'", name,
                             part->name, first->name);
        if (dtype_info(part->dtype)->n_bits % 8 ||
            (part->dtype != first->dtype && dtype_info(part->dtype)->kind != DTYPE_FLOAT))
            return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': '" ERROR_NAME "' "
                             "is stored as %s, which cannot be put together with others", name,
                             part->name, dtype_info(part->dtype)->name);
    }
    return 0;
}

int tensor_join(struct tensor *joined, const char *name, const struct tensor *const *parts,
                size_t n_parts, size_t dim, struct arena *arena, struct error *err)
{
    struct join *join;
    size_t *shape;

    if (check_parts(name, parts, n_parts, dim, err))
        return -1;
    join = arena_alloc(arena, sizeof *join);
    join->source.kind = &join_kind;
    join->parts = arena_alloc(arena, n_parts * sizeof(const struct tensor *));
    memcpy(join->parts, parts, n_parts * sizeof *parts);
    join->n_parts = n_parts;
    join->widths = arena_alloc(arena, n_parts * sizeof *join->widths);
    join->dtype = parts[0]->dtype;
    shape = arena_alloc(arena, parts[0]->n_dims * sizeof *shape);
    memcpy(shape, parts[0]->shape, parts[0]->n_dims * sizeof *shape);
    shape[dim] = 0;
    for (size_t i = 0; i < n_parts; i++) {
        join->widths[i] = parts[i]->shape[dim];
        for (size_t d = dim + 1; d < parts[i]->n_dims; d++)
            join->widths[i] *= parts[i]->shape[d];
        join->width += join->widths[i];
        if (__builtin_add_overflow(shape[dim], parts[i]->shape[dim], &shape[dim]))
            return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': its size overflows",
                             name);
        if (parts[i]->dtype != join->dtype)
            join->dtype = DTYPE_F64;
    }
    *joined = (struct tensor){.name = name, .dtype = join->dtype, .n_dims = parts[0]->n_dims,
                              .shape = shape, .source = &join->source};
    return tensor_measure(joined, err) ? error_context(err, "tensor '" ERROR_NAME "'", name) : 0;
}

/* ---- parts ---- */

/* What strides mean depends on the place of items in the source: those of a strided tensor are
 * counted in one that holds it alone, row-major. */
static int flatten(const struct tensor *tensor, struct tensor *flat, struct arena *arena,
                   struct error *err)
{
    struct tensor *copy;

    if (!tensor->strides) {
        *flat = *tensor;
        return 0;
    }
    copy = arena_alloc(arena, sizeof *copy);
    *copy = *tensor;
    return tensor_join(flat, tensor->name, (const struct tensor *const[]){copy}, 1, 0, arena, err);
}

static bool is_dense(size_t n_dims, const size_t *shape, const size_t *strides)
{
    size_t expected = 1;

    for (size_t i = n_dims; i > 0; i--) {
        if (strides[i - 1] != expected && shape[i - 1] != 1)
            return false;
        expected *= shape[i - 1];
    }
    return true;
}

/* The last item of the part, counted in the whole; false when that overflows. */
static bool find_last(size_t first, size_t n_dims, const size_t *shape, const size_t *strides,
                      size_t *last)
{
    *last = first;
    for (size_t i = 0; i < n_dims; i++) {
        size_t distance;

        if (__builtin_mul_overflow(shape[i] - 1, strides[i], &distance) ||
            __builtin_add_overflow(*last, distance, last))
            return false;
    }
    return true;
}

int tensor_part(struct tensor *part, const struct tensor *tensor, size_t first, size_t n_dims,
                const size_t *shape, const size_t *strides, struct arena *arena, struct error *err)
{
    struct tensor made;
    size_t *sizes = arena_alloc(arena, n_dims * sizeof *sizes);
    size_t *steps = arena_alloc(arena, n_dims * sizeof *steps), last, step = 1;

    if (dtype_info(tensor->dtype)->n_bits % 8)
        return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': cannot take parts of "
                         "%s", tensor->name, dtype_info(tensor->dtype)->name);
    if (flatten(tensor, &made, arena, err))
        return -1;
    made.n_dims = n_dims;
    made.shape = sizes;
    memcpy(sizes, shape, n_dims * sizeof *sizes);
    if (tensor_measure(&made, err))
        return error_context(err, "tensor '" ERROR_NAME "'", tensor->name);
    for (size_t i = n_dims; i > 0; i--) {
        steps[i - 1] = strides ? strides[i - 1] : step;
        step *= sizes[i - 1];
    }
    if (made.n_items && (!find_last(first, n_dims, sizes, steps, &last) || last >= tensor->n_items))
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': a part of it lies outside",
                         tensor->name);
    made.strides = made.n_items == 0 || is_dense(n_dims, sizes, steps) ? NULL : steps;
    made.offset += made.n_items ? first * item_bytes(tensor) : 0;
    *part = made;
    return 0;
}
