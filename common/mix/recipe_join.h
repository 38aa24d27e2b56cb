/* recipe_join.h - what a recipe says of tokenizers, for join.h. */
#ifndef COCKTAIL_RECIPE_JOIN_H
#define COCKTAIL_RECIPE_JOIN_H

#include <stddef.h>

#include "base/error.h"
#include "base/notices.h"
#include "mix/join.h"
#include "mix/recipe.h"

/* As join_open, of models[n_models], which are called as the recipe refers to them, the base first; `other`
 * has the tokenizer where the recipe names a model. ERROR_FORMAT with FILE:LINE, too, for a source of a
 * token that is none of the models. */
int recipe_join_open(struct join *join, const struct recipe *recipe,
                     struct model_folder *const *models, size_t n_models,
                     struct model_folder *other, struct notices *notices, struct error *err);

#endif
