/* gemm_body.h - the kernels of gemm_kernels.h for one width of lanes.h; gemm_plain.c, gemm_avx2.c
 * and gemm_avx512.c include it.
 *
 * A panel is two vectors wide: with the rows of a group their sums fill the registers. */
#ifndef COCKTAIL_GEMM_BODY_H
#define COCKTAIL_GEMM_BODY_H

#include "math/gemm_matrix.h"
#include "math/gemm_sink.h"

enum { GROUP_ROWS = LANES == 16 ? 14 : LANES == 8 ? 6 : 4 };

/* n_rows is constant in every call. */
LANES_INLINE void multiply_rows(size_t n_rows, size_t n_in, const float *x, const float *panel,
                                size_t stride, bool adds, float *sums)
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
            lanes factor = lanes_set(x[row]);

            first[row] = lanes_multiply_add(factor, a, first[row]);
            second[row] = lanes_multiply_add(factor, b, second[row]);
        }
        x += n_rows;
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
        multiply_rows(n, n_in, x, panel, stride, adds, sums);                                     \
        return;

LANES_TARGET static void multiply(size_t n_rows, size_t n_in, const float *x, const float *panel,
                                  size_t stride, bool adds, float *sums)
{
    switch (n_rows) {
        ROWS(1)
        ROWS(2)
        ROWS(3)
        ROWS(4)
#if LANES >= 8
        ROWS(5)
        ROWS(6)
#endif
#if LANES == 16
        ROWS(7)
        ROWS(8)
        ROWS(9)
        ROWS(10)
        ROWS(11)
        ROWS(12)
        ROWS(13)
        ROWS(14)
#endif
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

const struct gemm_version LANES_NAME(gemm) = {LANES_VERSION, PANEL_OUT, GROUP_ROWS, multiply,
                                              finish_rows};

/* ---- numbers in rows of outputs ---- */

LANES_INLINE void load_dwords(const char *const rows[LANES], size_t at, lanes_bits dwords[LANES])
{
    LANES_UNROLL
    for (size_t i = 0; i < LANES; i++)
        dwords[i] = (lanes_bits)lanes_load(rows[i] + at);
    lanes_transpose(dwords);
}

LANES_INLINE void tile_f32(const char *const rows[LANES], size_t in, size_t n_rows, size_t first,
                           struct sink *sink)
{
    lanes_bits dwords[LANES];

    load_dwords(rows, in * 4, dwords);
    LANES_UNROLL
    for (size_t i = 0; i < LANES; i++)
        take(sink, n_rows, first + i, (lanes)dwords[i]);
}

LANES_INLINE void tile_f16(const char *const rows[LANES], size_t in, size_t n_rows, size_t first,
                           struct sink *sink)
{
    lanes_bits dwords[LANES];

    load_dwords(rows, in * 2, dwords);
    LANES_UNROLL
    for (size_t i = 0; i < LANES; i++) {
        take(sink, n_rows, first + 2 * i, lanes_low_f16(dwords[i]));
        take(sink, n_rows, first + 2 * i + 1, lanes_high_f16(dwords[i]));
    }
}

LANES_INLINE void tile_bf16(const char *const rows[LANES], size_t in, size_t n_rows, size_t first,
                            struct sink *sink)
{
    lanes_bits dwords[LANES];

    load_dwords(rows, in * 2, dwords);
    LANES_UNROLL
    for (size_t i = 0; i < LANES; i++) {
        take(sink, n_rows, first + 2 * i, lanes_low_bf16(dwords[i]));
        take(sink, n_rows, first + 2 * i + 1, lanes_high_bf16(dwords[i]));
    }
}

#define ROW_OF(matrix, out, bytes)                                                                    ((const char *)(matrix)->data + (out) * (matrix)->stride * (bytes))

#define LOADER f32
#define LOADER_IN LANES
#define LOADER_TILE tile_f32
#define LOADER_ROW(matrix, out) ROW_OF(matrix, out, 4)
#include "math/gemm_rows.h"

#define LOADER f16
#define LOADER_IN (2 * LANES)
#define LOADER_TILE tile_f16
#define LOADER_ROW(matrix, out) ROW_OF(matrix, out, 2)
#include "math/gemm_rows.h"

#define LOADER bf16
#define LOADER_IN (2 * LANES)
#define LOADER_TILE tile_bf16
#define LOADER_ROW(matrix, out) ROW_OF(matrix, out, 2)
#include "math/gemm_rows.h"

/* ---- numbers in rows of inputs ---- */

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
