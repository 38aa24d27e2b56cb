/* packed_nibbles.h - what kernels must know of matrices of four bits in words, as GPTQ has them; where
 * struct tensor_blocks (tensor_source.h) and struct gemm_matrix have:
 *
 *   data      words [n_in / 8, stride]: inputs 8 i to 8 i + 7 of an output, the first in the lowest bits
 *   scales    [groups, stride], of `scale_dtype`, aligned to nothing
 *   zeros     uint8_t [groups, stride]
 *   index     NULL, or the group of each input: uint32_t [n_in]
 *   settings  struct packed_nibbles
 *
 * W[o, i] = (q - zero) scale, rounded to float once. */
#ifndef COCKTAIL_PACKED_NIBBLES_H
#define COCKTAIL_PACKED_NIBBLES_H

#include <stddef.h>

#include "tensor/dtype.h"

#define PACKED_NIBBLES "nibbles in columns of words" /* for matrix_format_find */

/* No scale of F32 is smaller than this, but for 0: a 65,536th of it is exact. */
#define PACKED_NIBBLES_SCALE_MIN 0x1p-90f

struct packed_nibbles {
    enum dtype scale_dtype; /* F32, F16 or BF16 */
    size_t group_size;      /* of inputs, a multiple of 8; with an index of no account */
};

#endif
