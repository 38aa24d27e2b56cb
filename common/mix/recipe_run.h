/* recipe_run.h - a recipe made into a merge that can be written: models opened and checked, layers
 * stacked, the value of each parameter known. Source: docs/models.md, "Recipes". */
#ifndef COCKTAIL_RECIPE_RUN_H
#define COCKTAIL_RECIPE_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/notices.h"
#include "mix/join.h"
#include "mix/merge.h"
#include "mix/recipe.h"
#include "mix/recipe_merge.h"

struct recipe_options {
    struct merge_options merge; /* method, names and what the recipe says are filled in */
    uint64_t seed;
    /* The path of the model, to be freed; NULL with an error. */
    char *(*find)(void *context, const struct recipe_reference *model, struct error *err);
    void *context;
};

struct recipe_stage {
    const struct recipe *recipe;
    struct recipe_merge *merges; /* [n_merges] */
    size_t n_merges;
    struct merge *stacked;       /* of several slices: what puts them together, NULL: of one */
    struct merge *result;        /* the one merge, or the stacked; NULL: not made yet */
    struct model_folder **kept;  /* [n_kept] results of its slices */
    size_t n_kept;
    struct join *join;           /* where the recipe says which tokenizer; else NULL */
    bool is_begun;
};

/* A model that is open, for all that name it. */
struct recipe_model {
    const char *text; /* its reference */
    struct model_folder folder;
};

/* A model that the recipe names, wherever it goes in. */
struct recipe_origin {
    const char *text;            /* its reference */
    char *label, *hub_id;        /* model_folder_label and model_folder_hub_id */
    struct model_folder *folder; /* one that is open */
};

struct recipe_run {
    const struct recipes *recipes;
    struct recipe_options options;
    struct recipe_stage *stages; /* [n_stages], one for each document */
    size_t n_stages;
    struct recipe_stage *last;   /* the one that is written */
    struct recipe_model **models; /* [n_models] in the order in which they were opened */
    size_t n_models;
    struct hash_map by_text;      /* reference -> its number there */
    struct recipe_origin *origins; /* [n_origins], in the order in which they were opened */
    size_t n_origins;
    struct notices notices;
};

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
