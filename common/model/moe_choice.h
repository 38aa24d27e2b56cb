/* moe_choice.h - which experts the tokens of a batch go to: routers choose, capacity turns away, and
 * choices are grouped by expert. */
#ifndef COCKTAIL_MOE_CHOICE_H
#define COCKTAIL_MOE_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/engine.h"
#include "model/model_weights.h"
#include "model/routing.h"

/* So many choices of a pass may run at once, whatever their experts: there is room for their rows. A
 * small product is done before other threads have heard of it, so that each expert is a task, where
 * there are so many for each thread. */
enum { MOE_FEW_CHOICES = 256, MOE_TASKS_PER_THREAD = 2 };

struct moe_group;

struct moe { /* of one forward pass, for all its layers; a zeroed struct: none */
    const struct stack_spec *stack;
    const struct moe_spec *spec; /* the stack's, of attention or of the MLP */
    const struct batch *batch;
    const struct routing_watcher *watcher;
    struct workspace *workspace;
    size_t n_tokens;
    size_t layer;         /* that runs */
    const float *choice_bias; /* of the layer that runs, or NULL */
    float *logits;     /* [n_tokens, n_experts] */
    float *watched;    /* the same, kept for who watches; else NULL */
    float *scratch;    /* [n_tokens, router_scratch()] */
    uint32_t *experts; /* [n_tokens, n_chosen] */
    float *weights;    /* [n_tokens, n_chosen]; 0 for one that its expert had no room for */
    size_t *ends;      /* [n_experts], in `order` */
    size_t *order;     /* numbers of choices, at most n_tokens * n_chosen, by expert, then by token */
    struct moe_group *groups; /* [n_experts] */
    size_t width;      /* of the widest expert */
    float *in, *out;   /* [rows, hidden_size], as many rows as run at once */
    float *gate, *up;  /* [rows, width] */
    float *hidden;     /* [rows, gate_size], of a router that is not linear */
};

/* spec: stack->moe or stack->attention_moe. is_shared: a group of ranks has the experts. In memory of
 * the workspace. ERROR_RESOURCES names the size. */
int moe_init(struct moe *moe, const struct stack_spec *stack, const struct moe_spec *spec,
             const struct batch *batch, const struct routing_watcher *watcher,
             bool is_shared, struct workspace *workspace, struct error *err);

/* Lets the router choose for the tokens of x, and groups the choices, unless a group of ranks has the
 * experts. */
void moe_choose(struct moe *moe, const struct engine *engine, const struct moe_weights *weights,
                const float *x);

/* Groups the choices of tokens begin … end - 1 alone. */
void moe_group_by_expert(struct moe *moe, size_t begin, size_t end);

struct moe_group { /* of choices of one expert, at most ROWS_AT_ONCE; n_rows 0: there are no more */
    size_t expert, first, n_rows;
    const size_t *choices; /* [n_rows]: token * n_chosen + slot */
};
struct moe_group moe_first(const struct moe *moe);
struct moe_group moe_next(const struct moe *moe, const struct moe_group *group);

#endif
