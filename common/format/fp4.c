/* fp4.c - codes are looked up, and multiplied by the scale of their group. */
#include "fp4.h"

#include <string.h>

#include "format/quantised.h"
#include "format/unpack.h"

enum { BYTES = 16384, SCALES = 2 * BYTES, N_CODES = 256 };

struct fp4 {
    struct quantised quantised;
    const struct tensor *bytes, *scales;
    size_t n_out;         /* rows of each matrix */
    size_t group_size, n_groups;
    const float *globals; /* [n_globals], or NULL */
    size_t n_globals;
    bool divides;
};

static const float values[16] = {0, .5F, 1, 1.5F, 2, 3, 4, 6,
                                 -.0F, -.5F, -1, -1.5F, -2, -3, -4, -6};

static float scale_of(const struct fp4 *fp4, size_t row, float scale)
{
    float global;

    if (!fp4->globals)
        return scale;
    global = fp4->globals[fp4->n_globals > 1 ? row / fp4->n_out : 0];
    return fp4->divides ? scale / global : scale * global;
}

/* What each byte means as a scale. */
static void list_scales(enum dtype dtype, float *scales)
{
    unsigned char codes[N_CODES];
    double exact[N_CODES];

    for (size_t i = 0; i < N_CODES; i++)
        codes[i] = (unsigned char)i;
    dtype_to_double(dtype, codes, exact, N_CODES);
    for (size_t i = 0; i < N_CODES; i++)
        scales[i] = (float)exact[i];
}

/* Items in … in + n of a row, whose first byte is that of an even item. */
static void decode_run(const unsigned char *bytes, bool skips_first, size_t n, float scale,
                       float *out)
{
    if (skips_first && n > 0) {
        *out++ = values[*bytes++ >> 4] * scale;
        n--;
    }
    unpack_codes(bytes, false, n, values, scale, out);
}

static void decode_row(const struct fp4 *fp4, size_t row, size_t in, size_t n_in,
                       const unsigned char *bytes, const float *scales, float *out)
{
    size_t first = in / fp4->group_size;

    for (size_t i = in, next; i < in + n_in; i = next) {
        size_t g = i / fp4->group_size;

        next = (g + 1) * fp4->group_size;
        next = next < in + n_in ? next : in + n_in;
        decode_run(bytes + (i / 2 - in / 2), i % 2, next - i,
                   scale_of(fp4, row, scales[g - first]), /* NOLINT: filled by the caller */
                   out + (i - in));
    }
}

/* n_in is at most 2 * BYTES - 2. */
static int decode_columns(const struct fp4 *fp4, size_t row, size_t n_rows, size_t in, size_t n_in,
                          const float *meanings, float *out, size_t stride, struct error *err)
{
    size_t n_bytes = (in + n_in + 1) / 2 - in / 2, n_all = fp4->quantised.n_in / 2;
    size_t group = in / fp4->group_size;
    size_t n_groups = (in + n_in - 1) / fp4->group_size - group + 1, most = BYTES / n_bytes;
    unsigned char bytes[BYTES], codes[SCALES];
    float scales[SCALES];

    for (size_t r = 0; r < n_rows; r += most) {
        size_t n = n_rows - r < most ? n_rows - r : most;

        if (quantised_read_rows(fp4->bytes, n_all, row + r, n, in / 2, n_bytes, bytes, err) ||
            quantised_read_rows(fp4->scales, fp4->n_groups, row + r, n, group, n_groups, codes,
                                err))
            return -1;
        for (size_t i = 0; i < n * n_groups; i++)
            scales[i] = meanings[codes[i]];
        for (size_t k = 0; k < n; k++)
            decode_row(fp4, row + r + k, in, n_in, bytes + k * n_bytes, scales + k * n_groups,
                       out + (r + k) * stride);
    }
    return 0;
}

static int decode(const struct quantised *quantised, size_t row, size_t n_rows, size_t in,
                  size_t n_in, float *out, struct error *err)
{
    enum { COLUMNS = 2 * BYTES - 2 };
    const struct fp4 *fp4 = (const struct fp4 *)quantised;
    float meanings[N_CODES];

    list_scales(fp4->scales->dtype, meanings);
    for (size_t i = 0; i < n_in; i += COLUMNS)
        if (decode_columns(fp4, row, n_rows, in + i,
                           n_in - i < COLUMNS ? n_in - i : COLUMNS, meanings, out + i, n_in, err))
            return -1;
    return 0;
}

/* ---- making ---- */

static int check_packed(const struct fp4_spec *spec, size_t n_dims_min, struct error *err)
{
    const struct tensor *packed = spec->packed;
    bool is_bytes = packed->dtype == DTYPE_U8 || packed->dtype == DTYPE_I8;

    if (!is_bytes && packed->dtype != DTYPE_U32)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': packed FP4 is U8, not %s",
                         packed->name, dtype_info(packed->dtype)->name);
    if (packed->n_dims < n_dims_min || packed->n_items == 0)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': packed FP4 has at least %zu "
                         "dimensions, and none of 0", packed->name, n_dims_min);
    return 0;
}

/* The shape as it is decoded; how many dimensions. */
static int find_shape(const struct fp4_spec *spec, size_t *shape, size_t *n_dims,
                      struct error *err)
{
    const struct tensor *packed = spec->packed;
    size_t per_item = packed->dtype == DTYPE_U32 ? 8 : 2, *last;

    *n_dims = packed->n_dims - spec->is_in_blocks;
    memcpy(shape, packed->shape, *n_dims * sizeof *shape);
    last = &shape[*n_dims - 1];
    if (!spec->is_in_blocks) {
        *last *= per_item; /* of bytes that exist */
        return 0;
    }
    if (packed->shape[*n_dims] * per_item != spec->group_size)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': blocks of %zu bytes, not of "
                         "%zu", packed->name, packed->shape[*n_dims], spec->group_size / per_item);
    *last *= spec->group_size;
    return 0;
}

static int check_scales(const struct fp4_spec *spec, const struct fp4 *made, const size_t *shape,
                        size_t n_dims, struct error *err)
{
    const struct tensor *scales = spec->scales;
    size_t expected[TENSOR_DIMS_MAX];

    if (made->quantised.n_in % spec->group_size)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': rows of %zu items are not "
                         "whole groups of %zu", spec->packed->name, made->quantised.n_in,
                         spec->group_size);
    if (scales->dtype != spec->scale_dtype && scales->dtype != DTYPE_U8)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': scales of FP4 are bytes (%s), "
                         "not %s", scales->name, dtype_info(spec->scale_dtype)->name,
                         dtype_info(scales->dtype)->name);
    memcpy(expected, shape, n_dims * sizeof *shape);
    expected[n_dims - 1] = made->n_groups;
    return quantised_check_shape(scales, n_dims, expected, "the packed FP4 and its groups", err);
}

static int take_global(struct fp4 *made, const struct fp4_spec *spec, struct arena *arena,
                       struct error *err)
{
    size_t n_matrices = made->quantised.n_rows / made->n_out;

    if (!spec->global)
        return 0;
    if (spec->global->n_items != 1 && spec->global->n_items != n_matrices)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %zu scales for %zu matrices",
                         spec->global->name, spec->global->n_items, n_matrices);
    if (quantised_check_scale(spec->global, err))
        return -1;
    made->n_globals = spec->global->n_items;
    made->globals = quantised_keep_floats(spec->global, arena, err);
    return made->globals ? 0 : -1;
}

static int take_bytes(struct fp4 *made, const struct fp4_spec *spec, struct arena *arena,
                      struct error *err)
{
    const struct tensor *codes;
    struct tensor *scales;

    made->bytes = quantised_bytes(spec->packed, arena, err);
    codes = made->bytes ? quantised_bytes(spec->scales, arena, err) : NULL;
    if (!codes)
        return -1;
    scales = arena_alloc(arena, sizeof *scales);
    *scales = *codes;
    scales->dtype = spec->scale_dtype;
    made->scales = scales;
    return 0;
}

int fp4_make(const struct fp4_spec *spec, const char *name, struct arena *arena,
             struct tensor *out, struct error *err)
{
    struct fp4 *made = arena_alloc(arena, sizeof *made);
    struct quantised *quantised = &made->quantised;
    size_t shape[TENSOR_DIMS_MAX], n_dims, n_in;

    *made = (struct fp4){.quantised = {.method = spec->method, .decode = decode},
                         .group_size = spec->group_size, .divides = spec->divides};
    if (check_packed(spec, spec->is_in_blocks ? 3 : 2, err) ||
        find_shape(spec, shape, &n_dims, err))
        return -1;
    made->n_out = shape[n_dims - 2];
    n_in = quantised->n_in = shape[n_dims - 1];
    quantised->n_rows = spec->packed->size_bytes * 2 / n_in;
    made->n_groups = n_in / spec->group_size;
    if (check_scales(spec, made, shape, n_dims, err) || take_global(made, spec, arena, err) ||
        take_bytes(made, spec, arena, err))
        return -1;
    if (spec->is_turned) {
        quantised->n_out = made->n_out;
        quantised->rows_together = spec->group_size;
        shape[n_dims - 2] = n_in;
        shape[n_dims - 1] = made->n_out;
    }
    quantised_add_part(quantised, spec->packed);
    quantised_add_part(quantised, spec->scales);
    quantised_add_part(quantised, spec->global);
    return quantised_make(quantised, name, n_dims, shape, arena, out, err);
}
