#include "merge_join.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mix/join.h"

/* The model whose tokenizer is wanted: one of those that are merged, or *other, opened. */
static struct model_folder *find_tokenizer(struct merge *merge, struct model_folder *other,
                                           struct error *err)
{
    const struct merge_options *options = &merge->options;

    for (size_t i = 0; i < merge->n_models; i++)
        if (strcmp(merge->models[i].name, options->tokenizer) == 0)
            return &merge->models[i];
    return model_folder_open(other, options->tokenizer_path ? options->tokenizer_path
                                                            : options->tokenizer,
                             options->tokenizer, options->follow_symlinks, err)
               ? NULL
               : other;
}

static int move_all(struct merge *merge, struct join *join, struct error *err)
{
    size_t *which = memory_zalloc(merge->n_models, sizeof *which);
    int rc;

    for (size_t i = 0; i < merge->n_models; i++)
        which[i] = i;
    rc = join_move(join, merge->models, which, merge->n_models, 0, &merge->notices, err);
    free(which);
    return rc ? -1 : join_add_files(join, &merge->models[0], &merge->notices, err);
}

int merge_join(struct merge *merge, struct error *err)
{
    const char *wanted = merge->options.tokenizer;
    struct join_options options = {.source = strcmp(wanted, "union") == 0  ? JOIN_UNION
                                             : strcmp(wanted, "base") == 0 ? JOIN_BASE
                                                                           : JOIN_OTHER,
                                   .keeps_padding = true};
    struct model_folder **models = memory_zalloc(merge->n_models, sizeof *models);
    struct model_folder other = {0};
    struct join join = {0};
    int rc = 0;

    for (size_t i = 0; i < merge->n_models; i++)
        models[i] = &merge->models[i];
    if (options.source == JOIN_OTHER) {
        options.tokenizer = find_tokenizer(merge, &other, err);
        rc = options.tokenizer ? 0 : -1;
    }
    if (rc == 0)
        rc = join_open(&join, models, merge->n_models, &options, &merge->notices, err);
    if (rc == 0)
        rc = move_all(merge, &join, err);
    merge->options.has_one_tokenizer = true;
    join_release(&join);
    if (options.tokenizer == &other)
        model_folder_release(&other);
    free(models);
    return rc;
}
