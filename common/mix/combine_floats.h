/* combine_floats.h - for methods that compute in float: blocks of COMBINE_BLOCK_ITEMS floats.
 *
 * Blocks are always computed whole, so that the loops over them have a length that the compiler
 * knows; what lies behind the last item of a tensor is 0, and never written. */
#ifndef COCKTAIL_COMBINE_FLOATS_H
#define COCKTAIL_COMBINE_FLOATS_H

#include <stddef.h>

#include "mix/combine_items.h"

/* out[COMBINE_BLOCK_ITEMS] = n items of the input from item `first` on, then 0. What no float can
 * hold, in F64, is rounded. */
void combine_read_floats(const struct combine_input *input, size_t first, size_t n, float *out);
/* out = what combine_read_floats reads, less base, a block likewise read. */
void combine_read_difference(const struct combine_input *input, size_t first, size_t n,
                             const float *base, float *out);
/* Items first … first + n - 1 of out = in[n], rounded once to the mixable dtype, NaN canonical. */
void combine_write_floats(enum dtype dtype, const float *in, void *out, size_t first, size_t n);

#endif
