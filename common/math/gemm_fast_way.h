/* gemm_fast_way.h - what a way of multiplying rounded rows of x is (gemm_fast.h). */
#ifndef COCKTAIL_GEMM_FAST_WAY_H
#define COCKTAIL_GEMM_FAST_WAY_H

#include <stdbool.h>
#include <stddef.h>

#include "math/gemm_matrix.h"

enum {
    GEMM_FAST_IN_MAX = 1 << 14,     /* inputs: weights with more have no such way */
    GEMM_FAST_SCRATCH = 42 * 1024,  /* floats of a product, aligned to 64 bytes */
    GEMM_FAST_ROW_MAX = 3 << 14,    /* bytes of a packed row, at most */
};

struct gemm_fast {
    const char *name;
    size_t (*row_bytes)(size_t n_in); /* of a packed row: a multiple of 64 */
    /* Rows of x, [w->n_in] each, for products with `w` and others of its format. */
    void (*pack)(const struct gemm_matrix *w, size_t n_rows, const float *x, size_t x_stride,
                 char *packed);
    /* y [n_rows, w->n_out] = factor * x W^T, or y += it where `adds`; packed: rows of x, aligned to
     * 64 bytes. Any number of rows. */
    void (*multiply)(const struct gemm_matrix *w, size_t n_rows, const char *packed, float factor,
                     bool adds, float *y, size_t y_stride, float *scratch);
};

#endif
