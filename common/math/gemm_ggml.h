/* gemm_ggml.h - what kernels know of matrices in ggml's blocks, for matrix_ggml.c and the loaders. */
#ifndef COCKTAIL_GEMM_GGML_H
#define COCKTAIL_GEMM_GGML_H

#include <stdint.h>

#include "math/gemm_kernels.h"
#include "math/gemm_matrix.h"

/* Where the blocks of an output begin. */
const char *gemm_ggml_row(const struct gemm_matrix *matrix, size_t out);

/* The same for many, of a format with blocks of so many items and bytes, constant in every call. */
static inline const char *gemm_ggml_row_of(const struct gemm_matrix *matrix, size_t out,
                                           size_t block_items, size_t block_bytes)
{
    const uint32_t *index = matrix->index;
    size_t row = index ? index[out] : out;

    return (const char *)matrix->data + row * (matrix->stride / block_items * block_bytes);
}

#define GEMM_GGML_DECLARE(isa)                                                                    \
    extern const struct gemm_loader gemm_q8_0_##isa, gemm_q4_0_##isa, gemm_q5_0_##isa,            \
        gemm_iq4_nl_##isa, gemm_mxfp4_##isa, gemm_q4_k_##isa, gemm_q5_k_##isa, gemm_q6_k_##isa
GEMM_GGML_DECLARE(plain);
#if defined(__x86_64__)
GEMM_GGML_DECLARE(avx2);
GEMM_GGML_DECLARE(avx512);
#endif

#endif
