/* vector_avx512.c - vector_body.h for processors with AVX-512 F. */
#if defined(__x86_64__)
#define LANES 16
#include "math/vector_body.h"
#endif
