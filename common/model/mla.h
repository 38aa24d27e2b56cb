/* mla.h - multi-head latent attention: what a token keeps is one short vector, from which the keys
 * and values of all heads follow, and a few items that rotate and are a part of every head's key.
 *
 * Keys and values are never made. A head's score q_h (K_h c) is (q_h K_h) c, and its result is V_h of
 * the mix of the vectors c: so queries are turned into the space of c, all heads attend to the same
 * rows, each key and value at once, and a cache holds these. Source: DeepSeek-V2 (arXiv 2405.04434);
 * docs/models.md, "Latent attention", says what that costs. */
#ifndef COCKTAIL_MLA_H
#define COCKTAIL_MLA_H

#include <stddef.h>

#include "arch/model_spec.h"
#include "base/error.h"
#include "model/engine.h"
#include "model/model_weights.h"
#include "model/position.h"

struct mla { /* of one forward pass, for all its layers; a zeroed struct: none */
    const struct stack_spec *stack;
    size_t n_tokens;
    float *latent;  /* [ROWS_AT_ONCE, q_lora_rank] */
    float *heads;   /* [ROWS_AT_ONCE, n_heads * head_dim or v_head_dim] */
    float *widened; /* [workers of the pool][qk_nope_head_dim, kv_lora_rank] */
};

/* In memory of the workspace. ERROR_RESOURCES names the size. */
int mla_init(struct mla *mla, const struct stack_spec *stack, size_t n_tokens,
             struct engine *engine, struct error *err);

/* A row of mla_queries: the queries of all heads, each as long as the key, which follows. */
static inline size_t mla_width(const struct stack_spec *stack)
{
    return (stack->n_heads + 1) * stack_latent_width(stack);
}

/* rows [n_tokens, mla_width()], rotated, of x [n_tokens, hidden_size]. */
int mla_queries(const struct mla *mla, const struct engine *engine,
                const struct mla_weights *weights, const struct position_angles *angles,
                const float *x, float *rows, struct error *err);
/* delta [n_tokens, hidden_size] of what attention gave, mixed [n_tokens, n_heads * kv_lora_rank]. */
int mla_outputs(const struct mla *mla, const struct engine *engine,
                const struct attention_weights *weights, const float *mixed, float *delta,
                struct error *err);

#endif
