/* prefix.h - what several sequences begin with is computed once.
 *
 * The tokens that they have in common go into a cache, and all of them go on from it. By what model.h
 * says of one token, that gives the same bits. */
#ifndef COCKTAIL_PREFIX_H
#define COCKTAIL_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/model.h"
#include "text/ids.h"

struct prefix { /* a zeroed struct holds nothing */
    struct cache *cache;
    struct ids ids; /* those that the cache holds */
};
void prefix_release(struct prefix *prefix);

/* Tokens of a prefix that a model can have, so that memory is bounded; 0 where nothing of what comes
 * behind a token may be missing when it runs. */
size_t prefix_limit(const struct model *model);

/* Holds these ids and no others from now on. What it has of them is kept, the rest is run; hidden
 * [n, hidden_size] gets the rows of what was run at their places, NULL: nobody needs them.
 * Errors: those of model_run. */
int prefix_set(struct prefix *prefix, struct model *model, const uint32_t *ids, size_t n,
               float *hidden, struct error *err);

/* Tokens that two sequences begin with. */
size_t prefix_common(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b);

/* Sequence 0 is followed by others: common[i] tokens, of n, are those that i and i + 1 begin with.
 * Finds the beginning that spares most when it is run once, n_there tokens of it having been run
 * already: its length, or 0 where it would not be worth a pass of its own. *n_members: of how many
 * sequences from 0 on it is the beginning. */
size_t prefix_choose(const size_t *common, size_t n, size_t n_there, size_t *n_members);

/* Whether one sequence alone would be glad of so many that are there. */
bool prefix_is_worth(size_t n_there);

/* As model_run, of a batch without caches: sequences that follow one another and begin alike share
 * what they begin with. */
int prefix_run(struct model *model, const struct batch *batch, float *hidden, struct error *err);

#endif
