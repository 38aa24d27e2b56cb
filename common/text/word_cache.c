#include "word_cache.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

void word_cache_init(struct word_cache *cache)
{
    size_t line = sizeof *cache->lines;

    static_assert(sizeof *cache->lines == 64, "a line of the processor's cache");
    /* Zeroed by the system where it is used, and nowhere else: hence not aligned_alloc. */
    cache->memory = memory_zalloc(((size_t)2 << WORD_CACHE_BITS) + 1, line);
    cache->lines = (void *)((char *)cache->memory + (line - (uintptr_t)cache->memory % line));
    cache->seed = byte_hash_seed();
}

void word_cache_release(struct word_cache *cache)
{
    free(cache->memory);
    *cache = (struct word_cache){0};
}

void word_cache_add(struct word_cache *cache, const struct word_key *key, const struct ids *ids,
                    size_t first)
{
    struct word_line *line = word_cache_place(cache, key);
    size_t n_ids = ids->n_items - first;

    if (n_ids > WORD_CACHE_IDS)
        return;
    line[1] = line[0];
    line->key = *key;
    line->key.parts[3] |= (uint64_t)n_ids << 56;
    for (size_t i = 0; i < n_ids; i++)
        line->ids[i] = ids->items[first + i];
}
