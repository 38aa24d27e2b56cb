/* blas.h - OpenBLAS, loaded when the first matrix product needs it.
 *
 * Linked as usual it would cost every start of the program some milliseconds (its threads, the
 * Fortran library), also the commands that run no model. It runs single-threaded in the threads of
 * our pool, several at a time: so our tiles decide which sums are formed, not its thread count. */
#ifndef COCKTAIL_BLAS_H
#define COCKTAIL_BLAS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Loads the library, once per process. ERROR_UNSUPPORTED when it is not there, ERROR_RESOURCES without
 * memory. */
int blas_load(struct error *err);

/* c [m, n] = factor * a b + keep * c, rows *_stride items apart; a is [m, k], or stored as [k, m]
 * where a_is_transposed; likewise b [k, n]. With keep 0, c is not read. Sizes and strides are
 * below 2^31; blas_load has succeeded. */
void blas_sgemm(bool a_is_transposed, bool b_is_transposed, size_t m, size_t n, size_t k,
                float factor, const float *a, size_t a_stride, const float *b, size_t b_stride,
                float keep, float *c, size_t c_stride);

#endif
