/* gemm_fast.h - products that round x, for who asks for speed: --compute fast.
 *
 * What a row of x gets follows from it and from W alone, as gemm.h promises, but it is not the
 * product of floats. Weights in ggml's blocks: x is rounded to integers of eight bits, 32 or 256
 * inputs to a scale, and integers are multiplied (gemm_int8.h). F32, F16 and BF16 in rows of outputs: x is
 * rounded to bf16, and W, where it is not that already (gemm_bf16.h), but not keys of attention. Other
 * weights, and what the processor lacks, have no such way. For gemm.c and for tests. */
#ifndef COCKTAIL_GEMM_FAST_H
#define COCKTAIL_GEMM_FAST_H

#include <stdbool.h>

#include "base/isa.h"
#include "math/gemm_fast_way.h"
#include "math/gemm_matrix.h"

/* The way for such weights with these instructions; NULL: none. */
const struct gemm_fast *gemm_fast_find(const struct gemm_matrix *w, enum isa isa);

/* What of the fast ways the processor has. */
bool gemm_fast_has_bf16(enum isa isa);
bool gemm_fast_has_int8(enum isa isa);

#endif
