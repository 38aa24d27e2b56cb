#include "histogram.h"

const double histogram_seconds[HISTOGRAM_BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                     1,     2.5,  5,     10,   30,  60,   300};
const double histogram_tokens[HISTOGRAM_BUCKETS] = {1,   2,   4,   8,    16,   32,   64,
                                                    128, 256, 512, 1024, 2048, 4096, 8192};

void histogram_add(struct histogram *histogram, const double *bounds, double value)
{
    size_t i = 0;

    while (i < HISTOGRAM_BUCKETS && value > bounds[i])
        i++;
    if (i < HISTOGRAM_BUCKETS)
        histogram->n[i]++;
    histogram->n_all++;
    histogram->sum += value;
}
