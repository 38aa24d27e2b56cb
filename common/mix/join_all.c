#include "join_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mix/join.h"

/* The model whose tokenizer is wanted: one of those that are merged, or *other, opened. */
static struct model_folder *find_tokenizer(struct model_folder *models, size_t n_models,
                                           const struct join_choice *choice,
                                           struct model_folder *other, struct error *err)
{
    for (size_t i = 0; i < n_models; i++)
        if (strcmp(models[i].name, choice->tokenizer) == 0)
            return &models[i];
    return model_folder_open(other, choice->path ? choice->path : choice->tokenizer,
                             choice->tokenizer, choice->follow_symlinks, err)
               ? NULL
               : other;
}

static int move_all(struct model_folder *models, size_t n_models, const struct join *join,
                    struct notices *notices, struct error *err)
{
    size_t *which = memory_zalloc(n_models, sizeof *which);
    int rc;

    for (size_t i = 0; i < n_models; i++)
        which[i] = i;
    rc = join_move(join, models, which, n_models, 0, notices, err);
    free(which);
    return rc ? -1 : join_add_files(join, &models[0], notices, err);
}

int join_all(struct model_folder *models, size_t n_models, const struct join_choice *choice,
             struct notices *notices, struct error *err)
{
    struct join_options options = {.source = strcmp(choice->tokenizer, "union") == 0  ? JOIN_UNION
                                             : strcmp(choice->tokenizer, "base") == 0 ? JOIN_BASE
                                                                                      : JOIN_OTHER,
                                   .keeps_padding = true};
    struct model_folder **list = memory_zalloc(n_models, sizeof *list), other = {0};
    struct join join = {0};
    int rc = 0;

    for (size_t i = 0; i < n_models; i++)
        list[i] = &models[i];
    if (options.source == JOIN_OTHER) {
        options.tokenizer = find_tokenizer(models, n_models, choice, &other, err);
        rc = options.tokenizer ? 0 : -1;
    }
    if (rc == 0)
        rc = join_open(&join, list, n_models, &options, notices, err);
    if (rc == 0)
        rc = move_all(models, n_models, &join, notices, err);
    join_release(&join);
    if (options.tokenizer == &other)
        model_folder_release(&other);
    free(list);
    return rc;
}
