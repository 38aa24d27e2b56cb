/* moe_recipe.h - the YAML file of mergekit-moe: which dense models become the experts of a mixture, and
 * by which prompts its routers send tokens to them.
 *
 * The grammar is that of mergekit 0.1.5. What it rejects is refused, and so is a key that it does not
 * know, with the nearest one. Every message begins with FILE:LINE. */
#ifndef COCKTAIL_MOE_RECIPE_H
#define COCKTAIL_MOE_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/notices.h"
#include "mix/recipe_reference.h"

/* What the rows of routers are made of. */
enum moe_gate {
    MOE_GATE_HIDDEN,      /* what enters the layer at the last token of a prompt */
    MOE_GATE_HIDDEN_AVG,  /* the mean over all its tokens */
    MOE_GATE_CHEAP_EMBED, /* embeddings of its tokens */
    MOE_GATE_RANDOM,
    MOE_GATE_UNIFORM_RANDOM,
};

struct moe_prompts {
    const char **items; /* [n_items] */
    size_t n_items;
};

struct moe_recipe_expert {
    struct recipe_reference model;
    struct moe_prompts positive, negative;
    bool has_noise, has_scale;
    double noise, scale; /* weights + noise N(0, 1); down_proj times scale */
    size_t line;
};

struct moe_recipe {
    char *text; /* of the file */
    size_t size;
    const char *file; /* for messages */
    size_t line;
    struct recipe_reference base;
    enum moe_gate gate;
    const char *dtype; /* "f32", … as --dtype has it; NULL: not said */
    size_t n_chosen;   /* experts_per_token */
    const char *architecture; /* how the name of the wanted one begins; NULL: not said */
    size_t architecture_line;
    struct moe_recipe_expert *experts, *shared; /* [n_experts], [n_shared] */
    size_t n_experts, n_shared;
    struct arena arena;
};

/* Reads a file or a pipe, or, for "-", standard input. `allows_same`: experts may all be the same model,
 * which is of use only before a training. ERROR_FORMAT, ERROR_IO. Released with moe_recipe_release. */
int moe_recipe_load(struct moe_recipe *recipe, const char *path, bool allows_same,
                    struct notices *notices, struct error *err);
/* The same of bytes, which are copied; messages call them `shown`. */
int moe_recipe_parse(struct moe_recipe *recipe, const char *text, size_t size, const char *shown,
                     bool allows_same, struct notices *notices, struct error *err);
void moe_recipe_release(struct moe_recipe *recipe);

/* "FILE:LINE: " and what follows, with ERROR_FORMAT. */
int moe_recipe_fail(const struct moe_recipe *recipe, size_t line, struct error *err,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
