/* forward.h - one stack of layers over a batch. */
#ifndef COCKTAIL_FORWARD_H
#define COCKTAIL_FORWARD_H

#include "arch/model_spec.h"
#include "base/error.h"
#include "model/batch.h"
#include "model/engine.h"
#include "model/model_weights.h"
#include "model/routing.h"

/* Sees what enters each layer of the stack, x [n_tokens, hidden_size] of a batch. */
struct hidden_watcher {
    void (*see)(void *context, size_t layer, const struct batch *batch, const float *x);
    void *context; /* see NULL: nobody watches */
};

/* x [n_tokens, hidden_size] in place: embeddings in, the output of the last layer and its norm
 * out. Caches and memory as in struct batch. ERROR_RESOURCES; ERROR_SIGINT. */
int forward_run(struct engine *engine, const struct stack_spec *stack, const struct stack *weights,
                const struct batch *batch, const struct routing_watcher *watcher,
                const struct hidden_watcher *hidden, float *x, struct error *err);

/* Where a group of ranks has the experts (expert_group.h): takes part in a pass of others with those
 * that are here. ERROR_RESOURCES; ERROR_NETWORK; ERROR_SIGINT. */
int forward_lend(struct engine *engine, const struct stack_spec *stack, const struct stack *weights,
                 struct error *err);

/* Fills the cache of a sequence with what the decoder sees of memory [n_rows, hidden_size], the
 * encoder's. ERROR_RESOURCES. */
int forward_remember(const struct engine *engine, const struct stack *weights,
                     const float *memory, size_t n_rows, struct cache *cache, struct error *err);

#endif
