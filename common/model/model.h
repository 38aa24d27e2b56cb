/* model.h - a checkpoint that runs.
 *
 * Sequences of different lengths are put one behind the other, without padding: every row of every
 * array is a token that counts. What a sequence gives does not depend on the others in its batch
 * (but for rounding, to 1e-6), nor on the number of threads (not by a bit). */
#ifndef COCKTAIL_MODEL_H
#define COCKTAIL_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "arch/architecture.h"
#include "arch/model_folder.h"
#include "arch/model_spec.h"
#include "base/error.h"
#include "base/notices.h"
#include "base/threads.h"
#include "model/attention.h"
#include "model/cache.h"
#include "model/parameters.h"

/* What one router did with the tokens of a batch: choices stand [n_tokens, spec->n_chosen], the
 * likeliest first. All borrowed, until the watcher returns. */
struct routing {
    const struct stack_spec *stack; /* which of the model's */
    const struct moe_spec *spec;
    const struct batch *batch;
    size_t layer;
    bool is_attention;      /* experts of query heads, not of the MLP */
    const float *logits;    /* [n_tokens, n_experts], as the router gave them */
    const uint32_t *experts;
    const float *weights;   /* 0 for a choice that its expert had no room for */
};
struct routing_watcher {
    void (*see)(void *context, const struct routing *routing); /* NULL: nobody watches */
    void *context;
};

struct model { /* to be read by its users; run by one thread at a time, which uses the pool */
    struct model_spec spec;
    struct parameters parameters;
    const struct checkpoint *checkpoint; /* borrowed from the folder */
    struct threads *threads; /* borrowed */
    struct gemm *gemm;
    struct attention *attention;
    struct routing_watcher watcher; /* to be set by its users; costs nothing while there is none */
};

/* The weights of the folder, ready to run as a model of `type`: a decoder or an encoder-decoder
 * with its output head, a reranker with its classifier. The folder, which opens its weights once
 * for all who ask, and the pool must outlive it; one model of a folder at a time.
 * ERROR_FORMAT when config.json or the tensors are malformed or contradict each other,
 * ERROR_UNSUPPORTED for an architecture that cannot be run. model_free gives the memory of the
 * weights back, and leaves them open. */
struct model *model_load(struct model_folder *folder, enum model_type type,
                         struct threads *threads, struct notices *notices, struct error *err);
void model_free(struct model *model);
/* From now on experts take all tokens that choose them, whatever their capacity. */
void model_lift_capacity(struct model *model);

struct batch { /* all borrowed */
    const uint32_t *ids;          /* [n_tokens] */
    const uint8_t *type_ids;      /* [n_tokens], or NULL: all 0 */
    const size_t *ends;           /* [n_sequences], in tokens, never falling */
    size_t n_sequences;
    struct cache *const *caches;  /* [n_sequences], or NULL: the ids continue what these hold, and
                                   * are added to it. Of the decoder */
    /* What the decoder of an encoder-decoder looks back at: rows of model_encode, [the last of
     * memory_ends, hidden_size], one end for each sequence. NULL once a cache holds them. */
    const float *memory;
    const size_t *memory_ends;
};

/* hidden [n_tokens, hidden_size] = what comes out of the last layer and its norm. ERROR_FORMAT for
 * an id or type id that has no embedding, or more tokens than there are positions;
 * ERROR_RESOURCES; ERROR_SIGINT. */
int model_run(struct model *model, const struct batch *batch, float *hidden, struct error *err);
/* The same with the encoder of an encoder-decoder. */
int model_encode(struct model *model, const struct batch *batch, float *hidden,
                 struct error *err);

/* logits [n_rows, vocab_size] of rows of model_run. */
void model_logits(struct model *model, const float *hidden, size_t n_rows, float *logits);

/* scores [n_sequences, model_n_labels()]: the classifier, on the rows of model_run. */
size_t model_n_labels(const struct model *model);
int model_scores(struct model *model, const struct batch *batch, const float *hidden,
                 float *scores, struct error *err);

#endif
