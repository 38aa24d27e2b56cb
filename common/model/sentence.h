/* sentence.h - what stands behind the transformer in an embedding model: pooling, dense layers,
 * normalization. Source: sentence-transformers 3 to 6; docs/models.md, "Sentence
 * embeddings". */
#ifndef COCKTAIL_SENTENCE_H
#define COCKTAIL_SENTENCE_H

#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "model/model.h"
#include "text/tokenizer.h"

struct sentence_model;

/* As the modules of the folder say. Without a module that pools: as `pooling` says, a name of
 * --pooling, or, where it is NULL, the first token's vector, of a decoder the last one's, with a
 * notice. ERROR_FORMAT for a
 * module that is malformed or does not fit the model, ERROR_UNSUPPORTED for one that is not known.
 * The folder must outlive it. Freed with sentence_model_free. */
struct sentence_model *sentence_model_load(struct model_folder *folder,
                                           const struct model *model, const char *pooling,
                                           struct notices *notices, struct error *err);
/* The first token's vector and nothing behind it, whatever a folder may say. */
struct sentence_model *sentence_model_first_token(const struct model *model);
void sentence_model_free(struct sentence_model *sentence);

size_t sentence_model_size(const struct sentence_model *sentence); /* floats of an embedding */
/* Tokens of a text, special ones included, beyond which it is cut; 0: the modules say nothing. */
size_t sentence_model_max_tokens(const struct sentence_model *sentence);

/* Tokens that a prompt begins a text with: those of the prompt alone, without one that the tokenizer
 * puts behind every text. max_length: of the text, 0: no limit. */
int sentence_count_prompt(const struct tokenizer *tokenizer, const char *prompt,
                          size_t max_length, size_t *n_tokens, struct error *err);

/* rows [n_sequences] of hidden states that sentence_model_pool looks at. */
void sentence_model_pooled_rows(const struct sentence_model *sentence, const struct batch *batch,
                                size_t n_prompt_tokens, struct batch_rows *rows);
/* out [n_sequences, size] from hidden [n_tokens, hidden_size] of model_run. n_prompt_tokens: those
 * of the prompt that begins every sequence, which some models leave out of the pooling; 0: none.
 * ERROR_FORMAT when a sequence has no tokens to pool. */
int sentence_model_pool(const struct sentence_model *sentence, struct model *model,
                        const struct batch *batch, const float *hidden, size_t n_prompt_tokens,
                        float *out, struct error *err);

#endif
