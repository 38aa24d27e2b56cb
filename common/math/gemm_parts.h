/* gemm_parts.h - what kernels of matrix products share, for one width of lanes.h. */
#ifndef COCKTAIL_GEMM_PARTS_H
#define COCKTAIL_GEMM_PARTS_H

#include <stdbool.h>

#include "math/gemm_kernels.h"
#include "math/lanes.h"

/* The first n items, and zeros. */
LANES_INLINE lanes load_some(const void *items, size_t n)
{
    lanes x = {0};

    memcpy(&x, items, n * sizeof(float));
    return x;
}

/* y [n <= LANES] = factor * sum, or y += it. */
LANES_INLINE void finish(lanes sum, float factor, bool adds, size_t n, float *y)
{
    lanes value = sum * factor;

    if (n == LANES) {
        lanes_store(adds ? lanes_load(y) + value : value, y);
        return;
    }
    if (adds)
        value += load_some(y, n);
    memcpy(y, &value, n * sizeof *y);
}

/* The eight sums that are left, as gemm_kernels.h adds them. */
LANES_INLINE float sum_of_eight(const float s[8])
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

#endif
