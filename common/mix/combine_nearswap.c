/* combine_nearswap.c - the other model where it is near the base: item by item g other + (1 - g) base
 * with g = t / |base - other|, 0 to 1. At t = 0 it is the base. */
#include <math.h>

#include "mix/blocks.h"
#include "mix/combine_floats.h"

enum { T, BLOCK = COMBINE_BLOCK_ITEMS };

static void nearswap(const struct combine_call *call, void *out)
{
    float base[BLOCK], other[BLOCK], made[BLOCK];

    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        combine_read_floats(call->base, first, n, base);
        combine_read_floats(&call->inputs[0], first, n, other);
        blocks_swap(base, other, (float)call->settings[T], made);
        combine_write_floats(call->out->dtype, made, out, first, n);
    }
}

static const struct combine_parameter parameters[] = {
    {"t", COMBINE_ALL, COMBINE_NUMBER, .is_required = true, .most = INFINITY,
     .meaning = "items that differ by no more are the other model's"},
};

const struct combine_method combine_nearswap = {
    .name = "nearswap",
    .summary = "the other model where it is near the base",
    .combine = nearswap,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 1,
    .max_inputs = 1,
};
