/* gemm_kernels.h - the kernels of matrix products, for gemm.c, for formats of weights and for tests.
 *
 * What all of them compute, for each row of x and each output, is settled here and does not depend on
 * how many rows or outputs are computed at once: inputs are cut into blocks of GEMM_BLOCK_IN, counted
 * from the first; in each the products are added up by fused multiply-adds, inputs ascending, from 0
 * on; the blocks' sums, each times `factor`, are added up in order. So all versions give the same
 * bits.
 *
 * Kernels for few rows read weights where they lie and turn them in registers, so that a vector
 * holds one input's weights of several outputs. For more rows a block of weights is first laid out
 * that way, as a panel of floats. Both take the weights from the loader of a format. */
#ifndef COCKTAIL_GEMM_KERNELS_H
#define COCKTAIL_GEMM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/isa.h"

enum {
    GEMM_BLOCK_IN = 256,
    GEMM_STREAM_ROWS = 4,     /* the most that a kernel for few rows takes */
    GEMM_PANEL_OUT_MAX = 32,
    GEMM_GROUP_ROWS_MAX = 14,
};

struct gemm_matrix;

/* Reads weights of one format, with one version of the kernels. `matrix` counts outputs in the whole;
 * `in` is a multiple of GEMM_BLOCK_IN. */
struct gemm_loader {
    /* panel [n_in, panel_out] = weights of n_out <= panel_out outputs; n_in <= GEMM_BLOCK_IN. Places
     * of further outputs hold anything. */
    void (*pack)(const struct gemm_matrix *matrix, size_t out, size_t n_out, size_t in, size_t n_in,
                 float *panel);
    /* y [n_rows, matrix->n_out] = factor * x W^T, or y += it where `adds`; x [n_rows, n_in]; n_rows <=
     * GEMM_STREAM_ROWS. */
    void (*stream)(const struct gemm_matrix *matrix, size_t n_rows, const float *x, size_t x_stride,
                   float factor, bool adds, float *y, size_t y_stride);
};

struct gemm_version {
    const char *name;
    size_t panel_out;  /* outputs of a panel */
    size_t group_rows; /* the most rows of a call of multiply */
    /* sums [n_rows, panel_out] = x W^T, or sums += it, for n_in <= GEMM_BLOCK_IN inputs; x [n_in,
     * n_rows]; panel [n_in, panel_out], its rows `stride` floats apart; n_rows <= group_rows. */
    void (*multiply)(size_t n_rows, size_t n_in, const float *x, const float *panel, size_t stride,
                     bool adds, float *sums);
    /* y [n_rows, n_out] = factor * sums, or y += it; sums [n_rows, panel_out], n_out <= panel_out. */
    void (*finish)(size_t n_rows, size_t n_out, const float *sums, float factor, bool adds, float *y,
                   size_t y_stride);
};

/* NULL where the processor lacks the instructions. */
const struct gemm_version *gemm_version(enum isa isa);

/* Plain numbers; in rows of outputs, or of inputs (transposed). */
#define GEMM_DECLARE(isa)                                                                         \
    extern const struct gemm_version gemm_##isa;                                                  \
    extern const struct gemm_loader gemm_f32_##isa, gemm_f16_##isa, gemm_bf16_##isa,              \
        gemm_f32_transposed_##isa, gemm_f16_transposed_##isa, gemm_bf16_transposed_##isa
GEMM_DECLARE(plain);
#if defined(__x86_64__)
GEMM_DECLARE(avx2);
GEMM_DECLARE(avx512);
/* The loaders of a format, by enum isa. */
#define GEMM_LOADERS(name) {&gemm_##name##_plain, &gemm_##name##_avx2, &gemm_##name##_avx512}
#else
#define GEMM_LOADERS(name) {&gemm_##name##_plain}
#endif

#endif
