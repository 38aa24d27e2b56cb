/* embed.h - texts in, vectors or scores out: a run of the model with what stands behind it.
 *
 * The hidden states of a batch, [n_tokens, hidden_size], are held for the length of a call. */
#ifndef COCKTAIL_EMBED_H
#define COCKTAIL_EMBED_H

#include <stddef.h>

#include "base/error.h"
#include "model/model.h"
#include "model/sentence.h"

/* vectors [n_sequences, sentence_model_size()]. n_prompt_tokens as sentence_model_pool has them.
 * Errors: those of model_run and sentence_model_pool. */
int model_embed(struct model *model, const struct sentence_model *sentence,
                const struct batch *batch, size_t n_prompt_tokens, float *vectors,
                struct error *err);

/* scores [n_sequences, model_n_labels()]. Errors: those of model_run and model_scores. */
int model_rank(struct model *model, const struct batch *batch, float *scores, struct error *err);

#endif
