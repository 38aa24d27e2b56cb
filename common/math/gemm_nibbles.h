/* gemm_nibbles.h - what kernels know of matrices of four bits in words (tensor/packed_nibbles.h), for
 * matrix_nibbles.c and the loaders. */
#ifndef COCKTAIL_GEMM_NIBBLES_H
#define COCKTAIL_GEMM_NIBBLES_H

#include "math/gemm_kernels.h"

extern const struct gemm_loader gemm_nibbles_plain;
#if defined(__x86_64__)
extern const struct gemm_loader gemm_nibbles_avx2, gemm_nibbles_avx512;
#endif

#endif
