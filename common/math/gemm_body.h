/* gemm_body.h - the kernel of gemm_kernels.h for one width of lanes.h; gemm_plain.c, gemm_avx2.c
 * and gemm_avx512.c include it.
 *
 * Everything is inlined into one loop per dtype and number of rows, whose sums stay in registers:
 * at most four rows by four outputs. */
#ifndef COCKTAIL_GEMM_BODY_H
#define COCKTAIL_GEMM_BODY_H

#include "math/gemm_kernels.h"
#include "math/lanes.h"

enum {
    GROUP_ROWS = 4,
    GROUP_OUT = LANES == 16 ? 4 : 2, /* outputs at once; AVX-512 has twice as many registers */
    GROUP_IN = 4,  /* the same for a transposed W */
};

LANES_INLINE size_t item_bytes(enum dtype dtype)
{
    return dtype == DTYPE_F32 ? 4 : 2;
}

LANES_INLINE lanes load_items(enum dtype dtype, const char *bytes)
{
    if (dtype == DTYPE_F32)
        return lanes_load(bytes);
    return dtype == DTYPE_F16 ? lanes_load_f16(bytes) : lanes_load_bf16(bytes);
}

/* The first n < LANES items, and zeros. */
LANES_INLINE lanes load_some_items(enum dtype dtype, const char *bytes, size_t n)
{
    char items[LANES * 4] = {0};

    memcpy(items, bytes, n * item_bytes(dtype));
    return load_items(dtype, items);
}

/* -- W as [n_out, n_in]: each output is a dot product -- */

/* sums[row][out] += x[row] w[out], LANES or, where n is less, n items each. */
LANES_INLINE void dot_step(enum dtype dtype, size_t n_rows, const float *x, size_t x_stride,
                           const char *w, size_t w_step, size_t n_out, size_t n,
                           lanes sums[GROUP_ROWS][GROUP_OUT])
{
    lanes xs[GROUP_ROWS], ws[GROUP_OUT];

    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        const char *bytes = (const char *)(x + row * x_stride);

        xs[row] = n < LANES ? load_some_items(DTYPE_F32, bytes, n) : lanes_load(bytes);
    }
    LANES_UNROLL
    for (size_t out = 0; out < n_out; out++) {
        const char *bytes = w + out * w_step;

        ws[out] = n < LANES ? load_some_items(dtype, bytes, n) : load_items(dtype, bytes);
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        LANES_UNROLL
        for (size_t out = 0; out < n_out; out++)
            sums[row][out] = lanes_multiply_add(xs[row], ws[out], sums[row][out]);
    }
}

/* y [n_rows, n_out] (+)= factor * x w^T; n_rows and n_out are constant in every call. */
LANES_INLINE void dot_group(enum dtype dtype, size_t n_rows, const float *x, size_t x_stride,
                            const char *w, size_t w_step, size_t n_out, size_t n_in, float factor,
                            bool adds, float *y, size_t y_stride)
{
    /* Two sums for each output of a few, that more of them may be under way. */
    lanes sums[GROUP_ROWS][GROUP_OUT] = {0}, others[GROUP_ROWS][GROUP_OUT] = {0};
    size_t size = item_bytes(dtype), i = 0;
    bool is_short = n_rows * n_out < 8;

    for (; is_short && n_in - i >= 2 * LANES; i += 2 * LANES) {
        dot_step(dtype, n_rows, x + i, x_stride, w + i * size, w_step, n_out, LANES, sums);
        dot_step(dtype, n_rows, x + i + LANES, x_stride, w + (i + LANES) * size, w_step, n_out,
                 LANES, others);
    }
    for (; n_in - i >= LANES; i += LANES)
        dot_step(dtype, n_rows, x + i, x_stride, w + i * size, w_step, n_out, LANES, sums);
    if (i < n_in)
        dot_step(dtype, n_rows, x + i, x_stride, w + i * size, w_step, n_out, n_in - i, sums);
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        LANES_UNROLL
        for (size_t out = 0; out < n_out; out++) {
            float *to = y + row * y_stride + out;
            float sum = lanes_sum(sums[row][out] + others[row][out]) * factor;

            *to = adds ? *to + sum : sum;
        }
    }
}

LANES_INLINE void dot_rows(enum dtype dtype, size_t n_rows, const float *x, size_t x_stride,
                           const char *w, size_t w_step, size_t n_in, float factor, bool adds,
                           float *y, size_t y_stride)
{
#define DOT_GROUP(rows)                                                                           \
    dot_group(dtype, rows, x, x_stride, w, w_step, GROUP_OUT, n_in, factor, adds, y, y_stride)
    for (; n_rows >= GROUP_ROWS; n_rows -= GROUP_ROWS) {
        DOT_GROUP(GROUP_ROWS);
        x += GROUP_ROWS * x_stride;
        y += GROUP_ROWS * y_stride;
    }
    if (n_rows >= 2) {
        DOT_GROUP(2);
        x += 2 * x_stride;
        y += 2 * y_stride;
    }
    if (n_rows % 2)
        DOT_GROUP(1);
#undef DOT_GROUP
}

LANES_INLINE void multiply_dots(enum dtype dtype, size_t n_rows, const float *x, size_t x_stride,
                                const char *w, size_t w_stride, size_t n_out, size_t n_in,
                                float factor, bool adds, float *y, size_t y_stride)
{
    size_t w_step = w_stride * item_bytes(dtype), out = 0;

    for (; n_out - out >= GROUP_OUT; out += GROUP_OUT)
        dot_rows(dtype, n_rows, x, x_stride, w + out * w_step, w_step, n_in, factor, adds, y + out,
                 y_stride);
    for (; out < n_out; out++)
        for (size_t row = 0; row < n_rows; row++)
            dot_group(dtype, 1, x + row * x_stride, x_stride, w + out * w_step, w_step, 1, n_in,
                      factor, adds, y + row * y_stride + out, y_stride);
}

/* -- W as [n_in, n_out]: rows of W are scaled and added to y -- */

/* y[row] += sum of factors[row][in] * w[in], LANES or, where n is less, n items. */
LANES_INLINE void add_step(enum dtype dtype, size_t n_rows,
                           lanes factors[GROUP_ROWS][GROUP_IN], const char *w, size_t w_step,
                           size_t n_in, size_t n, float *y, size_t y_stride)
{
    lanes ws[GROUP_IN];

    LANES_UNROLL
    for (size_t in = 0; in < n_in; in++) {
        const char *bytes = w + in * w_step;

        ws[in] = n < LANES ? load_some_items(dtype, bytes, n) : load_items(dtype, bytes);
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        char *to = (char *)(y + row * y_stride);
        lanes sum = n < LANES ? load_some_items(DTYPE_F32, to, n) : lanes_load(to);

        LANES_UNROLL
        for (size_t in = 0; in < n_in; in++)
            sum = lanes_multiply_add(factors[row][in], ws[in], sum);
        memcpy(to, &sum, n < LANES ? n * sizeof *y : sizeof sum);
    }
}

/* y [n_rows, n_out] += factor * x w, w [n_in, n_out]; n_rows and n_in are constant in every
 * call. */
LANES_INLINE void add_group(enum dtype dtype, size_t n_rows, const float *x, size_t x_stride,
                            const char *w, size_t w_step, size_t n_out, size_t n_in, float factor,
                            float *y, size_t y_stride)
{
    lanes factors[GROUP_ROWS][GROUP_IN];
    size_t size = item_bytes(dtype), i = 0;

    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        LANES_UNROLL
        for (size_t in = 0; in < n_in; in++)
            factors[row][in] = lanes_set(x[row * x_stride + in] * factor);
    }
    for (; n_out - i >= LANES; i += LANES)
        add_step(dtype, n_rows, factors, w + i * size, w_step, n_in, LANES, y + i, y_stride);
    if (i < n_out)
        add_step(dtype, n_rows, factors, w + i * size, w_step, n_in, n_out - i, y + i, y_stride);
}

LANES_INLINE void add_rows(enum dtype dtype, size_t n_rows, const float *x, size_t x_stride,
                           const char *w, size_t w_step, size_t n_out, float factor, float *y,
                           size_t y_stride)
{
#define ADD_GROUP(rows)                                                                           \
    add_group(dtype, rows, x, x_stride, w, w_step, n_out, GROUP_IN, factor, y, y_stride)
    for (; n_rows >= GROUP_ROWS; n_rows -= GROUP_ROWS) {
        ADD_GROUP(GROUP_ROWS);
        x += GROUP_ROWS * x_stride;
        y += GROUP_ROWS * y_stride;
    }
    if (n_rows >= 2) {
        ADD_GROUP(2);
        x += 2 * x_stride;
        y += 2 * y_stride;
    }
    if (n_rows % 2)
        ADD_GROUP(1);
#undef ADD_GROUP
}

LANES_INLINE void multiply_sums(enum dtype dtype, size_t n_rows, const float *x, size_t x_stride,
                                const char *w, size_t w_stride, size_t n_out, size_t n_in,
                                float factor, bool adds, float *y, size_t y_stride)
{
    size_t w_step = w_stride * item_bytes(dtype), i = 0;

    for (size_t row = 0; row < n_rows && !adds; row++)
        memset(y + row * y_stride, 0, n_out * sizeof *y);
    for (; n_in - i >= GROUP_IN; i += GROUP_IN)
        add_rows(dtype, n_rows, x + i, x_stride, w + i * w_step, w_step, n_out, factor, y,
                 y_stride);
    for (; i < n_in; i++)
        for (size_t row = 0; row < n_rows; row++)
            add_group(dtype, 1, x + row * x_stride + i, x_stride, w + i * w_step, w_step, n_out, 1,
                      factor, y + row * y_stride, y_stride);
}

/* Compiled once per dtype. */
#define MULTIPLY(name, dtype)                                                                     \
    LANES_TARGET static void name(bool is_transposed, size_t n_rows, const float *x,              \
                                  size_t x_stride, const void *w, size_t w_stride, size_t n_out,  \
                                  size_t n_in, float factor, bool adds, float *y,                 \
                                  size_t y_stride)                                                \
    {                                                                                             \
        if (is_transposed)                                                                        \
            multiply_sums(dtype, n_rows, x, x_stride, w, w_stride, n_out, n_in, factor, adds, y,  \
                          y_stride);                                                              \
        else                                                                                      \
            multiply_dots(dtype, n_rows, x, x_stride, w, w_stride, n_out, n_in, factor, adds, y,  \
                          y_stride);                                                              \
    }

MULTIPLY(multiply_f32, DTYPE_F32)
MULTIPLY(multiply_f16, DTYPE_F16)
MULTIPLY(multiply_bf16, DTYPE_BF16)

static void multiply(enum dtype dtype, bool is_transposed, size_t n_rows, const float *x,
                     size_t x_stride, const void *w, size_t w_stride, size_t n_out, size_t n_in,
                     float factor, bool adds, float *y, size_t y_stride)
{
    (dtype == DTYPE_F32 ? multiply_f32 : dtype == DTYPE_F16 ? multiply_f16 : multiply_bf16)(
        is_transposed, n_rows, x, x_stride, w, w_stride, n_out, n_in, factor, adds, y, y_stride);
}

const struct gemm_version LANES_NAME(gemm) = {LANES_VERSION, multiply};

#endif
