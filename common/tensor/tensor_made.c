#include "tensor_made.h"

#include <stdint.h>
#include <string.h>

#include "tensor/ggml_blocks.h"
#include "tensor/tensor_source.h"

enum {
    STEP = 256, /* items converted at once */
    BAND = 32,  /* columns turned at once: a block of most quantised formats */
};

struct made { /* what all sources here begin with */
    struct tensor_source source;
    const struct tensor *tensor;
};

static size_t item_bytes(const struct tensor *tensor)
{
    return dtype_info(tensor->dtype)->n_bits / 8;
}

static int check_items(const struct tensor *tensor, struct error *err)
{
    return dtype_info(tensor->dtype)->n_bits % 8
               ? error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': cannot be put in "
                           "another order as %s", tensor->name, dtype_info(tensor->dtype)->name)
               : 0;
}

static const struct tensor *tensor_of(const struct tensor_source *source)
{
    return ((const struct made *)source)->tensor;
}

static void made_describe(const struct tensor_source *source, struct buffer *out)
{
    const struct tensor_source *file = tensor_of(source)->source;

    file->kind->describe(file, out);
}

/* As what it is made of; a part of it: as it is read. */
static struct tensor_stored made_stored(const struct tensor *tensor)
{
    const struct tensor *whole = tensor_of(tensor->source);
    const struct dtype_info *info;

    if (tensor->n_items == whole->n_items)
        return tensor_stored(whole);
    info = dtype_info(tensor_written(tensor));
    return (struct tensor_stored){info->name, tensor->n_items * info->n_bits / 8};
}

static enum dtype made_written(const struct tensor *tensor)
{
    return tensor_written(tensor_of(tensor->source));
}

/* ---- rows of heads ---- */

struct heads {
    struct made made;
    size_t n_rows; /* of a head */
    size_t width;  /* items of a row */
    bool to_pairs;
    struct arena *arena;
    uint32_t **index; /* *index [all rows]: which row there, once it was asked for */
};

/* The row there that is row number `row` here. */
static size_t find_row(const struct heads *heads, size_t row)
{
    size_t half = heads->n_rows / 2, at = row % heads->n_rows;
    size_t there = heads->to_pairs ? at % 2 * half + at / 2 : at % half * 2 + at / half;

    return row - at + there;
}

static int heads_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                      struct error *err)
{
    const struct heads *heads = (const struct heads *)source;
    const struct tensor *tensor = heads->made.tensor;
    size_t bytes = item_bytes(tensor), first = offset / bytes;
    char *to = out;

    for (size_t n = n_bytes / bytes; n > 0;) {
        size_t column = first % heads->width, run = heads->width - column;
        size_t row = find_row(heads, first / heads->width);

        run = run < n ? run : n;
        if (tensor_read(tensor, row * heads->width + column, run, to, err))
            return -1;
        first += run;
        to += run * bytes;
        n -= run;
    }
    return 0;
}

static bool heads_same(const struct tensor_source *a, const struct tensor_source *b)
{
    const struct heads *x = (const struct heads *)a, *y = (const struct heads *)b;

    return x->n_rows == y->n_rows && x->width == y->width && x->to_pairs == y->to_pairs &&
           tensor_same_bytes(x->made.tensor, y->made.tensor);
}

static bool is_ggml(const char *format)
{
    for (int i = 0; i < N_GGML_BLOCKS; i++)
        if (strcmp(ggml_type((enum ggml_format)i)->name, format) == 0)
            return true;
    return false;
}

/* Those of the whole matrix, each row found by an index; only ggml's formats have one. */
static int heads_blocks(const struct tensor *tensor, struct tensor_blocks *out, struct error *err)
{
    const struct heads *heads = (const struct heads *)tensor->source;
    size_t n_rows = tensor->shape[0];
    int has = tensor->n_items == heads->made.tensor->n_items && n_rows <= UINT32_MAX
                  ? tensor_blocks(heads->made.tensor, out, err)
                  : 0;

    if (has <= 0)
        return has;
    if (!is_ggml(out->format) || out->index || out->first_row)
        return 0;
    if (!*heads->index) {
        *heads->index = arena_alloc(heads->arena, n_rows * sizeof **heads->index);
        for (size_t i = 0; i < n_rows; i++)
            (*heads->index)[i] = (uint32_t)find_row(heads, i);
    }
    out->index = *heads->index;
    return 1;
}

static const struct tensor_source_kind heads_kind = {
    .read = heads_read, .describe = made_describe, .stored = made_stored, .written = made_written,
    .same = heads_same, .blocks = heads_blocks,
};

static int reorder(struct tensor *made, const struct tensor *tensor, size_t n_heads, bool to_pairs,
                   struct arena *arena, struct error *err)
{
    size_t n_rows = tensor->n_dims ? tensor->shape[0] : 0;
    struct heads *heads;

    if (check_items(tensor, err))
        return -1;
    if (n_heads == 0 || n_rows == 0 || n_rows % n_heads || n_rows / n_heads % 2)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %zu rows are not %zu heads of "
                         "an even number of rows", tensor->name, n_rows, n_heads);
    heads = arena_alloc(arena, sizeof *heads);
    *heads = (struct heads){{{&heads_kind}, tensor}, n_rows / n_heads, tensor->n_items / n_rows,
                            to_pairs, arena, arena_alloc(arena, sizeof *heads->index)};
    *made = *tensor;
    made->source = &heads->made.source;
    made->offset = 0;
    made->strides = NULL;
    return 0;
}

int tensor_to_pairs(struct tensor *made, const struct tensor *tensor, size_t n_heads,
                    struct arena *arena, struct error *err)
{
    return reorder(made, tensor, n_heads, true, arena, err);
}

int tensor_to_halves(struct tensor *made, const struct tensor *tensor, size_t n_heads,
                     struct arena *arena, struct error *err)
{
    return reorder(made, tensor, n_heads, false, arena, err);
}

/* ---- turned ---- */

/* Items from `first` on, all within the rows (columns there) from `row` to `row` + n_rows. */
static int turn_band(const struct tensor *tensor, size_t row, size_t n_rows, size_t first,
                     size_t n, char *out, struct error *err)
{
    size_t width = tensor->shape[1], height = tensor->shape[0], bytes = item_bytes(tensor);
    _Alignas(double) char column[BAND * sizeof(double)];

    for (size_t j = 0; j < height; j++) {
        if (tensor_read(tensor, j * width + row, n_rows, column, err))
            return -1;
        for (size_t i = 0; i < n_rows; i++) {
            size_t item = (row + i) * height + j;

            if (item >= first && item - first < n)
                memcpy(out + (item - first) * bytes, column + i * bytes, bytes);
        }
    }
    return 0;
}

static int turned_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                       struct error *err)
{
    const struct tensor *tensor = tensor_of(source);
    size_t height = tensor->shape[0], bytes = item_bytes(tensor), first = offset / bytes;
    char *to = out;

    for (size_t n = n_bytes / bytes; n > 0;) {
        size_t row = first / height, end = (row / BAND + 1) * BAND, run;

        if (end > tensor->shape[1])
            end = tensor->shape[1];
        run = end * height - first;
        run = run < n ? run : n;
        if (turn_band(tensor, row, (first + run - 1) / height + 1 - row, first, run, to, err))
            return -1;
        first += run;
        to += run * bytes;
        n -= run;
    }
    return 0;
}

static size_t turned_rows_together(const struct tensor *tensor)
{
    (void)tensor;
    return BAND;
}

static bool turned_same(const struct tensor_source *a, const struct tensor_source *b)
{
    return tensor_same_bytes(tensor_of(a), tensor_of(b));
}

static const struct tensor_source_kind turned_kind = {
    .read = turned_read, .describe = made_describe, .stored = made_stored, .written = made_written,
    .rows_together = turned_rows_together, .same = turned_same,
};

int tensor_turn(struct tensor *made, const struct tensor *tensor, struct arena *arena,
                struct error *err)
{
    struct made *turned;
    size_t *shape;

    if (check_items(tensor, err))
        return -1;
    if (tensor->n_dims != 2)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %zu dimensions, where a "
                         "matrix should be", tensor->name, tensor->n_dims);
    turned = arena_alloc(arena, sizeof *turned);
    *turned = (struct made){{&turned_kind}, tensor};
    shape = arena_alloc(arena, 2 * sizeof *shape);
    shape[0] = tensor->shape[1];
    shape[1] = tensor->shape[0];
    *made = *tensor;
    made->shape = shape;
    made->source = &turned->source;
    made->offset = 0;
    made->strides = NULL;
    return 0;
}

/* ---- changed ---- */

struct changed {
    struct made made;
    float addend;
};

static int changed_read(const struct tensor_source *source, size_t offset, size_t n_bytes,
                        void *out, struct error *err)
{
    const struct changed *changed = (const struct changed *)source;
    const struct tensor *tensor = changed->made.tensor;
    _Alignas(double) char stored[STEP * sizeof(double)];
    size_t first = offset / sizeof(float), n = n_bytes / sizeof(float);
    double values[STEP];
    char *to = out;

    while (n > 0) {
        size_t run = n < STEP ? n : STEP;

        if (tensor_read(tensor, first, run, stored, err))
            return -1;
        dtype_to_double(tensor->dtype, stored, values, run);
        for (size_t i = 0; i < run; i++) {
            float x = (float)values[i] + changed->addend;

            memcpy(to + i * sizeof x, &x, sizeof x);
        }
        to += run * sizeof(float);
        first += run;
        n -= run;
    }
    return 0;
}

static const struct tensor_source_kind changed_kind = {
    .read = changed_read, .describe = made_describe, .stored = made_stored,
};

int tensor_add(struct tensor *made, const struct tensor *tensor, float addend, struct arena *arena,
               struct error *err)
{
    struct changed *changed;

    if (check_items(tensor, err))
        return -1;
    changed = arena_alloc(arena, sizeof *changed);
    *changed = (struct changed){{{&changed_kind}, tensor}, addend};
    *made = *tensor;
    made->dtype = DTYPE_F32;
    made->source = &changed->made.source;
    made->offset = 0;
    made->strides = NULL;
    return tensor_measure(made, err) ? error_context(err, "tensor '" ERROR_NAME "'", tensor->name)
                                     : 0;
}
