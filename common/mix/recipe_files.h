/* recipe_files.h - what a recipe says of the files beside the weights: tokenizer, chat template, and
 * the recipe itself, which lies there as mergekit_config.yml. */
#ifndef COCKTAIL_RECIPE_FILES_H
#define COCKTAIL_RECIPE_FILES_H

#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "mix/recipe.h"

/* Whether the tokenizer that the recipe wants, that of `wanted`, fits all models[n_models] as they are,
 * so that no row of an embedding moves. ERROR_UNSUPPORTED for one that would move some, naming what it
 * is. */
int recipe_files_check_tokenizer(const struct recipe *recipe, const struct model_folder *wanted,
                                 struct model_folder *const *models, size_t n_models,
                                 struct error *err);

/* Gives the folder of `donor`, in memory, the files that the recipe wants: those of the tokenizer of
 * `tokenizer` (NULL: its own), the chat template, by the models' where it is "auto", and
 * mergekit_config.yml, which is `text`. ERROR_FORMAT. */
int recipe_files_add(const struct recipe *recipe, const char *text, size_t size,
                     struct model_folder *const *models, size_t n_models,
                     const struct model_folder *tokenizer, struct model_folder *donor,
                     struct error *err);

#endif
