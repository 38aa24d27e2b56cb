/* gemm_avx512.c - gemm_body.h for processors with AVX-512 F. */
#if defined(__x86_64__)
#define LANES 16
#include "math/gemm_body.h"
#endif
