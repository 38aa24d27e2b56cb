/* recipe_apply.h - give each tensor of a plan the weights and settings that a recipe has for it. */
#ifndef COCKTAIL_RECIPE_APPLY_H
#define COCKTAIL_RECIPE_APPLY_H

#include <stdint.h>

#include "base/error.h"
#include "mix/recipe_merge.h"

/* A parameter looked up for a tensor: of the whole with `source` NULL, else of that input. */
int recipe_apply_value(const struct recipe_merge *made, const struct plan_item *item,
                       const struct plan_source *source, const struct combine_parameter *row,
                       struct recipe_value *value, struct error *err);
/* The tensor's name in what the recipe makes, to be freed. */
char *recipe_apply_name(const struct recipe_merge *made, const struct plan_item *item);

/* Of a source, its own name in the model, to be freed. */
char *recipe_apply_own_name(const struct recipe_merge *made, const struct plan_source *source);

/* Fills the merge's first plan. ERROR_FORMAT when a value is required and missing, or the values do
 * not go together. */
int recipe_apply(struct recipe_merge *made, uint64_t seed, struct error *err);

#endif
