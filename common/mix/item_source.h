/* item_source.h - what an item of a plan makes, as a tensor: so a merge is an input of another, and
 * is never written. */
#ifndef COCKTAIL_ITEM_SOURCE_H
#define COCKTAIL_ITEM_SOURCE_H

#include "base/arena.h"
#include "mix/plan.h"
#include "tensor/tensor.h"

/* Makes *tensor the values of the item, rounded to its dtype, and computed as they are read, with a
 * few hundred kilobytes for each reader and input. What its method measures is measured at the
 * first read. The item must stay where it is and, from then on, as it is. The arena keeps what the
 * tensor needs. */
void item_source_make(struct tensor *tensor, const struct plan_item *item, struct arena *arena);

#endif
