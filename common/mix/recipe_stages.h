/* recipe_stages.h - the documents of a recipe while they are made into a merge: what recipe_run.c opens. */
#ifndef COCKTAIL_RECIPE_STAGES_H
#define COCKTAIL_RECIPE_STAGES_H

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

/* The document of that name, or NULL. */
struct recipe_stage *recipe_stages_find(const struct recipe_run *run, const char *name);
/* What the method of a merge compares the others with, or NULL. */
const struct recipe_reference *recipe_stages_base(const struct recipe_merge *made);

#endif
