/* attention.h - softmax(Q K^T) V in blocks, so that memory does not grow with the square of the
 * length (online softmax: Milakov and Gimelshein, arXiv 1805.02867; FlashAttention, 2205.14135).
 * Or stick-breaking (ModuleFormer, arXiv 2306.04640): from the query's position back, each key
 * takes the share sigmoid(score) of what is left of a stick of length 1; the rest is lost. */
#ifndef COCKTAIL_ATTENTION_H
#define COCKTAIL_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "model/engine.h"

struct attention_spec { /* what all sequences of a call share */
    size_t n_heads, n_kv_heads;
    size_t head_dim, v_head_dim; /* of queries and keys, and of values */
    float scale, cap; /* scores: cap * tanh(scale * q k / cap); cap 0: none */
    bool is_causal;   /* a query sees the keys up to its own position */
    size_t window;    /* … that are less than so far away; 0: all */
    /* Added to the scores of keys at a distance (key - query): bias[head][distance + bias_span],
     * rows 2 bias_span + 1 long; NULL: none. bias_span is at least the largest distance. */
    const float *bias;
    size_t bias_span;
    /* A score of each head that takes part in the softmax and has no value (gpt-oss); NULL: none. */
    const float *sinks; /* [n_heads] */
    bool has_stick_breaking; /* causal, without cap, bias and sinks */
};

struct attention_rows { /* one sequence of vectors, of all heads */
    const float *data;
    size_t stride, head_stride; /* items from token to token, from head to head */
};

struct attention_sequence {
    struct attention_rows queries, keys, values;
    size_t n_queries, n_keys;
    size_t first; /* position of the first query among the keys */
    float *out;   /* [n_queries, n_heads * v_head_dim], rows out_stride apart */
    size_t out_stride;
};

/* On all threads of the pool. A query that sees no key gives zeros. ERROR_RESOURCES. */
int attention_run(struct engine *engine, const struct attention_spec *spec,
                  const struct attention_sequence *sequences, size_t n_sequences,
                  struct error *err);

#endif
