/* test_prefix_store.c - beginnings are found, kept and let go. */
#include "serve/prefix_store.h"

#include "base/memory.h"
#include "test.h"

enum { N = 64 };

/* A cache of n tokens whose keys are their ids. */
static struct cache *make_cache(const uint32_t *ids, size_t n)
{
    struct cache *cache = memory_zalloc(1, sizeof *cache);
    struct error err = {0};

    cache->n_layers = 1;
    cache->key_width = cache->value_width = 1;
    cache->layers = memory_zalloc(1, sizeof *cache->layers);
    CHECK(cache_reserve(cache, n, &err) == 0);
    for (size_t i = 0; i < n; i++)
        cache->layers[0].keys[i] = cache->layers[0].values[i] = (float)ids[i];
    cache->n_tokens = n;
    return cache;
}

static void fill(uint32_t *ids, uint32_t first)
{
    for (uint32_t i = 0; i < N; i++)
        ids[i] = first + i;
}

static void check_cache(const struct cache *cache, const uint32_t *ids, size_t n)
{
    CHECK(cache && cache->n_tokens == n);
    for (size_t i = 0; cache && i < n; i++)
        CHECK(cache->layers[0].keys[i] == (float)ids[i]);
}

static void the_longest_beginning_is_taken(void)
{
    struct prefix_store store = {0};
    uint32_t a[N], b[N];
    struct cache *taken;

    fill(a, 0);
    fill(b, 0);
    b[40] = 7;
    prefix_store_add(&store, make_cache(a, N), a);
    prefix_store_add(&store, make_cache(b, N), b);
    CHECK(store.n_entries == 2);
    CHECK(!prefix_store_take(&store, a, 10, 16)); /* too little in common */
    taken = prefix_store_take(&store, b, 20, 16); /* less than half: a copy */
    check_cache(taken, b, 20);
    CHECK(store.n_entries == 2);
    cache_free(taken);
    taken = prefix_store_take(&store, b, N - 1, 16); /* all of it but one: moved */
    check_cache(taken, b, N - 1);
    CHECK(store.n_entries == 1);
    cache_free(taken);
    taken = prefix_store_take(&store, b, N - 1, 16); /* now that of the other one */
    check_cache(taken, b, 40);
    cache_free(taken);
    CHECK(store.n_entries == 0 && prefix_store_bytes(&store) == 0);
    prefix_store_release(&store);
}

static void what_is_a_beginning_is_not_kept_twice(void)
{
    struct prefix_store store = {0};
    uint32_t a[N];

    fill(a, 0);
    prefix_store_add(&store, make_cache(a, 32), a);
    prefix_store_add(&store, make_cache(a, N), a); /* takes its place */
    CHECK(store.n_entries == 1);
    prefix_store_add(&store, make_cache(a, 32), a); /* is there already */
    CHECK(store.n_entries == 1);
    prefix_store_add(&store, make_cache(a, 3), a); /* not worth it */
    CHECK(store.n_entries == 1);
    prefix_store_release(&store);
}

static void the_one_not_used_for_longest_goes_first(void)
{
    struct prefix_store store = {0};
    uint32_t a[N], b[N];
    struct cache *taken;

    fill(a, 0);
    fill(b, 1000);
    prefix_store_add(&store, make_cache(a, N), a);
    prefix_store_add(&store, make_cache(b, N), b);
    taken = prefix_store_take(&store, a, 16, 16); /* a copy: it was used */
    check_cache(taken, a, 16);
    cache_free(taken);
    CHECK(prefix_store_drop(&store) == 1 && store.n_entries == 1);
    CHECK(!prefix_store_take(&store, b, N, 16));
    CHECK(prefix_store_drop(&store) == 1 && prefix_store_drop(&store) == 0);
    prefix_store_release(&store);
}

TESTS(TEST(the_longest_beginning_is_taken), TEST(what_is_a_beginning_is_not_kept_twice),
      TEST(the_one_not_used_for_longest_goes_first))
