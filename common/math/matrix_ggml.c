/* matrix_ggml.c - matrices in ggml's blocks, which run along the inputs of an output.
 *
 * `stride` items, whole blocks, from one row to the next. `index`, where there is one, has for each
 * output the row that is its own (uint32_t); `scales` one float that all is multiplied by. */
#include <stdint.h>

#include "base/file.h"
#include "math/gemm_ggml.h"
#include "math/gemm_matrix.h"
#include "tensor/ggml_blocks.h"

static enum ggml_format format_of(const struct gemm_matrix *matrix)
{
    return (enum ggml_format)(matrix->format - matrix_ggml);
}

const char *gemm_ggml_row(const struct gemm_matrix *matrix, size_t out)
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
        ggml_decode_range(format_of(matrix), gemm_ggml_row(matrix, out + i), in, n_in, block + i * n_in);
    for (size_t i = 0; scale && i < n_out * n_in; i++)
        block[i] *= *scale;
}

/* Without an index; with one, rows are fetched as they are used. */
static void prefetch(const struct gemm_matrix *matrix)
{
    const char *first = gemm_ggml_row(matrix, matrix->first_out);

    if (!matrix->index && matrix->n_out)
        file_prefetch(first, (size_t)(gemm_ggml_row(matrix, matrix->first_out + matrix->n_out) - first));
}

#define FORMAT(name) [GGML_##name] = {#name, DTYPE_U8, false, widen, prefetch, NULL, {NULL}, NULL}
#define LOADED(name, loader)                                                                      \
    [GGML_##name] = {#name, DTYPE_U8, false, widen, prefetch, NULL, GEMM_LOADERS(loader), NULL}

const struct matrix_format matrix_ggml[N_GGML_BLOCKS] = {
    LOADED(Q4_0, q4_0), FORMAT(Q4_1),   LOADED(Q5_0, q5_0), FORMAT(Q5_1),  LOADED(Q8_0, q8_0),
    FORMAT(Q2_K),       FORMAT(Q3_K),   LOADED(Q4_K, q4_k), LOADED(Q5_K, q5_k),
    LOADED(Q6_K, q6_k), FORMAT(IQ1_S),  FORMAT(IQ1_M),      FORMAT(IQ2_XXS), FORMAT(IQ2_XS),
    FORMAT(IQ2_S),      FORMAT(IQ3_XXS), FORMAT(IQ3_S),     LOADED(IQ4_NL, iq4_nl), FORMAT(IQ4_XS),
    FORMAT(TQ1_0),      FORMAT(TQ2_0),  LOADED(MXFP4, mxfp4), FORMAT(NVFP4), FORMAT(Q1_0),
    FORMAT(Q2_0),
};
