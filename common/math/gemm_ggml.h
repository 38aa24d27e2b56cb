/* gemm_ggml.h - what kernels know of matrices in ggml's blocks, for matrix_ggml.c and the loaders. */
#ifndef COCKTAIL_GEMM_GGML_H
#define COCKTAIL_GEMM_GGML_H

#include "math/gemm_kernels.h"

/* Where the blocks of an output begin. */
const char *gemm_ggml_row(const struct gemm_matrix *matrix, size_t out);

#define GEMM_GGML_DECLARE(isa)                                                                    \
    extern const struct gemm_loader gemm_q8_0_##isa, gemm_q4_0_##isa, gemm_q5_0_##isa,            \
        gemm_iq4_nl_##isa, gemm_mxfp4_##isa, gemm_q4_k_##isa, gemm_q5_k_##isa, gemm_q6_k_##isa
GEMM_GGML_DECLARE(plain);
#if defined(__x86_64__)
GEMM_GGML_DECLARE(avx2);
GEMM_GGML_DECLARE(avx512);
#endif

#endif
