/* recipe_merge.h - one of the merges that a recipe is made of. */
#ifndef COCKTAIL_RECIPE_MERGE_H
#define COCKTAIL_RECIPE_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"
#include "mix/merge.h"
#include "mix/recipe_scope.h"

/* That of the models of a document, or of those of one of its slices. */
struct recipe_merge {
    struct recipe_scope scope;
    struct merge merge;
    const struct recipe_source **sources; /* [merge.n_models] entries; NULL: a base that has none */
    size_t at, n_layers;       /* the layers of the result that it makes; n_layers 0: not known */
    struct hash_map stacks;    /* what names have before a layer's number -> how many layers */
    bool is_open;
};

#endif
