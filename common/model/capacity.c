#include "capacity.h"

#include <math.h>
#include <string.h>

bool capacity_is_limited(const struct moe_spec *spec)
{
    return spec->capacity || spec->capacity_factor > 0;
}

size_t capacity_for(const struct moe_spec *spec, size_t n_tokens)
{
    double share = (double)spec->n_chosen * spec->capacity_factor * (double)n_tokens;
    size_t capacity;

    if (spec->capacity)
        return spec->capacity;
    /* More than all tokens is as good as all of them, and surely a size_t. */
    capacity = (size_t)fmin(floor(share / (double)spec->n_experts), (double)n_tokens);
    capacity += capacity % 2;
    return capacity > spec->min_capacity ? capacity : spec->min_capacity;
}

void capacity_drop(const struct moe_spec *spec, const uint32_t *experts, size_t n_tokens,
                   size_t *counts, float *weights)
{
    size_t capacity = capacity_for(spec, n_tokens), n = n_tokens * spec->n_chosen;

    memset(counts, 0, spec->n_experts * sizeof *counts);
    for (size_t slot = 0; slot < spec->n_chosen; slot++)
        for (size_t i = slot; i < n; i += spec->n_chosen)
            if (counts[experts[i]]++ >= capacity)
                weights[i] = 0;
}
