#include "prefix_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { LEAST_TOKENS = 16, MOST_ENTRIES = 256 };

struct prefix_entry {
    struct cache *cache;
    uint32_t *ids; /* [cache->n_tokens] */
    unsigned long long used;
};

static void release_entry(struct prefix_entry *entry)
{
    cache_free(entry->cache);
    free(entry->ids);
}

static void remove_entry(struct prefix_store *store, size_t i)
{
    store->entries[i] = store->entries[--store->n_entries];
}

void prefix_store_release(struct prefix_store *store)
{
    for (size_t i = 0; i < store->n_entries; i++)
        release_entry(&store->entries[i]);
    free(store->entries);
    *store = (struct prefix_store){0};
}

size_t prefix_length(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
    size_t n = 0;

    while (n < n_a && n < n_b && a[n] == b[n])
        n++;
    return n;
}

/* The entry that has most of ids[n] in common, and how much; NULL when nothing. */
static struct prefix_entry *find_longest(const struct prefix_store *store, const uint32_t *ids,
                                         size_t n, size_t *length)
{
    struct prefix_entry *found = NULL;

    *length = 0;
    for (size_t i = 0; i < store->n_entries; i++) {
        struct prefix_entry *entry = &store->entries[i];
        size_t common = prefix_length(entry->ids, entry->cache->n_tokens, ids, n);

        if (common > *length) {
            *length = common;
            found = entry;
        }
    }
    return found;
}

void prefix_store_add(struct prefix_store *store, struct cache *cache, const uint32_t *ids)
{
    size_t n = cache->n_tokens, length;
    struct prefix_entry *like = find_longest(store, ids, n, &length);

    if (n < LEAST_TOKENS || length == n) {
        if (like)
            like->used = ++store->now;
        cache_free(cache);
        return;
    }
    if (like && length == like->cache->n_tokens) { /* it is the beginning of this one */
        release_entry(like);
        remove_entry(store, (size_t)(like - store->entries));
    } else if (store->n_entries == MOST_ENTRIES) {
        prefix_store_drop(store);
    }
    store->entries =
        memory_resize(store->entries, store->n_entries + 1, sizeof *store->entries);
    like = &store->entries[store->n_entries++];
    *like = (struct prefix_entry){cache, memory_alloc(n * sizeof *ids), ++store->now};
    memcpy(like->ids, ids, n * sizeof *ids);
}

struct cache *prefix_store_take(struct prefix_store *store, const uint32_t *ids, size_t n,
                                size_t least)
{
    size_t length, n_kept;
    struct prefix_entry *entry = find_longest(store, ids, n, &length);
    struct error error = {0};
    struct cache *cache;

    if (!entry || length < least)
        return NULL;
    n_kept = entry->cache->n_tokens;
    if (length * 2 >= n_kept) { /* as of a conversation that goes on: nothing need be copied */
        cache = entry->cache;
        free(entry->ids);
        remove_entry(store, (size_t)(entry - store->entries));
        cache_truncate(cache, length);
        return cache;
    }
    entry->used = ++store->now;
    entry->cache->n_tokens = length; /* no more than that is copied */
    cache = cache_fork(entry->cache, &error);
    entry->cache->n_tokens = n_kept;
    return cache;
}

size_t prefix_store_bytes(const struct prefix_store *store)
{
    size_t n = 0;

    for (size_t i = 0; i < store->n_entries; i++)
        n += cache_bytes(store->entries[i].cache);
    return n;
}

int prefix_store_drop(struct prefix_store *store)
{
    size_t oldest = 0;

    if (store->n_entries == 0)
        return 0;
    for (size_t i = 1; i < store->n_entries; i++)
        if (store->entries[i].used < store->entries[oldest].used)
            oldest = i;
    release_entry(&store->entries[oldest]);
    remove_entry(store, oldest);
    return 1;
}
