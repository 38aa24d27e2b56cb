/* wanted.h - the rows of a batch that are wanted, brought together, and back to their places.
 *
 * rows [batch_n_tokens, n]; batch->wanted is there. Errors: none. */
#ifndef COCKTAIL_WANTED_H
#define COCKTAIL_WANTED_H

#include "model/batch.h"

/* To the beginning, in their order; how many there are. What lies behind them is left as it falls. */
size_t wanted_gather(const struct batch *batch, size_t n, float *rows);
/* Where they were; the others hold anything. */
void wanted_scatter(const struct batch *batch, size_t n, float *rows);

#endif
