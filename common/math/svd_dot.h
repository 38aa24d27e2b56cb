/* svd_dot.h - floats multiplied and added up as doubles. For svd_*.c. */
#ifndef COCKTAIL_SVD_DOT_H
#define COCKTAIL_SVD_DOT_H

#include <stddef.h>

/* Of n items; in eight sums, which the compiler keeps side by side. */
static inline double svd_dot(const float *x, const float *y, size_t n)
{
    double sums[8] = {0}, sum = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sums[k] += (double)x[i + k] * y[i + k];
    for (; i < n; i++)
        sum += (double)x[i] * y[i];
    for (size_t k = 0; k < 8; k++)
        sum += sums[k];
    return sum;
}

#endif
