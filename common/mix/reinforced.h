/* reinforced.h - reinforced agent merging (2026): what one model alone has changed is kept whole, what
 * several have changed is averaged over these.
 *
 * A model has changed an item where it differs from the base by more than epsilon; smaller
 * differences are dropped. */
#ifndef COCKTAIL_REINFORCED_H
#define COCKTAIL_REINFORCED_H

#include "mix/combine_method.h"

/* Methods that call these have it as scratch_input_bytes. */
enum { REINFORCED_INPUT_BYTES = 2048 };

/* factors[n_inputs]: of what a model alone has changed; NULL: 1. */
void reinforced_combine(const struct combine_call *call, double epsilon, const double *factors,
                        void *out);

/* Adds to shared[n_inputs] and alone[n_inputs] what each model has changed with others, and alone. */
void reinforced_count(const struct combine_call *call, double epsilon, size_t *shared,
                      size_t *alone);

#endif
