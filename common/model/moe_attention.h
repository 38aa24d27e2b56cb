/* moe_attention.h - experts of query heads: a token's queries come from the experts that it
 * chooses, and each of these turns its own heads back into the hidden state. Keys and values are
 * shared. Sources: JetMoE (arXiv 2404.07413), ModuleFormer (2306.04640); docs/models.md,
 * "Attention of experts". */
#ifndef COCKTAIL_MOE_ATTENTION_H
#define COCKTAIL_MOE_ATTENTION_H

#include "model/moe.h"

/* Chooses experts for the tokens of x and fills their queries, rows `stride` apart: of the heads
 * that share keys one behind the other, one for each choice. Both of these where a group of ranks has the
 * experts: as moe_run. */
int moe_attention_queries(struct moe *moe, const struct engine *engine,
                          const struct moe_weights *weights, const float *x, float *queries,
                          size_t stride, struct error *err);
/* delta = what the chosen experts make of heads [n_tokens, n_heads * head_dim], in that order. */
int moe_attention_outputs(struct moe *moe, const struct engine *engine,
                          const struct moe_weights *weights, const float *heads, float *delta,
                          struct error *err);

#endif
