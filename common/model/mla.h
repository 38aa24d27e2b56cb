/* mla.h - multi-head latent attention: what a token keeps is one short vector, from which the keys
 * and values of all heads follow, and a few items that rotate and are a part of every head's key.
 * Source: DeepSeek-V2 (arXiv 2405.04434); docs/models.md, "Latent attention". */
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
    float *latent; /* [ROWS_AT_ONCE, the longest short vector and what rotates] */
};

/* In memory of the workspace. ERROR_RESOURCES names the size. */
int mla_init(struct mla *mla, const struct stack_spec *stack, size_t n_tokens,
             struct workspace *workspace, struct error *err);

/* qkv [n_tokens, mla_width()] = the queries of all heads, then key and value of each head, side by
 * side; rotated. */
void mla_run(const struct mla *mla, const struct engine *engine, const struct mla_weights *weights,
             const struct position_angles *angles, const float *x, float *qkv);
size_t mla_width(const struct stack_spec *stack);

#endif
