/* gemm_int8.h - products of weights in ggml's blocks with x rounded to integers of eight bits.
 *
 * Weights are integers times a scale, and so is x, of which q goes from -127 to 127 and d is the largest
 * magnitude / 127. Sums of products of integers are exact, in whatever order; where they become floats is
 * settled here, so that all versions give the same bits, for any number of rows.
 *
 * Blocks of 32 (gemm_int8_body.h): d is that of 32 inputs. A group's sums of four neighbouring products are
 * eight integers; each becomes a float, and is added by a fused multiply-add, with scale * d, to one of eight
 * floats: there are eight for groups of even number, and eight for the others. In the end
 * s[j] = even[j] + odd[j], then s[j] + s[j + 4], of these 0 + 2 and 1 + 3, and these two.
 *
 * Blocks of 256 (gemm_int8_k_body.h): d is that of 256 inputs, of which eight groups of 32, or 16 of 16,
 * have an integer each that the block's scale multiplies. Integer number j, of eight, is the sum of group's
 * integer * weight * q of inputs 4 j to 4 j + 3 of each 32. Its float times the block's scale, less (Q4_K,
 * Q5_K) the scale of minima times group j's minimum and sum of q, is v[j], by one fused multiply-add; and
 * s[j] += v[j] d by another. In the end s is added up as above. For gemm_fast.c. */
#ifndef COCKTAIL_GEMM_INT8_H
#define COCKTAIL_GEMM_INT8_H

#include <stdbool.h>

#include "math/gemm_fast_way.h"
#include "tensor/ggml_blocks.h"

/* Whether a format has one of the two ways. */
bool int8_takes(enum ggml_format format);
bool int8_k_takes(enum ggml_format format);

extern const struct gemm_fast gemm_int8_plain, gemm_int8_k_plain;
#if defined(__x86_64__)
extern const struct gemm_fast gemm_int8_avx2, gemm_int8_vnni;
extern const struct gemm_fast gemm_int8_k_avx2, gemm_int8_k_vnni;
#endif

#endif
