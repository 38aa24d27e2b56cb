/* gemm_sink.h - where the loaders of gemm_kernels.h put weights, a vector of outputs at a time: into
 * a panel, or straight into the sums of a few rows. For one width of lanes.h. */
#ifndef COCKTAIL_GEMM_SINK_H
#define COCKTAIL_GEMM_SINK_H

#include <stdbool.h>

#include "math/gemm_kernels.h"
#include "math/lanes.h"

enum { PANEL_OUT = 2 * LANES };

struct sink { /* of LANES outputs and a block of inputs */
    float *panel; /* the first vector */
    const float *x; /* of the block's first input */
    size_t x_stride;
    lanes sums[GEMM_STREAM_ROWS];
};

/* The weights of input `in` of the block. n_rows is constant in every call; 0: into the panel. */
LANES_INLINE void take(struct sink *sink, size_t n_rows, size_t in, lanes weights)
{
    if (n_rows == 0)
        lanes_store(weights, sink->panel + in * PANEL_OUT);
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++)
        sink->sums[row] = lanes_multiply_add(lanes_set(sink->x[row * sink->x_stride + in]),
                                             weights, sink->sums[row]);
}

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

#endif
