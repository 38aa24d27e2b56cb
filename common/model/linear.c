#include "linear.h"

#include "math/vector.h"

void linear_run(const struct engine *engine, const struct linear *linear, const float *x,
                size_t n_rows, float *y, size_t y_stride)
{
    gemm_multiply(engine->gemm, n_rows, x, linear->matrix.n_in, &linear->matrix, linear->bias, y,
                  y_stride);
}

void linear_run_each(const struct engine *engine, const struct linear *const *linears, size_t n,
                     const float *x, size_t n_rows, float *const *y, const size_t *y_strides)
{
    struct gemm_product products[LINEARS_MAX];

    for (size_t i = 0; i < n; i++)
        products[i] = (struct gemm_product){&linears[i]->matrix, linears[i]->bias, y[i], y_strides[i]};
    gemm_multiply_each(engine->gemm, n_rows, x, linears[0]->matrix.n_in, products, n);
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
