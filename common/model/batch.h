/* batch.h - what a model reads at once: sequences of different lengths one behind the other,
 * without padding, so that every row of every array is a token that counts. */
#ifndef COCKTAIL_BATCH_H
#define COCKTAIL_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "model/cache.h"

struct batch_rows { /* of one sequence, counted in it */
    size_t first, end;
};

struct batch { /* all borrowed */
    const uint32_t *ids;          /* [n_tokens] */
    const uint8_t *type_ids;      /* [n_tokens], or NULL: all 0 */
    const uint8_t *deaf;          /* [n_tokens], 1 for what attends to nothing, not even to itself, as
                                   * padding does; or NULL: none is. Others must not see it */
    const size_t *ends;           /* [n_sequences], in tokens, never falling */
    size_t n_sequences;
    struct cache *const *caches;  /* [n_sequences], or NULL: the ids continue what these hold, and
                                   * are added to it. Of the decoder */
    /* Instead of caches, or NULL: each sequence goes on from the same tokens, those that this holds;
     * it holds them still afterwards, and no others. */
    struct cache *prefix;
    /* What the decoder of an encoder-decoder looks back at: rows of model_encode, [the last of
     * memory_ends, hidden_size], one end for each sequence, or for each of n_memories where memory_of
     * says which of them a sequence looks at. Not used with caches, which hold what model_remember
     * has made of these. */
    const float *memory;
    const size_t *memory_ends;
    const size_t *memory_of;      /* [n_sequences], or NULL: each sequence has its own */
    size_t n_memories;
    /* [n_sequences], or NULL: all rows. Those of which somebody wants to see what comes out of the
     * last layer; for the others it may be anything. */
    const struct batch_rows *wanted;
};

/* Of sequence number s in `ends`: where it begins, and its tokens. */
static inline size_t batch_start(const size_t *ends, size_t s)
{
    return s ? ends[s - 1] : 0;
}

static inline size_t batch_length(const size_t *ends, size_t s)
{
    return ends[s] - batch_start(ends, s);
}

static inline size_t batch_n_tokens(const struct batch *batch)
{
    return batch_start(batch->ends, batch->n_sequences);
}

/* The cache that holds the beginning of sequence number s, or NULL. */
static inline struct cache *batch_cache(const struct batch *batch, size_t s)
{
    return batch->caches ? batch->caches[s] : batch->prefix;
}

/* Tokens of sequence number s that its cache holds already. */
static inline size_t batch_n_cached(const struct batch *batch, size_t s)
{
    const struct cache *cache = batch_cache(batch, s);

    return cache ? cache->n_tokens : 0;
}

static inline size_t batch_n_memories(const struct batch *batch)
{
    return batch->memory_of ? batch->n_memories : batch->n_sequences;
}

/* Which of them sequence number s looks back at. */
static inline size_t batch_memory(const struct batch *batch, size_t s)
{
    return batch->memory_of ? batch->memory_of[s] : s;
}

#endif
