/* gemm_nibbles_avx512.c - gemm_nibbles_body.h for processors with AVX-512. */
#if defined(__x86_64__)
#define LANES 16
#include "math/gemm_nibbles_body.h"
#endif
