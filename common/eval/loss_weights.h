/* loss_weights.h - from what models lose on examples to their shares in a mix. */
#ifndef COCKTAIL_LOSS_WEIGHTS_H
#define COCKTAIL_LOSS_WEIGHTS_H

#include <stddef.h>

/* weights[n] = softmax(-losses / temperature), in double; stable for any finite losses and any
 * temperature above 0. Source: LM-Cocktail (arXiv 2311.13534), equation 1. */
void loss_weights(const double *losses, size_t n, double temperature, double *weights);

#endif
