#include "loss_weights.h"

#include <math.h>

void loss_weights(const double *losses, size_t n, double temperature, double *weights)
{
    double least = INFINITY, sum = 0;

    for (size_t i = 0; i < n; i++)
        least = fmin(least, losses[i]);
    for (size_t i = 0; i < n; i++)
        sum += weights[i] = exp((least - losses[i]) / temperature);
    for (size_t i = 0; i < n; i++)
        weights[i] /= sum;
}
