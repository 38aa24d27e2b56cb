/* recipe_model.h - what a recipe calls a model -> a path. */
#ifndef COCKTAIL_RECIPE_MODEL_H
#define COCKTAIL_RECIPE_MODEL_H

#include "base/error.h"
#include "mix/recipe_reference.h"

#include "options.h"

/* The path, to be freed: one below `directory` if it is there (NULL: no such place), else as
 * model_argument_find. NULL with its errors, but ERROR_FORMAT for what can be no model, or is rather a path
 * that is wrong. */
char *recipe_model_find(const struct recipe_reference *model, const char *directory,
                        const struct common_options *common, struct error *err);

#endif
