/* join_all.h - all models of a merge without a recipe given one tokenizer (join.h). */
#ifndef COCKTAIL_JOIN_ALL_H
#define COCKTAIL_JOIN_ALL_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"

struct join_choice {
    const char *tokenizer; /* "union", "base", or the model whose tokenizer it is */
    const char *path;      /* of such a model, where its name is not its path; else NULL */
    bool follow_symlinks;
};

/* Padding rows of the first of models[n_models] stay, and it gets the files. Errors: those of
 * model_folder_open, join_open and join_move. */
int join_all(struct model_folder *models, size_t n_models, const struct join_choice *choice,
             struct notices *notices, struct error *err);

#endif
