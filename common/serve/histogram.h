/* histogram.h - how long things took, or how many they were, in the buckets of
 * Prometheus. */
#ifndef COCKTAIL_HISTOGRAM_H
#define COCKTAIL_HISTOGRAM_H

#include <stddef.h>

enum { HISTOGRAM_BUCKETS = 14 };
/* Rising. */
extern const double histogram_seconds[HISTOGRAM_BUCKETS], histogram_tokens[HISTOGRAM_BUCKETS];

struct histogram { /* a zeroed struct is empty */
    size_t n[HISTOGRAM_BUCKETS]; /* those that no lower bound holds */
    size_t n_all;
    double sum;
};

void histogram_add(struct histogram *histogram, const double *bounds, double value);

#endif
