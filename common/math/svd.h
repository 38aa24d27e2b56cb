/* svd.h - the best approximation of a matrix by one of low rank.
 *
 * Far below the full rank the space that the largest singular vectors span is built up by a randomized
 * block Krylov method (Musco and Musco 2015: as power iterations, but nothing computed on the way is thrown
 * away), until what it captures no longer grows; near it, or where that does not settle, LAPACK
 * decomposes the whole matrix, a large one by the eigenvectors of its Gram matrix. The result depends on the matrix alone, not on the number of threads. */
#ifndef COCKTAIL_SVD_H
#define COCKTAIL_SVD_H

#include <stddef.h>

#include "base/error.h"
#include "math/gemm.h"

struct svd { /* a [n_rows, n_cols] ~ left^T right */
    size_t rank;
    float *left;    /* [rank, n_rows]: left singular vectors, each by the root of its value */
    float *right;   /* [rank, n_cols]: right ones, likewise */
    double *values; /* [rank], largest first */
    double norm;    /* of the matrix (Frobenius) */
    double error;   /* |a - left^T right|, measured with these very factors */
};

/* How much is kept: `rank` values, or, where that is 0, as few as have that share of the squared norm. */
struct svd_size {
    size_t rank;   /* more than the matrix has: all */
    double energy; /* in (0, 1] */
};

/* The share of the squared norm that is kept; 1 of a matrix of zeros. */
double svd_kept_energy(const struct svd *svd);
double svd_relative_error(const struct svd *svd); /* error / norm; 0 of a matrix of zeros */

/* `a` must be finite. A matrix of zeros has rank 0. The error is within 1e-4 of the least that the
 * rank can have, plus 1e-5 of the norm. ERROR_RESOURCES, and the errors of lapack.h. Released with
 * svd_release. */
int svd_approximate(struct svd *svd, const float *a, size_t n_rows, size_t n_cols,
                    struct svd_size size, struct gemm *gemm, struct error *err);
/* The same of the product left^T right, left [n, n_rows] and right [n, n_cols], which is not made: for an n
 * far below both sizes. `rank` is at most what the product has; the error is the least, and computed. */
int svd_of_product(struct svd *svd, const float *left, const float *right, size_t n, size_t n_rows,
                   size_t n_cols, size_t rank, struct error *err);
void svd_release(struct svd *svd);

#endif
