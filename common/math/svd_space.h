/* svd_space.h - a growing space that holds the largest singular vectors of a matrix better and better: a
 * block of random vectors times the matrix, that times matrix and transpose, and so on, all of them
 * orthonormal. For svd.c. */
#ifndef COCKTAIL_SVD_SPACE_H
#define COCKTAIL_SVD_SPACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "math/gemm.h"

struct svd_space {
    struct gemm *gemm;
    const float *a;       /* [n_rows, n_cols], borrowed */
    size_t n_rows, n_cols;
    size_t n_block, n_most;
    float *vectors;       /* [n_vectors, n_rows], orthonormal */
    float *products;      /* [n_vectors, n_cols]: each times a */
    size_t n_vectors;
    size_t n_last;        /* of them came in the last step */
    double *gram;         /* [n_vectors, n_most]: products by products, below the diagonal and on it */
    float *block, *scratch;
};

/* Empty; of at most n_most vectors, n_block more with each step. Released with svd_space_release, also
 * after ERROR_RESOURCES. */
int svd_space_init(struct svd_space *space, const float *a, size_t n_rows, size_t n_cols,
                   size_t n_block, size_t n_most, struct gemm *gemm, struct error *err);
void svd_space_release(struct svd_space *space);

/* One step; n_vectors + n_block <= n_most. False when there is nothing new: the space is what the matrix
 * maps into itself. */
bool svd_space_grow(struct svd_space *space);
/* gram [n_vectors, n_vectors]: the matrix times its transpose, seen in the space. */
void svd_space_gram(const struct svd_space *space, double *gram);
/* left [n, n_rows] = turn [n, n_vectors] * vectors, right [n, n_cols] = turn * products. */
void svd_space_turn(const struct svd_space *space, const float *turn, size_t n, float *left,
                    float *right);

#endif
