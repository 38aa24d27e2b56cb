/* router_tally.h - what a router did with all tokens that it has seen, added up.
 *
 * p is the softmax of a token's logits; of a router that works with sigmoids, the sigmoids divided
 * by their sum. Everything is double, and added in the order of the tokens of a text first, then in that
 * of the texts: so several ranks (ranks.h), which read a text each, get the sums that one gets. Nothing
 * is kept of a single token, so that a text may be of any length. */
#ifndef COCKTAIL_ROUTER_TALLY_H
#define COCKTAIL_ROUTER_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "model/model.h"

/* Limits that experts could have: their even share of a text's choices, 1.25 and 2 times that. */
enum router_limit { ROUTER_LIMIT_1, ROUTER_LIMIT_1_25, ROUTER_LIMIT_2, N_ROUTER_LIMITS };

struct router_tally {
    size_t n_experts, n_chosen, n_tokens;
    size_t *together;  /* [n_experts, n_experts]: tokens that chose both; itself: that chose it */
    double *mass;      /* [n_experts]: sum of p */
    double entropy;    /* sums over tokens from here on: of p, in nats */
    double top_weight; /* the largest weight */
    double margin;     /* p of the last that p alone would choose, less that of the next */
    double kept_mass;  /* p of the chosen */
    double square_log_sum, square_logits;
    size_t n_dropped;  /* choices that weigh nothing */
    size_t n_over[N_ROUTER_LIMITS]; /* choices beyond such a limit in each text */
    size_t n_neighbours, n_kept_neighbours; /* tokens with one before them in their text; choices
                                             * that the token before has made too */
    size_t n_above, n_kept_above; /* the same with the router before, for the same token */
    double *text;        /* the sums above, of one text */
    struct buffer kept;  /* where there are several ranks: those of texts that are not added yet */
    double *scratch;     /* [3, n_experts] */
    size_t *text_counts; /* [n_experts] */
};

/* ERROR_RESOURCES names the size. Released with router_tally_release, also after an error. */
int router_tally_init(struct router_tally *tally, const struct moe_spec *spec, struct error *err);
void router_tally_release(struct router_tally *tally);

/* Adds the tokens of a batch. `above`: the choices [n_tokens, n_chosen] that the router before made
 * for the same tokens, or NULL. */
void router_tally_add(struct router_tally *tally, const struct routing *routing,
                      const uint32_t *above);

/* Where there are several ranks, on all of them: the texts that each has read since the last time are
 * added on rank 0, those of rank 0 first. */
int router_tally_gather(struct router_tally *tally, struct error *err);
/* At the end, likewise: counts become those of all ranks. */
int router_tally_join(struct router_tally *tally, struct error *err);

/* How two routers agree on the same tokens: sums over them. */
struct router_agreement {
    size_t n_tokens, n_same_first;
    double jaccard;    /* choices that both made, of those that either made */
    double divergence; /* of the second's p from the first's, in nats */
    struct buffer kept; /* as that of a tally; a zeroed struct is empty */
};

/* `second` has the tokens that `first` had, as many experts and as many choices. */
int router_agreement_add(struct router_agreement *agreement, const struct routing *first,
                         const struct routing *second, struct error *err);
void router_agreement_release(struct router_agreement *agreement);
int router_agreement_gather(struct router_agreement *agreement, struct error *err);
int router_agreement_join(struct router_agreement *agreement, struct error *err);

size_t router_n_tokens(const struct routing *routing);

#endif
