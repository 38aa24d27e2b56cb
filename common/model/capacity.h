/* capacity.h - how many tokens an expert takes, and which of them it has no room for. Sources:
 * Switch Transformers (arXiv 2101.03961), as transformers 5 has it; OpenMoE (arXiv 2402.01739), whose
 * original counts all sequences of a batch together. Here each counts alone, in both: what a
 * sequence gives does not depend on its neighbours, and is what the original gives for it alone. */
#ifndef COCKTAIL_CAPACITY_H
#define COCKTAIL_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/model_spec.h"

bool capacity_is_limited(const struct moe_spec *spec);
/* Of each expert, when a sequence of n_tokens runs at once: with a cache, those of the step. */
size_t capacity_for(const struct moe_spec *spec, size_t n_tokens);

/* weights [n_tokens, n_chosen] = 0 for the choices, of one sequence, that find their expert full:
 * all first choices take their places before all second ones, each in the order of the tokens.
 * counts [n_experts]: scratch. */
void capacity_drop(const struct moe_spec *spec, const uint32_t *experts, size_t n_tokens,
                   size_t *counts, float *weights);

#endif
