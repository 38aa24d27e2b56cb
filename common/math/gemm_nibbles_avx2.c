/* gemm_nibbles_avx2.c - gemm_nibbles_body.h for processors with AVX2. */
#if defined(__x86_64__)
#define LANES 8
#include "math/gemm_nibbles_body.h"
#endif
