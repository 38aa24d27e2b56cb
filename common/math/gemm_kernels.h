/* gemm_kernels.h - products of few rows, for gemm.c and for tests.
 *
 * Each weight is read from memory once, in the dtype in which it is stored, for all rows. */
#ifndef COCKTAIL_GEMM_KERNELS_H
#define COCKTAIL_GEMM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/dtype.h"

/* y [n_rows, n_out] = factor * x W^T, or y += it where `adds`. x [n_rows, n_in]; W [n_out, n_in] of
 * F32, F16 or BF16, or stored as [n_in, n_out] where is_transposed, not aligned. Any sizes, also
 * 0; made for few rows. */
typedef void gemm_kernel(enum dtype dtype, bool is_transposed, size_t n_rows, const float *x,
                         size_t x_stride, const void *w, size_t w_stride, size_t n_out,
                         size_t n_in, float factor, bool adds, float *y, size_t y_stride);

struct gemm_version {
    const char *name;
    gemm_kernel *multiply;
};

extern const struct gemm_version gemm_plain;
#if defined(__x86_64__)
extern const struct gemm_version gemm_avx2, gemm_avx512;
#endif

/* Version i, slowest first, "plain" is 0; NULL behind the last that this processor can run. */
const struct gemm_version *gemm_version(size_t i);

#endif
