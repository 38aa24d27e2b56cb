/* router_watch.h - all routers of a model, watched while it runs, and those of a second model that
 * reads the same texts.
 *
 * Of each router its tally is kept, and what it did with the tokens of one pass: for the next
 * layer, and for a second model. */
#ifndef COCKTAIL_ROUTER_WATCH_H
#define COCKTAIL_ROUTER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/notices.h"
#include "eval/pass.h"
#include "eval/router_stats.h"
#include "eval/router_tally.h"
#include "model/model.h"

struct watched_router {
    bool is_encoder, is_attention; /* of the encoder of an encoder-decoder; of query heads */
    size_t layer;
    struct router_tally tally;
    double *row_norms; /* [n_experts]: lengths of its matrix' rows; NULL: it has no such matrix */
    struct router_agreement agreement; /* with the same router of the first model */
    struct router_stats stats;         /* after router_watch_end */
    /* Of the pass that ran last: */
    struct moe_spec spec;
    uint32_t *experts; /* [n_tokens, n_chosen] */
    float *logits;     /* [n_tokens, n_experts]; only for a second model */
    size_t n_experts_max, n_logits_max;
};

/* Routers of the same kind: the layers of one stack. */
struct router_group {
    bool is_encoder, is_attention;
    const struct watched_router **routers; /* [n_routers], in the order of the layers */
    size_t n_routers;
    struct router_stats overall;
};

struct router_watch { /* a zeroed struct watches nothing */
    const char *name; /* of the model, for messages; borrowed */
    struct model *model;
    struct watched_router *routers; /* [n_routers], in the order in which they run */
    size_t n_routers;
    struct router_group *groups; /* [n_groups], after router_watch_end */
    size_t n_groups;
    struct router_watch *first; /* of the model to be compared with; NULL: none */
    bool keeps_logits;
    struct error failure; /* what a router could not be watched for */
};

/* Watches a model from now on. With `first`, another watch, its model reads what that one has read:
 * hand router_watch_follower(second) to whoever runs the first. ERROR_INCOMPATIBLE when the model
 * has no experts, or not the layers and experts of the first. router_watch_release in any case, and
 * before the model goes. */
int router_watch_start(struct router_watch *watch, struct model *model, const char *name,
                       struct router_watch *first, struct error *err);
void router_watch_release(struct router_watch *watch);

/* After each pass of the model: says what failed in it. Of a second model: runs it, too. */
struct pass_follower router_watch_follower(struct router_watch *watch);

/* Finds stats and groups, of a second model after those of the first; of several ranks, together, those
 * of rank 0 are those of all texts. A notice says when there were too few tokens to judge loads by.
 * ERROR_NETWORK; ERROR_SIGINT. */
int router_watch_end(struct router_watch *watch, struct notices *notices, struct error *err);

const char *router_stack_name(bool is_encoder);    /* "encoder", "decoder" */
const char *router_part_name(bool is_attention);   /* "attention", "mlp" */

#endif
