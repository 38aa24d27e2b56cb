/* moe_router.h - routers for experts made of dense models: which direction of the residual stream belongs
 * to which expert, by prompts that the base model reads.
 *
 * As mergekit-moe 0.1.5 computes it, but in float; docs/models.md, "Experts made of dense models". */
#ifndef COCKTAIL_MOE_ROUTER_H
#define COCKTAIL_MOE_ROUTER_H

#include <stddef.h>
#include <stdint.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "base/threads.h"
#include "mix/moe_recipe.h"

/* Fills rows [n_layers, n_experts + 1, hidden_size]: one for each expert of the recipe, then that of the
 * shared expert, zeros where that has no gate. The base runs where the gate mode wants it. A notice names
 * layers whose experts are hardly told apart. ERROR_FORMAT for prompts of which no tokens come, or
 * without a tokenizer; errors as of model_load and model_run. */
int moe_router_fill(float *rows, size_t n_layers, size_t hidden_size,
                    const struct moe_recipe *recipe, struct model_folder *base, uint64_t seed,
                    struct threads *threads, struct notices *notices, struct error *err);
/* Whether all prompts can be read: that they can be encoded, and have tokens that the base has. */
int moe_router_check(const struct moe_recipe *recipe, struct model_folder *base, struct error *err);

#endif
