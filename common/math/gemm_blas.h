/* gemm_blas.h - products by OpenBLAS: the other opinion that tests ask for, and what COCKTAIL_ISA=blas
 * chooses. */
#ifndef COCKTAIL_GEMM_BLAS_H
#define COCKTAIL_GEMM_BLAS_H

#include <stdbool.h>
#include <stddef.h>

#include "math/gemm_matrix.h"

enum { GEMM_BLAS_SCRATCH = 1 << 16 }; /* floats */

/* y [n_rows, n_out] = factor * x W^T, or y += it where `adds`; x [n_rows, n_in]; scratch
 * [GEMM_BLAS_SCRATCH]. n_in > 0; n_rows and the strides are at most INT_MAX; blas_load has
 * succeeded. */
void gemm_blas_multiply(size_t n_rows, const float *x, size_t x_stride, const struct gemm_matrix *w,
                        float factor, bool adds, float *y, size_t y_stride, float *scratch);

#endif
