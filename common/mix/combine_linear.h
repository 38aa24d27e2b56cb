/* combine_linear.h - the versions of linear, for combine.c and one another. */
#ifndef COCKTAIL_COMBINE_LINEAR_H
#define COCKTAIL_COMBINE_LINEAR_H

#include "mix/combine.h"

/* Plain C, all mixable dtypes, items first … n-1 only. The fast versions leave to it the items
 * behind their last full vector, and all items when a dtype is not combine_is_common. */
void combine_linear_plain(const struct combine_input *inputs, size_t n_inputs, size_t first,
                          size_t n, enum dtype out_dtype, void *out);

/* All dtypes are among F32, F16 and BF16. */
bool combine_is_common(const struct combine_input *inputs, size_t n_inputs, enum dtype out_dtype);

#if defined(__x86_64__)
combine_kernel combine_linear_avx2, combine_linear_avx512;
#endif

#endif
