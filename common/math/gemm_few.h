/* gemm_few.h - products of some rows with plain weights that are not transposed, where the processor
 * has AVX-512: what gemm_kernels.h says, to the bit, without laying out panels. For gemm_tile.c. */
#ifndef COCKTAIL_GEMM_FEW_H
#define COCKTAIL_GEMM_FEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/isa.h"
#include "math/gemm_kernels.h"
#include "math/gemm_matrix.h"

enum {
    GEMM_FEW_ROWS = 64, /* with more, turned panels are as fast */
    GEMM_FEW_SCRATCH = GEMM_FEW_ROWS * (GEMM_BLOCK_IN + GEMM_LANES),
};

/* y [n_rows, w->n_out] = factor * x W^T, or y += it where `adds`; x [n_rows, n_in]; scratch
 * [GEMM_FEW_SCRATCH]. False, and nothing is done, where there is a better way. */
bool gemm_few_multiply(const struct gemm_matrix *w, enum isa isa, size_t n_rows, const float *x,
                       size_t x_stride, float factor, bool adds, float *y, size_t y_stride,
                       float *scratch);

#endif
