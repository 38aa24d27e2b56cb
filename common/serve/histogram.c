#include "histogram.h"

const double histogram_bounds[HISTOGRAM_BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                    1,     2.5,  5,     10,   30,  60,   300};

void histogram_add(struct histogram *histogram, double seconds)
{
    size_t i = 0;

    while (i < HISTOGRAM_BUCKETS && seconds > histogram_bounds[i])
        i++;
    if (i < HISTOGRAM_BUCKETS)
        histogram->n[i]++;
    histogram->n_all++;
    histogram->sum += seconds;
}
