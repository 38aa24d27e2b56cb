/* gemm_bf16.h - products of plain weights in bf16, where the processor has AVX512_BF16.
 *
 * x is rounded to bf16, and W, where it is not that already; products are exact, sums are float: in
 * each block of GEMM_BF16_BLOCK inputs sixteen of them, each of two neighbouring inputs of every 32
 * (the instruction flushes subnormals and rounds each pair its own way), inputs ascending; then of
 * the four quarters of these (0 + 1) + (2 + 3), and of the four that are left (0 + 1) + (2 + 3). A block's sum,
 * times the factor, is added to those before it. For gemm_fast.c. */
#ifndef COCKTAIL_GEMM_BF16_H
#define COCKTAIL_GEMM_BF16_H

#include "math/gemm_bf16_many.h" /* GEMM_BF16_BLOCK */
#include "math/gemm_fast_way.h"

enum {
    GEMM_BF16_OUT = 64, /* outputs whose weights are laid out at once */
    GEMM_BF16_SHORT = 128, /* inputs: so few, as keys have them, take as long to round */
};

extern const struct gemm_fast gemm_bf16;

/* F32, F16 or BF16 in rows of outputs, of more than GEMM_BF16_SHORT inputs. */
bool gemm_bf16_takes(const struct gemm_matrix *w);

#endif
