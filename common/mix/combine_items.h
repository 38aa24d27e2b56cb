/* combine_items.h - for the methods: items of an input as doubles, and doubles as items of the output.
 *
 * Everything passes through blocks of doubles that stay in the first-level cache. */
#ifndef COCKTAIL_COMBINE_ITEMS_H
#define COCKTAIL_COMBINE_ITEMS_H

#include <math.h>

#include "base/error.h"
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

/* ERROR_USAGE when the weights sum to 0, or nearly, for a method that divides by their sum. */
static inline int combine_check_sum(const struct combine_call *call, struct error *err)
{
    double sum = 0, size = 0;

    for (size_t i = 0; i < call->n_inputs; i++) {
        sum += call->inputs[i].weight;
        size += fabs(call->inputs[i].weight);
    }
    return fabs(sum) > 1e-9 * size ? 0
                                   : error_set(err, ERROR_USAGE, "the weights sum to %.10g, and "
                                               "cannot be divided by that", sum);
}

#endif
