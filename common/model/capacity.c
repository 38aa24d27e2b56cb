#include "capacity.h"

#include <math.h>
#include <string.h>

bool capacity_is_limited(const struct moe_spec *moe)
{
    return moe->capacity || moe->capacity_factor > 0;
}

size_t capacity_for(const struct moe_spec *moe, size_t n_tokens)
{
    double share = (double)moe->n_chosen * moe->capacity_factor * (double)n_tokens;
    size_t capacity;

    if (moe->capacity)
        return moe->capacity;
    /* More than all tokens is as good as all of them, and surely a size_t. */
    capacity = (size_t)fmin(floor(share / (double)moe->n_experts), (double)n_tokens);
    capacity += capacity % 2;
    return capacity > moe->min_capacity ? capacity : moe->min_capacity;
}

void capacity_drop(const struct moe_spec *moe, const uint32_t *experts, size_t n_tokens,
                   size_t *counts, float *weights)
{
    size_t capacity = capacity_for(moe, n_tokens), n = n_tokens * moe->n_chosen;

    memset(counts, 0, moe->n_experts * sizeof *counts);
    for (size_t slot = 0; slot < moe->n_chosen; slot++)
        for (size_t i = slot; i < n; i += moe->n_chosen)
            if (counts[experts[i]]++ >= capacity)
                weights[i] = 0;
}
