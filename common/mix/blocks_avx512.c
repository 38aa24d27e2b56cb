/* blocks_avx512.c - blocks_body.h for processors with AVX-512. */
#if defined(__x86_64__)
#define LANES 16
#include "mix/blocks_body.h"
#endif
