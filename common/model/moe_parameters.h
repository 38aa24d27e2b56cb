/* moe_parameters.h - the weights of experts and their routers, in all the ways that they are
 * stored; for parameters.c. */
#ifndef COCKTAIL_MOE_PARAMETERS_H
#define COCKTAIL_MOE_PARAMETERS_H

#include "model/loader.h"

/* layer->moe; out->experts with k and v. Errors as in parameters.h. */
int moe_parameters_load(struct loader *loader, const struct stack_spec *stack, struct place place,
                        struct layer *layer);
int moe_parameters_load_attention(struct loader *loader, const struct stack_spec *stack,
                                  struct place place, struct attention_weights *out);

#endif
