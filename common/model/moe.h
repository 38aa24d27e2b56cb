/* moe.h - the experts of a layer: tokens are grouped by expert, one product per expert and
 * projection, or, where all have few tokens, one task per expert. What experts give is added in the
 * order of their numbers, so that a sum does not depend on threads. Sources: Switch Transformers
 * (arXiv 2101.03961), Mixtral (2401.04088); docs/models.md, "Experts". */
#ifndef COCKTAIL_MOE_H
#define COCKTAIL_MOE_H

#include "base/error.h"
#include "model/engine.h"
#include "model/model_weights.h"
#include "model/moe_choice.h"

/* delta [n_tokens, hidden_size] = what the experts make of x. experts and weights of `moe` keep the
 * choices until the next layer. Where a group of ranks has the experts (engine.h), with the others of
 * it, x and delta NULL in a pass without tokens: errors of moe_exchange. */
int moe_run(struct moe *moe, const struct engine *engine, const struct moe_weights *weights,
            const float *x, float *delta, struct error *err);

#endif
