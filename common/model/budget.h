/* budget.h - how many tokens a model runs best at once. */
#ifndef COCKTAIL_BUDGET_H
#define COCKTAIL_BUDGET_H

#include <stddef.h>

#include "arch/model_spec.h"

/* Tokens of a batch, unless a single text has more: so many that products are as fast as they get, those
 * of experts, too, which have a part of them each, and so few that activations stay in the last-level cache
 * where they are small, and else take a bounded part of memory. */
size_t budget_tokens(const struct model_spec *spec);

#endif
