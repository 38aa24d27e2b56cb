/* linear.h - a linear layer, and a norm. */
#ifndef COCKTAIL_LINEAR_H
#define COCKTAIL_LINEAR_H

#include <stddef.h>

#include "arch/model_spec.h"
#include "model/engine.h"
#include "model/model_weights.h"

/* y [n_rows, n_out] = x [n_rows, n_in] W^T + bias; the rows of y are y_stride items apart, those of
 * x have no gaps. */
void linear_run(const struct engine *engine, const struct linear *linear, const float *x,
                size_t n_rows, float *y, size_t y_stride);

enum { LINEARS_MAX = 3 };
/* n <= LINEARS_MAX of them with the same rows of x. */
void linear_run_each(const struct engine *engine, const struct linear *const *linears, size_t n,
                     const float *x, size_t n_rows, float *const *y, const size_t *y_strides);

/* linear_run without gaps in y, on the calling thread alone, a `worker` of the pool. */
void linear_block(const struct engine *engine, size_t worker, const struct linear *linear,
                  const float *x, size_t n_rows, float *y);

/* y = norm(x), n items; y may be x. */
void norm_run(const struct norm *norm, enum norm_kind kind, float eps, const float *x, size_t n,
              float *y);

#endif
