/* ggml_blocks_avx512.c - ggml_blocks_body.h for processors with AVX-512 F. */
#if defined(__x86_64__)
#define LANES 16
#include "tensor/ggml_blocks_body.h"
#endif
