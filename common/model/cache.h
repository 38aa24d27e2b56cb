/* cache.h - keys and values of the tokens that a sequence has so far, for generation. */
#ifndef COCKTAIL_CACHE_H
#define COCKTAIL_CACHE_H

#include <stddef.h>

#include "arch/model_spec.h"
#include "base/error.h"

struct cache_layer {
    float *keys, *values;             /* [capacity, key_width], [capacity, value_width] */
    float *cross_keys, *cross_values; /* [n_cross, …] */
};

struct cache {
    size_t n_layers;
    /* n_kv_heads * head_dim, n_kv_heads * v_head_dim; latent attention: stack_latent_width(), and 0,
     * for keys are values, too */
    size_t key_width, value_width;
    size_t n_tokens, capacity;
    size_t n_cross;         /* tokens of the encoder; 0: not there yet */
    struct cache_layer *layers;
};

/* For one sequence of this stack, empty; grows as it is used. Freed with cache_free. */
struct cache *cache_new(const struct stack_spec *stack);
void cache_free(struct cache *cache);

/* Forgets all tokens but the first n_tokens; those of the encoder stay. The memory stays, too. */
void cache_truncate(struct cache *cache, size_t n_tokens);
/* A copy that goes its own way, with room for what it holds and for one token more, or NULL with
 * ERROR_RESOURCES. */
struct cache *cache_fork(const struct cache *cache, struct error *err);
/* Of a token in one layer. */
size_t cache_token_floats(const struct stack_spec *stack);
/* Of memory that its keys and values take, those of room not used yet too. */
size_t cache_bytes(const struct cache *cache);

/* Room for n_tokens in all. ERROR_RESOURCES names the size. */
int cache_reserve(struct cache *cache, size_t n_tokens, struct error *err);
int cache_reserve_cross(struct cache *cache, size_t n_tokens, struct error *err);

#endif
