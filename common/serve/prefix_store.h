/* prefix_store.h - caches of texts that have ended, for those that begin like them; when memory is
 * wanted, what was not used for longest goes first. */
#ifndef COCKTAIL_PREFIX_STORE_H
#define COCKTAIL_PREFIX_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/cache.h"
#include "text/ids.h"

struct prefix_store { /* a zeroed struct is empty */
    struct prefix_entry *entries;
    size_t n_entries;
    unsigned long long now; /* counts uses */
};

void prefix_store_release(struct prefix_store *store);

/* Ids at the beginning that both have. */
size_t prefix_length(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b);

/* Takes the cache over, of a text that begins with these ids, and copies those it holds. One
 * that is the beginning of what is kept already, or has too few tokens to be worth it, is freed. */
void prefix_store_add(struct prefix_store *store, struct cache *cache, const uint32_t *ids);
/* A cache with the longest beginning of ids[n] that is kept, the caller's; of fewer than `least`
 * tokens, or when there is no memory for a copy: NULL. */
struct cache *prefix_store_take(struct prefix_store *store, const uint32_t *ids, size_t n,
                                size_t least);
size_t prefix_store_bytes(const struct prefix_store *store);
/* Forgets the one that was not used for longest; 0 when there is none. */
int prefix_store_drop(struct prefix_store *store);

#endif
