/* model.h - a checkpoint that runs.
 *
 * What a token gets follows from those before it in its sequence (in encoders: from all of them), the
 * weights and the kernels that the processor has (gemm.h), to the bit: not from the others in its
 * batch, nor from whether they came in one piece, in chunks or from a cache, nor from the number of
 * threads. But for the first, that is not so of models that need whole prompts. */
#ifndef COCKTAIL_MODEL_H
#define COCKTAIL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/architecture.h"
#include "arch/model_folder.h"
#include "arch/model_spec.h"
#include "base/error.h"
#include "base/notices.h"
#include "base/threads.h"
#include "model/batch.h"
#include "model/engine.h"
#include "model/expert_group.h"
#include "model/forward.h"
#include "model/parameters.h"
#include "model/routing.h"

struct model { /* to be read by its users; run by one thread at a time, which uses the pool */
    struct model_spec spec;
    struct parameters parameters;
    const struct checkpoint *checkpoint; /* borrowed from the folder */
    struct engine engine;
    /* To be set by its users; cost nothing while there are none. */
    struct routing_watcher watcher;
    struct hidden_watcher hidden;
};

/* The weights of the folder, ready to run as a model of `type`: a decoder or an encoder-decoder
 * with its output head, a reranker with its classifier. The folder, which opens its weights once
 * for all who ask, and the pool must outlive it; one model of a folder at a time.
 * ERROR_FORMAT when config.json or the tensors are malformed or contradict each other,
 * ERROR_UNSUPPORTED for an architecture that cannot be run. model_free gives the memory of the
 * weights back, and leaves them open. */
struct model *model_load(struct model_folder *folder, enum model_type type,
                         struct threads *threads, struct notices *notices, struct error *err);
/* The same, but of the experts only this rank's share, which a group of ranks uses together; it must
 * outlive the model, and of several models the last is freed first. NULL: all of them.
 * ERROR_INCOMPATIBLE as expert_group_check has it. */
struct model *model_load_share(struct model_folder *folder, enum model_type type,
                               struct threads *threads, struct expert_group *experts,
                               struct notices *notices, struct error *err);
void model_free(struct model *model);
/* From now on experts take all tokens that choose them, whatever their capacity. */
void model_lift_capacity(struct model *model);
/* Whether what the tokens of a prompt give depends on how many run together with them: with experts
 * of a limited capacity, with rotations that follow from the length. Such a prompt runs in one piece,
 * and no cache of another text can begin it. */
bool model_needs_whole_prompts(const struct model *model);

/* ERROR_FORMAT for an id or type id that has no embedding, or more tokens than there are
 * positions. */
int model_check(const struct model *model, const struct batch *batch, struct error *err);

/* hidden [n_tokens, hidden_size] = what comes out of the last layer and its norm, at least in the rows
 * that the batch wants. Errors as of model_check; ERROR_RESOURCES; ERROR_SIGINT. */
int model_run(struct model *model, const struct batch *batch, float *hidden, struct error *err);
/* The same with the encoder of an encoder-decoder. */
int model_encode(struct model *model, const struct batch *batch, float *hidden,
                 struct error *err);

/* Before the decoder of an encoder-decoder runs with a cache: what it looks back at, memory [n_rows,
 * hidden_size] of model_encode. The rows are not needed any more. ERROR_RESOURCES. */
int model_remember(struct model *model, const float *memory, size_t n_rows, struct cache *cache,
                   struct error *err);

/* logits [n_rows, vocab_size] of rows of model_run. */
void model_logits(struct model *model, const float *hidden, size_t n_rows, float *logits);

/* scores [n_sequences, model_n_labels()]: the classifier, on the rows of model_run, of which it looks at
 * model_scored_rows [n_sequences]. */
size_t model_n_labels(const struct model *model);
void model_scored_rows(const struct model *model, const struct batch *batch, struct batch_rows *rows);
int model_scores(struct model *model, const struct batch *batch, const float *hidden,
                 float *scores, struct error *err);

#endif
