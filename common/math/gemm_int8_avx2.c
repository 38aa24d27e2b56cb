/* gemm_int8_avx2.c - products of integers for processors with AVX2. */
#if defined(__x86_64__)
#define LANES 8
#include "math/gemm_int8_body.h"
#include "math/gemm_int8_k_body.h"
#endif
