/* matrix_ggml.c - matrices in ggml's blocks, which run along the inputs of an output.
 *
 * `stride` items, whole blocks, from one row to the next. `index`, where there is one, has for each
 * output the row that is its own (uint32_t); `scales` one float that all is multiplied by. */
#include <stdint.h>

#include "base/file.h"
#include "math/gemm_matrix.h"
#include "tensor/ggml_blocks.h"

static enum ggml_format format_of(const struct gemm_matrix *matrix)
{
    return (enum ggml_format)(matrix->format - matrix_ggml);
}

static const char *row_of(const struct gemm_matrix *matrix, size_t out)
{
    const struct ggml_type *type = ggml_type(format_of(matrix));
    const uint32_t *index = matrix->index;
    size_t row = index ? index[out] : out;

    return (const char *)matrix->data +
           row * (matrix->stride / type->block_items) * type->block_bytes;
}

static void widen(const struct gemm_matrix *matrix, size_t out, size_t n_out, size_t in,
                  size_t n_in, float *block)
{
    const float *scale = matrix->scales;

    for (size_t i = 0; i < n_out; i++)
        ggml_decode_range(format_of(matrix), row_of(matrix, out + i), in, n_in, block + i * n_in);
    for (size_t i = 0; scale && i < n_out * n_in; i++)
        block[i] *= *scale;
}

/* Without an index; with one, rows are fetched as they are used. */
static void prefetch(const struct gemm_matrix *matrix)
{
    const char *first = row_of(matrix, matrix->first_out);

    if (!matrix->index && matrix->n_out)
        file_prefetch(first, (size_t)(row_of(matrix, matrix->first_out + matrix->n_out) - first));
}

#define FORMAT(name) [GGML_##name] = {#name, DTYPE_U8, false, widen, prefetch, NULL, {NULL}, NULL}

const struct matrix_format matrix_ggml[N_GGML_BLOCKS] = {
    FORMAT(Q4_0),   FORMAT(Q4_1),  FORMAT(Q5_0),  FORMAT(Q5_1),    FORMAT(Q8_0),
    FORMAT(Q2_K),   FORMAT(Q3_K),  FORMAT(Q4_K),  FORMAT(Q5_K),    FORMAT(Q6_K),
    FORMAT(IQ1_S),  FORMAT(IQ1_M), FORMAT(IQ2_XXS), FORMAT(IQ2_XS), FORMAT(IQ2_S),
    FORMAT(IQ3_XXS), FORMAT(IQ3_S), FORMAT(IQ4_NL), FORMAT(IQ4_XS), FORMAT(TQ1_0),
    FORMAT(TQ2_0),  FORMAT(MXFP4), FORMAT(NVFP4), FORMAT(Q1_0),    FORMAT(Q2_0),
};
