/* gemm.h - the one door to matrix products: y = x W^T.
 *
 * x and y are float, W is used as it is stored (gemm_matrix.h): what is not float is widened on the
 * way. What a row of x gets follows from it and from W alone, bit for bit: never from the number of
 * rows, what stands in the others, the number of threads or what part of W is asked for; and all
 * versions of the kernels give the same (gemm_kernels.h has the order of sums). Products by AMX, and
 * those that round x for the sake of speed (gemm_fast.h), have an order of their own, of which the
 * same holds; OpenBLAS promises nothing. Which it is is settled by isa.h when a gemm is made. */
#ifndef COCKTAIL_GEMM_H
#define COCKTAIL_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/threads.h"
#include "math/gemm_matrix.h"

enum { GEMM_BLOCK_STRIDE = 256 }; /* the stride of x for which gemm_block does not copy it */

struct gemm; /* kernels, and scratch memory for each worker of the pool */

/* NULL with ERROR_RESOURCES, or ERROR_UNSUPPORTED when OpenBLAS is wanted and cannot be loaded.
 * `threads` is borrowed. Freed with gemm_free. */
struct gemm *gemm_new(struct threads *threads, struct error *err);
void gemm_free(struct gemm *gemm);

/* y [n_rows, n_out] = x [n_rows, n_in] * W^T + bias, rows y_stride and x_stride items apart; bias
 * [n_out] or NULL. On all threads of the pool. */
void gemm_multiply(struct gemm *gemm, size_t n_rows, const float *x, size_t x_stride,
                   const struct gemm_matrix *w, const float *bias, float *y, size_t y_stride);

struct gemm_product { /* all borrowed */
    const struct gemm_matrix *w;
    const float *bias; /* [n_out], or NULL */
    float *y;          /* [n_rows, n_out], rows y_stride items apart */
    size_t y_stride;
};

/* Several products with the same rows of x: each as gemm_multiply makes it, but what they share is
 * done once. No y overlaps another, or x. */
void gemm_multiply_each(struct gemm *gemm, size_t n_rows, const float *x, size_t x_stride,
                        const struct gemm_product *products, size_t n_products);

/* y = factor * x W^T, or y += factor * x W^T, on the calling thread alone; for use inside a task of
 * the pool, whose `worker` says which scratch memory is its own. `ranges` [n_rows] or NULL: the
 * inputs of each row that count, end <= n_in; others are not touched, as if W ended there. For a
 * transposed W only. */
void gemm_block(struct gemm *gemm, size_t worker, size_t n_rows, const float *x, size_t x_stride,
                const struct gemm_matrix *w, float factor, bool adds,
                const struct gemm_range *ranges, float *y, size_t y_stride);

#endif
