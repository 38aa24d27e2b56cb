/* combine_items.h - for the methods: items of an input as doubles, and doubles as items of the output.
 *
 * Everything passes through blocks of doubles that stay in the first-level cache. */
#ifndef COCKTAIL_COMBINE_ITEMS_H
#define COCKTAIL_COMBINE_ITEMS_H

#include "mix/combine_method.h"

enum { COMBINE_BLOCK_ITEMS = 512 };

static inline size_t combine_item_bytes(enum dtype dtype)
{
    return dtype_info(dtype)->n_bits / 8;
}

/* out[n] = items first … first + n - 1 of the input. */
static inline void combine_read(const struct combine_input *input, size_t first, double *out,
                                size_t n)
{
    const char *values = input->values;

    dtype_to_double(input->dtype, values + first * combine_item_bytes(input->dtype), out, n);
}

/* Items first … first + n - 1 of out, of a mixable dtype, = in[n]. */
static inline void combine_write(enum dtype dtype, const double *in, void *out, size_t first,
                                 size_t n)
{
    dtype_from_double(dtype, in, (char *)out + first * combine_item_bytes(dtype), n);
}

#endif
