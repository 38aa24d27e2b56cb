/* q8_0.h - floats to the Q8_0 format of ggml, byte for byte as ggml stores them.
 *
 * A block of 32 has one scale d, the largest magnitude divided by 127, and for each value the whole
 * number nearest to x / d, halves away from zero. d is rounded to f16 when that is done. A NaN makes
 * its block NaN. Source: docs/formats.md, "GGUF". */
#ifndef COCKTAIL_Q8_0_H
#define COCKTAIL_Q8_0_H

#include <stddef.h>

enum { Q8_0_ITEMS = 32, Q8_0_BYTES = 34 };

/* out [n_blocks * Q8_0_BYTES] = in [n_blocks * Q8_0_ITEMS], neither of them aligned to anything. */
void q8_0_pack(const void *in, size_t n_blocks, void *out);

#endif
