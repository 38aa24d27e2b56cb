/* gemm_int8_vnni.c - products of integers for processors with AVX512_VNNI. */
#if defined(__x86_64__)
#define LANES 8
#define INT8_VNNI
#include "math/gemm_int8_body.h"
#include "math/gemm_int8_k_body.h"
#endif
