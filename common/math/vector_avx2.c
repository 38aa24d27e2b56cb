/* vector_avx2.c - vector_body.h for processors with AVX2. */
#if defined(__x86_64__)
#define LANES 8
#include "math/vector_body.h"
#endif
