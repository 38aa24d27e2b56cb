/* matrix_plain.c - matrices of F32, F16 and BF16, one number behind the other in rows.
 *
 * A row, as stored, is an output's weights, or an input's where the matrix is transposed. */
#include <limits.h>
#include <stdint.h>

#include "base/file.h"
#include "math/gemm_amx.h"
#include "math/gemm_kernels.h"
#include "math/gemm_matrix.h"
#include "math/vector.h"

static size_t item_bytes(const struct gemm_matrix *matrix)
{
    return dtype_info(matrix->format->dtype)->n_bits / 8;
}

static const char *address_of(const struct gemm_matrix *matrix, size_t out, size_t in)
{
    size_t at = matrix->format->is_transposed ? in * matrix->stride + out
                                              : out * matrix->stride + in;

    return (const char *)matrix->data + at * item_bytes(matrix);
}

static void widen(const struct gemm_matrix *matrix, size_t out, size_t n_out, size_t in,
                  size_t n_in, float *block)
{
    bool is_transposed = matrix->format->is_transposed;
    size_t n_rows = is_transposed ? n_in : n_out, n_items = is_transposed ? n_out : n_in;
    size_t step = matrix->stride * item_bytes(matrix);
    const char *row = address_of(matrix, out, in);

    for (size_t i = 0; i < n_rows; i++)
        vector_widen(matrix->format->dtype, row + i * step, n_items, block + i * n_items);
}

static void prefetch(const struct gemm_matrix *matrix)
{
    bool is_transposed = matrix->format->is_transposed;
    size_t n_rows = is_transposed ? matrix->n_in : matrix->n_out;
    size_t n_items = is_transposed ? matrix->n_out : matrix->n_in;

    file_prefetch(address_of(matrix, matrix->first_out, 0),
                  ((n_rows - 1) * matrix->stride + n_items) * item_bytes(matrix));
}

/* OpenBLAS counts in ints. */
static const float *floats(const struct gemm_matrix *matrix)
{
    const void *items = address_of(matrix, matrix->first_out, 0);

    return (uintptr_t)items % sizeof(float) || matrix->stride > INT_MAX ? NULL : items;
}

static void multiply_tiles(const struct gemm_matrix *matrix, size_t n_rows, const void *packed,
                           float *sums, float *y, size_t y_stride)
{
    amx_multiply(n_rows, packed, address_of(matrix, matrix->first_out, 0), matrix->stride,
                 matrix->n_out, matrix->n_in, sums, y, y_stride);
}

const struct matrix_format matrix_f32 = {"F32", DTYPE_F32, false, widen, prefetch, NULL,
                                         GEMM_ROW_LOADERS(f32), NULL};
const struct matrix_format matrix_f16 = {"F16", DTYPE_F16, false, widen, prefetch, NULL,
                                         GEMM_ROW_LOADERS(f16), NULL};
const struct matrix_format matrix_bf16 = {"BF16", DTYPE_BF16, false, widen, prefetch, NULL,
                                          GEMM_ROW_LOADERS(bf16), multiply_tiles};
const struct matrix_format matrix_f32_transposed = {
    "F32 transposed", DTYPE_F32, true, widen, prefetch, floats, GEMM_LOADERS(f32_transposed), NULL};
const struct matrix_format matrix_f16_transposed = {
    "F16 transposed", DTYPE_F16, true, widen, prefetch, NULL, GEMM_LOADERS(f16_transposed), NULL};
const struct matrix_format matrix_bf16_transposed = {
    "BF16 transposed", DTYPE_BF16, true, widen, prefetch, NULL, GEMM_LOADERS(bf16_transposed), NULL};

const struct matrix_format *matrix_format_plain(enum dtype dtype, bool is_transposed)
{
    static const struct matrix_format *const plain[][2] = {
        {&matrix_f32, &matrix_f32_transposed},
        {&matrix_f16, &matrix_f16_transposed},
        {&matrix_bf16, &matrix_bf16_transposed},
    };

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (plain[i][0]->dtype == dtype)
            return plain[i][is_transposed];
    return NULL;
}
