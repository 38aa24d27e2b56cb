/* recipe_files.h - what a recipe says of the files beside the weights: the chat template, and the recipe
 * itself, which lies there as mergekit_config.yml. Of the tokenizer: recipe_join.h. */
#ifndef COCKTAIL_RECIPE_FILES_H
#define COCKTAIL_RECIPE_FILES_H

#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "mix/recipe.h"

/* Gives the folder of `donor`, in memory, the files that the recipe wants: the chat template, by the
 * models' where it is "auto", and mergekit_config.yml, which is `text`. ERROR_FORMAT. */
int recipe_files_add(const struct recipe *recipe, const char *text, size_t size,
                     struct model_folder *const *models, size_t n_models,
                     struct model_folder *donor, struct error *err);

#endif
