/* gemm_kernels.h - the kernels of matrix products, for gemm.c, for formats of weights and for tests.
 *
 * What all of them compute, for each row of x and each output, is settled here and does not depend on
 * how many rows or outputs are computed at once. Inputs are cut into blocks of GEMM_BLOCK_IN, counted
 * from the first. The sum of a block's products, times `factor`, is added to those of the blocks
 * before it. Within a block products are added up by fused multiply-adds, from 0 on:
 * - where the inputs of an output lie side by side, in GEMM_LANES sums, of which number j has inputs
 *   j, j + GEMM_LANES …, behind the last filled up with zeros; then l[j] + l[j + 8], of these eight
 *   s[j] + s[j + 4], of these 0 + 2 and 1 + 3, and these two;
 * - where the outputs of an input lie side by side (transposed), in one sum, inputs ascending.
 * So weights go through vectors as they lie, and all versions give the same bits.
 *
 * Kernels for few rows read weights where they lie. For more rows a block of weights is first laid out
 * as a panel of floats. Both take the weights from the loader of a format. Where there are few inputs,
 * as in attention, or many rows, panels are turned, so that lanes are summed one after the other with
 * outputs side by side (gemm_turned.h): the same sums, without an end that adds up the items of a
 * vector. */
#ifndef COCKTAIL_GEMM_KERNELS_H
#define COCKTAIL_GEMM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/isa.h"
#include "tensor/dtype.h"

enum {
    GEMM_BLOCK_IN = 512,
    GEMM_LANES = 16,
    GEMM_STEP = 8,            /* inputs of a step of a panel */
    GEMM_STREAM_ROWS = 4,     /* the most that a kernel for few rows takes */
    GEMM_PANEL_OUT_MAX = 32,
    GEMM_GROUP_ROWS_MAX = 14,
    GEMM_DOT_OUT_MAX = 8,
    GEMM_DOT_ROWS_MAX = 6,
    GEMM_DIRECT_STRIDE = 256, /* GEMM_BLOCK_STRIDE: rows of x that need not be packed */
    GEMM_SHORT_IN_MAX = 128,
    GEMM_AHEAD_OUT = GEMM_LANES / 2, /* pairs of lanes */
};

/* Floats of a lane of a turned panel. The gap keeps lanes from lines that share a set of a cache. */
#define GEMM_TURNED_STRIDE(n_times, panel_out) ((n_times) * (panel_out) + GEMM_LANES)

struct gemm_matrix;

/* Reads weights of one format, with one version of the kernels. `matrix` counts outputs in the whole;
 * `in` is a multiple of GEMM_BLOCK_IN. */
struct gemm_loader {
    /* Weights of n_out outputs. Transposed: panel [n_in, panel_out], places of further outputs hold
     * anything. Else panel [n_in / GEMM_STEP, panel_out, GEMM_STEP], filled up with zeros to
     * a multiple of GEMM_LANES inputs. */
    void (*pack)(const struct gemm_matrix *matrix, size_t out, size_t n_out, size_t in, size_t n_in,
                 size_t panel_out, float *panel);
    /* y [n_rows, matrix->n_out] = factor * x W^T, or y += it where `adds`; x [n_rows, n_in]; n_rows <=
     * GEMM_STREAM_ROWS. */
    void (*stream)(const struct gemm_matrix *matrix, size_t n_rows, const float *x, size_t x_stride,
                   float factor, bool adds, float *y, size_t y_stride);
    /* Whether it reads matrix->scales; if not, what has some is widened. */
    bool reads_scales;
    /* Up to so many rows, at least GEMM_STREAM_ROWS, to stream some after the other costs less than to pack. */
    size_t most_streamed;
};

/* What the second-level cache is asked for meanwhile: n_times pieces of `piece` bytes of each of
 * GEMM_AHEAD_OUT rows, `step` bytes apart. Anything will do. */
struct gemm_ahead {
    const char *bytes;
    size_t step, piece;
};

struct gemm_version {
    const char *name;
    /* Of a panel where W is transposed, and the most rows of a call of multiply. */
    size_t panel_out, group_rows;
    /* sums [n_rows, panel_out] = x W^T, or sums += it, for n_in <= GEMM_BLOCK_IN inputs; x [n_in,
     * n_rows] where it is packed, else [n_rows, n_in], rows GEMM_DIRECT_STRIDE apart; panel [n_in,
     * panel_out], its rows `stride` floats apart; n_rows <= group_rows. */
    void (*multiply)(size_t n_rows, size_t n_in, const float *x, bool is_packed, const float *panel,
                     size_t stride, bool adds, float *sums);
    /* y [n_rows, n_out] = factor * sums, or y += it; sums [n_rows, panel_out], n_out <= panel_out. */
    void (*finish)(size_t n_rows, size_t n_out, const float *sums, float factor, bool adds, float *y,
                   size_t y_stride);
    /* Of a panel where W is not transposed, and the most rows of a call of multiply_dots. */
    size_t dot_out, dot_rows;
    /* y [n_rows, n_out] = factor * x W^T, or y += it, for a block of n_times * GEMM_LANES inputs,
     * and GEMM_LANES more from `tail` [n_rows, GEMM_LANES] unless that is NULL; x [n_rows, n_in];
     * panel as above; n_rows <= dot_rows, n_out <= dot_out. */
    void (*multiply_dots)(size_t n_rows, size_t n_out, size_t n_times, const float *x,
                          size_t x_stride, const float *tail, const float *panel, float factor,
                          bool adds, float *y, size_t y_stride);
    /* W not transposed. panel [GEMM_LANES, GEMM_TURNED_STRIDE(n_times, panel_out)]: for the lanes in
     * the order 0, 8, 4, 12, 2, 10, 6, 14, and the same plus one, [n_times, panel_out] their inputs, of
     * n_out <= panel_out outputs; panel_out a multiple of turned_rows. from [n_out, n_times *
     * GEMM_LANES]: F32, F16 or BF16, outputs out_stride items apart. Places of further outputs hold
     * anything. */
    void (*turn)(enum dtype dtype, size_t n_out, size_t n_times, const void *from, size_t out_stride,
                 size_t panel_out, float *panel);
    /* Places of a group of rows of x, where it is turned as a panel is; group_rows of them count. */
    size_t turned_rows;
    /* y [n_rows, n_out] = factor * x W^T, or y += it, for n_times * GEMM_LANES inputs of a block; x
     * and panel turned, x of turned_rows; n_rows <= group_rows, n_out <=
     * panel_out. */
    void (*multiply_turned)(size_t n_rows, size_t n_out, size_t n_times, const float *x,
                            const float *panel, float factor, bool adds, float *y, size_t y_stride,
                            struct gemm_ahead ahead);
    /* y [n_rows, n_out] = factor * x W^T, or y += it, for n_times * GEMM_LANES inputs, n_times 2, 4
     * or 8; x [n_rows, n_in], any number of rows; panel turned; n_out <= panel_out. */
    void (*multiply_short)(size_t n_rows, size_t n_out, size_t n_times, const float *x,
                           size_t x_stride, const float *panel, float factor, bool adds, float *y,
                           size_t y_stride);
};

/* NULL where the processor lacks the instructions. */
const struct gemm_version *gemm_version(enum isa isa);

/* Plain numbers; in rows of outputs, or of inputs (transposed). */
#define GEMM_DECLARE(isa)                                                                         \
    extern const struct gemm_version gemm_##isa;                                                  \
    extern const struct gemm_loader gemm_f32_transposed_##isa, gemm_f16_transposed_##isa,         \
        gemm_bf16_transposed_##isa
#define GEMM_DECLARE_ROWS(isa)                                                                    \
    extern const struct gemm_loader gemm_f32_##isa, gemm_f16_##isa, gemm_bf16_##isa
GEMM_DECLARE(plain);
GEMM_DECLARE_ROWS(plain);
#if defined(__x86_64__)
GEMM_DECLARE(avx2);
GEMM_DECLARE_ROWS(avx2);
GEMM_DECLARE(avx512);
/* The loaders of a format, by enum isa; along the inputs eight lanes are enough for any. */
#define GEMM_LOADERS(name) {&gemm_##name##_plain, &gemm_##name##_avx2, &gemm_##name##_avx512}
#define GEMM_ROW_LOADERS(name) {&gemm_##name##_plain, &gemm_##name##_avx2, &gemm_##name##_avx2}
#else
#define GEMM_LOADERS(name) {&gemm_##name##_plain}
#define GEMM_ROW_LOADERS(name) {&gemm_##name##_plain}
#endif

#endif
