/* gemm_int8_vnni.c - gemm_int8_body.h for processors with AVX512_VNNI. */
#if defined(__x86_64__)
#define LANES 8
#define INT8_VNNI
#include "math/gemm_int8_body.h"
#endif
