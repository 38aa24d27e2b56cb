/* gemm.h - the one door to matrix products: y = x W^T.
 *
 * x and y are float, W is used as it is stored: float, or 16-bit numbers that are widened block by
 * block on the way. The work is cut into fixed tiles, so that a product has the same bits on any
 * number of threads. Which kernels do it is decided once, by what the processor has. */
#ifndef COCKTAIL_GEMM_H
#define COCKTAIL_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/threads.h"
#include "tensor/dtype.h"

struct gemm_matrix { /* W [n_out, n_in]; borrowed */
    const void *data;
    enum dtype dtype;     /* DTYPE_F32, DTYPE_F16 or DTYPE_BF16; data need not be aligned */
    size_t n_out, n_in;
    size_t stride;        /* items from one row, as stored, to the next */
    bool is_transposed;   /* stored as [n_in, n_out]: GPT-2's Conv1D, or V in attention */
};

/* From the first item to the last, as stored. */
size_t gemm_matrix_bytes(const struct gemm_matrix *matrix);

struct gemm; /* kernels, and scratch memory for each worker of the pool */

/* NULL with ERROR_RESOURCES, or ERROR_UNSUPPORTED when OpenBLAS cannot be loaded. `threads` is
 * borrowed. Freed with gemm_free. */
struct gemm *gemm_new(struct threads *threads, struct error *err);
void gemm_free(struct gemm *gemm);

/* y [n_rows, n_out] = x [n_rows, n_in] * W^T + bias, rows y_stride and x_stride items apart; bias
 * [n_out] or NULL. On all threads of the pool. */
void gemm_multiply(struct gemm *gemm, size_t n_rows, const float *x, size_t x_stride,
                   const struct gemm_matrix *w, const float *bias, float *y, size_t y_stride);

/* y = factor * x W^T, or y += factor * x W^T, on the calling thread alone; for use inside a task of
 * the pool, whose `worker` says which scratch memory is its own. */
void gemm_block(struct gemm *gemm, size_t worker, size_t n_rows, const float *x, size_t x_stride,
                const struct gemm_matrix *w, float factor, bool adds, float *y, size_t y_stride);

#endif
