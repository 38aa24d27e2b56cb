#include "linear.h"

#include "math/vector.h"

void linear_run(const struct engine *engine, const struct linear *linear, const float *x,
                size_t n_rows, float *y, size_t y_stride)
{
    gemm_multiply(engine->gemm, n_rows, x, linear->matrix.n_in, &linear->matrix, linear->bias, y,
                  y_stride);
}

void linear_block(const struct engine *engine, size_t worker, const struct linear *linear,
                  const float *x, size_t n_rows, float *y)
{
    size_t n_in = linear->matrix.n_in, n_out = linear->matrix.n_out;

    gemm_block(engine->gemm, worker, n_rows, x, n_in, &linear->matrix, 1, false, NULL, y, n_out);
    for (size_t r = 0; linear->bias && r < n_rows; r++)
        vector_add(linear->bias, n_out, y + r * n_out);
}

void norm_run(const struct norm *norm, enum norm_kind kind, float eps, const float *x, size_t n,
              float *y)
{
    if (kind == NORM_LAYER || kind == NORM_LAYER_OFFSET)
        vector_layer_norm(x, norm->weight, norm->bias, eps, n, y);
    else
        vector_rms_norm(x, norm->weight, kind == NORM_RMS_OFFSET ? 1 : 0, eps, n, y);
}
