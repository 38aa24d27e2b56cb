/* router.h - which experts a token goes to, and how much each of them counts. */
#ifndef COCKTAIL_ROUTER_H
#define COCKTAIL_ROUTER_H

#include <stddef.h>
#include <stdint.h>

#include "arch/model_spec.h"

/* experts[n_chosen] and weights[n_chosen] of one token, the likeliest first, of equals the one with
 * the lower number. logits [n_experts] are used up. bias [n_experts], or NULL, is added to what
 * experts are chosen by, but not to their weights. scratch has router_scratch floats. Kinds of
 * routers: docs/models.md, "Routers". */
void router_choose(const struct moe_spec *spec, const float *bias, float *logits, float *scratch,
                   uint32_t *experts, float *weights);
size_t router_scratch(const struct moe_spec *spec);

#endif
