/* word_cache.h - the ids of words met before, because a few thousand words make up most of a text.
 *
 * A word and its ids fill one line of the processor's cache; two lines share a place and the older
 * one gives way. Longer words, or such with more ids, are not kept: they are rare. What is found
 * here is always what computing it again would give. */
#ifndef COCKTAIL_WORD_CACHE_H
#define COCKTAIL_WORD_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/byte_hash.h"
#include "text/ids.h"

enum { WORD_CACHE_BYTES = 30, WORD_CACHE_IDS = 8, WORD_CACHE_BITS = 13 };

/* The bytes of a word, zeros behind them; byte 30 of the key is the length, and 128 more for a part;
 * byte 31 of a line is the number of its ids. */
struct word_key {
    uint64_t parts[4];
};

struct word_line {
    struct word_key key; /* zeroed: no word */
    uint32_t ids[WORD_CACHE_IDS];
};

struct word_cache {
    struct word_line *lines; /* [2 << WORD_CACHE_BITS], at a multiple of 64 */
    void *memory;
    uint64_t seed;
};

void word_cache_init(struct word_cache *cache);
void word_cache_release(struct word_cache *cache);
/* Takes up a word that was not found; its ids are those from number `first` on. */
void word_cache_add(struct word_cache *cache, const struct word_key *key, const struct ids *ids,
                    size_t first);

static inline struct word_line *word_cache_place(const struct word_cache *cache,
                                                 const struct word_key *key)
{
    const uint64_t *parts = key->parts;
    uint64_t hash = byte_hash_mix(parts[0] ^ cache->seed, parts[1] ^ 0x9e3779b97f4a7c15u) ^
                    byte_hash_mix(parts[2] ^ 0xd6e8feb86659fd93u, parts[3] ^ cache->seed);

    return cache->lines + 2 * (hash * 0xe7037ed1a0b428dbu >> (64 - WORD_CACHE_BITS));
}

/* word[n], 0 < n <= WORD_CACHE_BYTES; a part is another word than the same bytes as a whole. When it
 * is there its ids are added to `ids`; when not, `key` is what word_cache_add wants. */
static inline bool word_cache_find(const struct word_cache *cache, const char *word, size_t n,
                                   bool is_part, struct word_key *key, struct ids *ids)
{
    const struct word_line *line;
    size_t whole = n / 8, n_ids;
    uint64_t last;

    *key = (struct word_key){{0, 0, 0, 0}};
    for (size_t i = 0; i < whole; i++)
        key->parts[i] = byte_hash_load8(word + 8 * i);
    key->parts[whole] = byte_hash_load(word + 8 * whole, n % 8);
    key->parts[3] |= (uint64_t)(n | (size_t)is_part << 7) << 48;
    line = word_cache_place(cache, key);
    for (int i = 0; i < 2; i++, line++) {
        last = line->key.parts[3];
        if (line->key.parts[0] != key->parts[0] || line->key.parts[1] != key->parts[1] ||
            line->key.parts[2] != key->parts[2] || (last & 0x00ffffffffffffffu) != key->parts[3])
            continue;
        n_ids = last >> 56;
        if (ids->n_items + n_ids > ids->capacity)
            ids_reserve(ids, n_ids);
        for (size_t j = 0; j < n_ids; j++)
            ids->items[ids->n_items + j] = line->ids[j];
        ids->n_items += n_ids;
        return true;
    }
    return false;
}

#endif
