/* gemm_body.h - the kernels of gemm_kernels.h for one width of lanes.h; gemm_plain.c, gemm_avx2.c
 * and gemm_avx512.c include it.
 *
 * Sums fill the registers: those of a panel two vectors wide with the rows of a group, or, where
 * they run in lanes, of four vectors (of LANES / 2 outputs) with some rows. */
#ifndef COCKTAIL_GEMM_BODY_H
#define COCKTAIL_GEMM_BODY_H

#include "math/gemm_matrix.h"
#include "math/gemm_parts.h"

enum {
    DOT_VECTORS = 4,
    DOT_OUT = DOT_VECTORS * LANES / GEMM_STEP,
    DOT_ROWS = LANES == 16 ? 6 : LANES == 8 ? 3 : 2,
};

/* ---- transposed W ---- */

/* n_rows is constant in every call, row_step and in_step are as well. */
LANES_INLINE void multiply_rows(size_t n_rows, size_t n_in, const float *x, size_t row_step,
                                size_t in_step, const float *panel, size_t stride, bool adds,
                                float *sums)
{
    lanes first[GROUP_ROWS], second[GROUP_ROWS];

    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        first[row] = adds ? lanes_load(sums + row * PANEL_OUT) : lanes_set(0);
        second[row] = adds ? lanes_load(sums + row * PANEL_OUT + LANES) : lanes_set(0);
    }
    for (size_t in = 0; in < n_in; in++) {
        lanes a = lanes_load(panel), b = lanes_load(panel + LANES);

        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++) {
            lanes factor = lanes_set(x[row * row_step]);

            first[row] = lanes_multiply_add(factor, a, first[row]);
            second[row] = lanes_multiply_add(factor, b, second[row]);
        }
        x += in_step;
        panel += stride;
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        lanes_store(first[row], sums + row * PANEL_OUT);
        lanes_store(second[row], sums + row * PANEL_OUT + LANES);
    }
}

#define ROWS(n)                                                                                   \
    case n:                                                                                       \
        if (is_packed)                                                                            \
            multiply_rows(n, n_in, x, 1, n, panel, stride, adds, sums);                           \
        else                                                                                      \
            multiply_rows(n, n_in, x, GEMM_DIRECT_STRIDE, 1, panel, stride, adds, sums);          \
        return;

LANES_TARGET static void multiply(size_t n_rows, size_t n_in, const float *x, bool is_packed,
                                  const float *panel, size_t stride, bool adds, float *sums)
{
    switch (n_rows) {
        EACH_GROUP_ROWS(ROWS)
    }
}
#undef ROWS

LANES_TARGET static void finish_rows(size_t n_rows, size_t n_out, const float *sums, float factor,
                                     bool adds, float *y, size_t y_stride)
{
    for (size_t row = 0; row < n_rows; row++, sums += PANEL_OUT, y += y_stride)
        for (size_t first = 0; first < n_out; first += LANES)
            finish(lanes_load(sums + first), factor, adds,
                   n_out - first < LANES ? n_out - first : LANES, y + first);
}

/* ---- W in rows of outputs ---- */

typedef float outputs __attribute__((vector_size(LANES * 2))); /* DOT_OUT of them */

/* x of a step for vector number `v` of the weights. */
LANES_INLINE lanes load_factor(const float *x, size_t v)
{
#if LANES == 16
    (void)v;
    return (lanes)_mm512_castpd_ps(_mm512_broadcast_f64x4(_mm256_castps_pd(_mm256_loadu_ps(x))));
#elif LANES == 8
    (void)v;
    return lanes_load(x);
#else
    return lanes_load(x + v % 2 * LANES);
#endif
}

LANES_INLINE outputs sum_lanes(const lanes sums[DOT_VECTORS])
{
#if LANES == 16
    __m512 a = (__m512)sums[0], b = (__m512)sums[1], c = (__m512)sums[2], d = (__m512)sums[3];
    const __m512i places = _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0);

    a = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
    c = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x88), _mm512_shuffle_f32x4(c, d, 0xDD));
    a = _mm512_add_ps(_mm512_shuffle_ps(a, c, 0x44), _mm512_shuffle_ps(a, c, 0xEE));
    a = _mm512_add_ps(a, _mm512_movehdup_ps(a));
    return (outputs)_mm512_castps512_ps256(_mm512_permutexvar_ps(places, a));
#elif LANES == 8
    __m256 a = (__m256)sums[0], b = (__m256)sums[1], c = (__m256)sums[2], d = (__m256)sums[3];

    a = _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
    c = _mm256_add_ps(_mm256_permute2f128_ps(c, d, 0x20), _mm256_permute2f128_ps(c, d, 0x31));
    a = _mm256_add_ps(_mm256_shuffle_ps(a, c, 0x44), _mm256_shuffle_ps(a, c, 0xEE));
    a = _mm256_add_ps(a, _mm256_movehdup_ps(a));
    a = _mm256_permutevar8x32_ps(a, _mm256_setr_epi32(0, 4, 2, 6, 0, 0, 0, 0));
    return (outputs)_mm256_castps256_ps128(a);
#else
    float eights[DOT_OUT][GEMM_STEP];

    memcpy(eights, sums, sizeof eights);
    return (outputs){sum_of_eight(eights[0]), sum_of_eight(eights[1])};
#endif
}

LANES_INLINE void finish_outputs(outputs sum, float factor, bool adds, size_t n, float *y)
{
    outputs value = sum * factor, before = {0};

    memcpy(&before, y, adds ? n * sizeof *y : 0);
    if (adds)
        value = before + value;
    memcpy(y, &value, n * sizeof *y);
}

LANES_INLINE void add_step(size_t n_rows, const float *x, size_t x_stride, const float *panel,
                           lanes sums[DOT_ROWS][DOT_VECTORS])
{
    lanes w[DOT_VECTORS];

    LANES_UNROLL
    for (size_t v = 0; v < DOT_VECTORS; v++)
        w[v] = lanes_load(panel + v * LANES);
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        LANES_UNROLL
        for (size_t v = 0; v < DOT_VECTORS; v++)
            sums[row][v] = lanes_multiply_add(load_factor(x + row * x_stride, v), w[v], sums[row][v]);
    }
}

/* Steps number `first`, first + 2 … : half of the lanes. */
LANES_INLINE void add_steps(size_t n_rows, size_t first, size_t n_times, const float *x,
                            size_t x_stride, const float *tail, const float *panel,
                            lanes sums[DOT_ROWS][DOT_VECTORS])
{
    enum { STEP_ITEMS = DOT_VECTORS * LANES };

    x += first * GEMM_STEP;
    panel += first * STEP_ITEMS;
    for (size_t i = 0; i < n_times; i++, x += GEMM_LANES, panel += 2 * STEP_ITEMS)
        add_step(n_rows, x, x_stride, panel, sums);
    if (tail)
        add_step(n_rows, tail + first * GEMM_STEP, GEMM_LANES, panel, sums);
}

/* Registers hold half of the lanes at a time. n_rows is constant in every call. */
LANES_INLINE void dot_rows(size_t n_rows, size_t n_out, size_t n_times, const float *x,
                           size_t x_stride, const float *tail, const float *panel, float factor,
                           bool adds, float *y, size_t y_stride)
{
    lanes sums[DOT_ROWS][DOT_VECTORS] = {{{0}}};
    float halves[DOT_ROWS][DOT_VECTORS][LANES];

    add_steps(n_rows, 0, n_times, x, x_stride, tail, panel, sums);
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        LANES_UNROLL
        for (size_t v = 0; v < DOT_VECTORS; v++) {
            lanes_store(sums[row][v], halves[row][v]);
            sums[row][v] = lanes_set(0);
        }
    }
    add_steps(n_rows, 1, n_times, x, x_stride, tail, panel, sums);
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        LANES_UNROLL
        for (size_t v = 0; v < DOT_VECTORS; v++)
            sums[row][v] = lanes_load(halves[row][v]) + sums[row][v];
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        outputs sum = sum_lanes(sums[row]);

        if (n_out == DOT_OUT)
            finish_outputs(sum, factor, adds, DOT_OUT, y + row * y_stride);
        else
            finish_outputs(sum, factor, adds, n_out, y + row * y_stride);
    }
}

#define ROWS(n)                                                                                   \
    case n:                                                                                       \
        dot_rows(n, n_out, n_times, x, x_stride, tail, panel, factor, adds, y, y_stride);         \
        return;

LANES_TARGET static void multiply_dots(size_t n_rows, size_t n_out, size_t n_times, const float *x,
                                       size_t x_stride, const float *tail, const float *panel,
                                       float factor, bool adds, float *y, size_t y_stride)
{
    switch (n_rows) {
        ROWS(1)
        ROWS(2)
#if LANES >= 8
        ROWS(3)
#endif
#if LANES == 16
        ROWS(4)
        ROWS(5)
        ROWS(6)
#endif
    }
}
#undef ROWS

#include "math/gemm_turned.h"

const struct gemm_version LANES_NAME(gemm) = {
    LANES_VERSION, PANEL_OUT, GROUP_ROWS, multiply, finish_rows, DOT_OUT, DOT_ROWS, multiply_dots,
    turn, LANES, multiply_turned, multiply_short};

/* ---- loaders ---- */

#if LANES <= 8
LANES_INLINE void tile_f32(const char *row, size_t in, lanes w[SUMS])
{
    for (size_t v = 0; v < SUMS; v++)
        w[v] = lanes_load(row + (in + v * LANES) * 4);
}

LANES_INLINE void tile_f16(const char *row, size_t in, lanes w[SUMS])
{
    for (size_t v = 0; v < SUMS; v++)
        w[v] = lanes_load_f16(row + (in + v * LANES) * 2);
}

LANES_INLINE void tile_bf16(const char *row, size_t in, lanes w[SUMS])
{
    for (size_t v = 0; v < SUMS; v++)
        w[v] = lanes_load_bf16(row + (in + v * LANES) * 2);
}

#define ROW_OF(matrix, out, bytes)                                                                \
    ((const char *)(matrix)->data + (out) * (matrix)->stride * (bytes))

#define LOADER f32
#define LOADER_IN GEMM_LANES
#define LOADER_BYTES 64
#define LOADER_TILE tile_f32
#define LOADER_ROW(matrix, out) ROW_OF(matrix, out, 4)
#include "math/gemm_rows.h"

#define LOADER f16
#define LOADER_IN GEMM_LANES
#define LOADER_BYTES 32
#define LOADER_TILE tile_f16
#define LOADER_ROW(matrix, out) ROW_OF(matrix, out, 2)
#include "math/gemm_rows.h"

#define LOADER bf16
#define LOADER_IN GEMM_LANES
#define LOADER_BYTES 32
#define LOADER_TILE tile_bf16
#define LOADER_ROW(matrix, out) ROW_OF(matrix, out, 2)
#include "math/gemm_rows.h"
#endif

#define LOADER f32_transposed
#define LOADER_BYTES 4
#define LOADER_LOAD lanes_load
#include "math/gemm_columns.h"

#define LOADER f16_transposed
#define LOADER_BYTES 2
#define LOADER_LOAD lanes_load_f16
#include "math/gemm_columns.h"

#define LOADER bf16_transposed
#define LOADER_BYTES 2
#define LOADER_LOAD lanes_load_bf16
#include "math/gemm_columns.h"

#endif
