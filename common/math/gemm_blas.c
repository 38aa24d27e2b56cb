#include "gemm_blas.h"

#include "math/blas.h"

enum { BLOCK = 256 }; /* inputs and outputs: what W is widened to stays in the second-level cache */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void gemm_blas_multiply(size_t n_rows, const float *x, size_t x_stride, const struct gemm_matrix *w,
                        float factor, bool adds, float *y, size_t y_stride, float *scratch)
{
    bool is_transposed = w->format->is_transposed;

    for (size_t out = 0; out < w->n_out; out += BLOCK)
        for (size_t in = 0; in < w->n_in; in += BLOCK) {
            size_t n_out = smaller(w->n_out - out, BLOCK), n_in = smaller(w->n_in - in, BLOCK);

            gemm_matrix_widen(w, out, n_out, in, n_in, scratch);
            blas_sgemm(false, !is_transposed, n_rows, n_out, n_in, factor, x + in, x_stride, scratch,
                       is_transposed ? n_out : n_in, adds || in > 0 ? 1 : 0, y + out,
                       y_stride);
        }
}
