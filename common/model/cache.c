#include "cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static struct cache *new_cache(size_t n_layers, size_t key_width, size_t value_width)
{
    struct cache *cache = memory_zalloc(1, sizeof *cache);

    cache->n_layers = n_layers;
    cache->key_width = key_width;
    cache->value_width = value_width;
    cache->layers = memory_zalloc(n_layers, sizeof *cache->layers);
    return cache;
}

static size_t key_width_of(const struct stack_spec *stack)
{
    return stack->qkv == QKV_LATENT ? stack_latent_width(stack)
                                    : stack->n_kv_heads * stack->head_dim;
}

static size_t value_width_of(const struct stack_spec *stack)
{
    return stack->qkv == QKV_LATENT ? 0 : stack->n_kv_heads * stack->v_head_dim;
}

size_t cache_token_floats(const struct stack_spec *stack)
{
    return key_width_of(stack) + value_width_of(stack);
}

struct cache *cache_new(const struct stack_spec *stack)
{
    return new_cache(stack->n_layers, key_width_of(stack), value_width_of(stack));
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->n_layers; i++) {
        free(cache->layers[i].keys);
        free(cache->layers[i].values);
        free(cache->layers[i].cross_keys);
        free(cache->layers[i].cross_values);
    }
    free(cache->layers);
    free(cache);
}

void cache_truncate(struct cache *cache, size_t n_tokens)
{
    if (n_tokens < cache->n_tokens)
        cache->n_tokens = n_tokens;
}

size_t cache_bytes(const struct cache *cache)
{
    return cache->n_layers * (cache->capacity + cache->n_cross) *
           (cache->key_width + cache->value_width) * sizeof(float);
}

/* *rows [capacity, width], with the first n_tokens rows kept. */
static int grow(const struct cache *cache, float **rows, size_t width, size_t capacity,
                struct error *err)
{
    float *larger = memory_try(capacity, width * sizeof *larger, "keys and values", err);

    if (!larger)
        return -1;
    if (cache->n_tokens)
        memcpy(larger, *rows, cache->n_tokens * width * sizeof *larger);
    free(*rows);
    *rows = larger;
    return 0;
}

int cache_reserve(struct cache *cache, size_t n_tokens, struct error *err)
{
    size_t capacity = cache->capacity ? cache->capacity : 256;

    if (n_tokens <= cache->capacity)
        return 0;
    while (capacity < n_tokens)
        capacity += capacity / 2;
    for (size_t i = 0; i < cache->n_layers; i++)
        if (grow(cache, &cache->layers[i].keys, cache->key_width, capacity, err) ||
            grow(cache, &cache->layers[i].values, cache->value_width, capacity, err))
            return -1; /* some rows are longer than `capacity` says: no harm */
    cache->capacity = capacity;
    return 0;
}

int cache_reserve_cross(struct cache *cache, size_t n_tokens, struct error *err)
{
    for (size_t i = 0; i < cache->n_layers; i++) {
        struct cache_layer *layer = &cache->layers[i];

        free(layer->cross_keys);
        free(layer->cross_values);
        layer->cross_values = NULL;
        layer->cross_keys = memory_try(n_tokens, cache->key_width * sizeof(float), "keys", err);
        if (layer->cross_keys)
            layer->cross_values =
                memory_try(n_tokens, cache->value_width * sizeof(float), "values", err);
        if (!layer->cross_values)
            return -1;
    }
    cache->n_cross = n_tokens;
    return 0;
}

static void copy_layer(const struct cache *from, size_t i, struct cache *to)
{
    const struct cache_layer *a = &from->layers[i];
    struct cache_layer *b = &to->layers[i];

    if (from->n_tokens) {
        memcpy(b->keys, a->keys, from->n_tokens * from->key_width * sizeof(float));
        memcpy(b->values, a->values, from->n_tokens * from->value_width * sizeof(float));
    }
    if (from->n_cross) {
        memcpy(b->cross_keys, a->cross_keys, from->n_cross * from->key_width * sizeof(float));
        memcpy(b->cross_values, a->cross_values,
               from->n_cross * from->value_width * sizeof(float));
    }
}

struct cache *cache_fork(const struct cache *cache, struct error *err)
{
    struct cache *copy = new_cache(cache->n_layers, cache->key_width, cache->value_width);

    if (cache_reserve(copy, cache->n_tokens + 1, err) ||
        (cache->n_cross && cache_reserve_cross(copy, cache->n_cross, err))) {
        cache_free(copy);
        return NULL;
    }
    for (size_t i = 0; i < cache->n_layers; i++)
        copy_layer(cache, i, copy);
    copy->n_tokens = cache->n_tokens;
    return copy;
}
