/* lapack.h - the routines of LAPACK and BLAS that decompositions need, out of OpenBLAS or, where that was
 * built without them, out of LAPACK's own library; loaded when the first one is asked for. */
#ifndef COCKTAIL_LAPACK_H
#define COCKTAIL_LAPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Loads the library, once per process. ERROR_UNSUPPORTED when it is not there, ERROR_RESOURCES without
 * memory. */
int lapack_load(struct error *err);

/* a [n_rows, n_cols] = u [n_rows, k] * diag(values [k]) * vt [k, n_cols] with k the smaller of both
 * sizes, largest value first; what was in `a` is lost. lapack_load has succeeded. ERROR_RESOURCES
 * without memory, ERROR_UNSUPPORTED when it does not converge or is larger than LAPACK counts. */
int lapack_svd(float *a, size_t n_rows, size_t n_cols, float *u, float *values, float *vt,
               struct error *err);

/* The eigenvectors of the symmetric a [n, n], into its rows, and their values, smallest first; errors
 * as above. */
int lapack_eigen(double *a, size_t n, double *values, struct error *err);
/* gram [n, n] += x x^T for x [n, n_items], or, if it is tall, x^T x for x [n_items, n]; only the half that
 * lapack_eigen reads. Sizes are below 2^31; lapack_load has succeeded. */
void lapack_add_gram(double *gram, size_t n, const double *x, size_t n_items, bool is_tall);

#endif
