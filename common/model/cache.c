#include "cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct cache *cache_new(const struct stack_spec *stack)
{
    struct cache *cache = memory_zalloc(1, sizeof *cache);

    cache->n_layers = stack->n_layers;
    cache->key_width = stack->n_kv_heads * stack->head_dim;
    cache->value_width = stack->n_kv_heads * stack->v_head_dim;
    cache->layers = memory_zalloc(stack->n_layers, sizeof *cache->layers);
    return cache;
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

void cache_clear(struct cache *cache)
{
    cache->n_tokens = cache->n_cross = 0;
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
