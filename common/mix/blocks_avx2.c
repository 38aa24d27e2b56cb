/* blocks_avx2.c - blocks_body.h for processors with AVX2. */
#if defined(__x86_64__)
#define LANES 8
#include "mix/blocks_body.h"
#endif
