/* expert_group.h - ranks that hold the experts of models together, a part each. What they share is
 * laid over ranks that each read texts of their own: a token's row goes to the rank of the expert that
 * it chose, and what the expert makes of it comes back.
 *
 * Each rank of a group runs its own texts, in as many passes as these need. Whoever begins a pass
 * waits until all others begin one too, or have no more (expert_group_finish), and those that have
 * nothing to do with it lend their experts to it. So passes of the same stack run together. All of
 * a group load the same models in the same order. Source: Megatron-LM's expert parallelism;
 * docs/models.md, "Experts on several ranks". */
#ifndef COCKTAIL_EXPERT_GROUP_H
#define COCKTAIL_EXPERT_GROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_spec.h"
#include "base/error.h"
#include "base/shares.h"

/* Takes part in a pass of others with the experts that are here, and no tokens. */
typedef int expert_group_lend(void *context, struct error *err);

struct expert_lender { /* a stack of layers with experts */
    expert_group_lend *lend;
    void *context;
};

struct expert_counts { /* of this rank */
    size_t held_bytes, all_bytes; /* of experts' weights that are loaded here; and in all */
    size_t n_tokens; /* that a router has sent, each layer for itself */
    size_t n_sent_rows, sent_bytes; /* to other ranks, there and back */
    size_t number_bytes;            /* of the numbers of rows that went before them */
};

struct expert_group {
    size_t first, n;  /* ranks first … first + n - 1 */
    size_t number;    /* of this one among them */
    struct expert_lender *lenders; /* [n_lenders] */
    size_t n_lenders;
    size_t n_tokens;  /* of the pass that runs: of the rank that has most */
    struct expert_counts counts;
};

/* Groups of n ranks. ERROR_USAGE where n does not divide their number. Released with
 * expert_group_release; a zeroed struct holds nothing. */
int expert_group_init(struct expert_group *group, size_t n, struct error *err);
void expert_group_release(struct expert_group *group);

/* Which of n_experts are here: begin … end - 1; all of them with group NULL. */
struct share expert_group_share(const struct expert_group *group, size_t n_experts);
/* Whether the group can hold the experts of a model. ERROR_INCOMPATIBLE, naming it and what would do. */
int expert_group_check(const struct expert_group *group, const struct model_spec *spec,
                       const char *name, struct error *err);
bool expert_group_stack_has_experts(const struct stack_spec *stack);

/* A stack that may run: its number. The last one that was added goes first. */
size_t expert_group_add(struct expert_group *group, expert_group_lend *lend, void *context);
void expert_group_remove_last(struct expert_group *group);

/* Begins a pass of a lender with so many tokens. ERROR_NETWORK; ERROR_SIGINT; what lending gives. */
int expert_group_begin(struct expert_group *group, size_t lender, size_t n_tokens,
                       struct error *err);
/* This rank has no more to run: lends until all others say so too. NULL: nothing to do. */
int expert_group_finish(struct expert_group *group, struct error *err);

#endif
