/* recipe_run.h - a recipe made into a merge that can be written: models opened and checked, layers
 * stacked, the value of each parameter known. Source: docs/models.md, "Recipes". */
#ifndef COCKTAIL_RECIPE_RUN_H
#define COCKTAIL_RECIPE_RUN_H

#include "base/error.h"
#include "mix/recipe.h"
#include "mix/recipe_stages.h"

/* ERROR_FORMAT with FILE:LINE for what the recipe says wrong, ERROR_INCOMPATIBLE for models that do
 * not fit, ERROR_UNSUPPORTED for what mergekit can and we cannot; run->notices is filled, also on
 * failure. All that it is given must stay. Released with recipe_run_release in every case. */
int recipe_run_open(struct recipe_run *run, const struct recipes *recipes,
                    const struct recipe_options *options, struct error *err);
/* Whether an item of merge number `m` of the last stage is written: of a stack not all are, for
 * embeddings come from its first slice, and what is behind the layers from its last. */
bool recipe_run_writes(const struct recipe_run *run, size_t m, const struct plan_item *item);
void recipe_run_release(struct recipe_run *run);

#endif
