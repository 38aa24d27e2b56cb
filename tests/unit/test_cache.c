/* test_cache.c - a cache that is cut back, copied and counted. */
#include "model/cache.h"

#include "golden.h"

enum { N_IDS = 20, N_MORE = 5 };

/* A decoder with heads that share keys, one with latent attention, one with an encoder. */
static const char *const names[] = {"models/llama-gqa", "models/deepseek-v3-f16", "models/t5"};
enum { N_MODELS = sizeof names / sizeof *names };

struct stage {
    struct fixture fixture;
    struct cache *cache; /* of the first N_IDS */
    uint32_t ids[N_IDS + N_MORE];
    size_t width;
};

/* hidden [n, width] of ids, behind what the cache holds. */
static void run(struct stage *stage, struct cache *cache, const uint32_t *ids, size_t n,
                float *hidden)
{
    struct batch batch = {.ids = ids, .ends = &n, .n_sequences = 1, .caches = &cache};
    struct error err = {0};

    CHECK(model_run(stage->fixture.model, &batch, hidden, &err) == 0);
}

static void stage_init(struct stage *stage, const char *name)
{
    struct model *model;
    struct error err = {0};
    float *hidden;

    *stage = (struct stage){.width = 0};
    fixture_load(&stage->fixture, name, 1);
    model = stage->fixture.model;
    stage->width = model->spec.hidden_size;
    stage->cache = cache_new(&model->spec.stack);
    for (size_t i = 0; i < N_IDS + N_MORE; i++)
        stage->ids[i] = (uint32_t)((7 * i * i + 3) % model->spec.vocab_size);
    hidden = memory_zalloc(N_IDS * stage->width, sizeof *hidden);
    if (model->spec.is_encoder_decoder) {
        size_t n = N_IDS;
        struct batch batch = {.ids = stage->ids, .ends = &n, .n_sequences = 1};

        CHECK(model_encode(model, &batch, hidden, &err) == 0);
        CHECK(model_remember(model, hidden, n, stage->cache, &err) == 0);
    }
    run(stage, stage->cache, stage->ids, N_IDS, hidden);
    free(hidden);
}

static void stage_release(struct stage *stage)
{
    cache_free(stage->cache);
    fixture_release(&stage->fixture);
}

static void what_was_cut_off_can_be_run_again(void)
{
    for (size_t i = 0; i < N_MODELS; i++) {
        struct stage stage;
        float *first, *again;

        stage_init(&stage, names[i]);
        first = memory_zalloc(N_MORE * stage.width, sizeof *first);
        again = memory_zalloc(N_MORE * stage.width, sizeof *again);
        run(&stage, stage.cache, stage.ids + N_IDS, N_MORE, first);
        run(&stage, stage.cache, stage.ids, N_MORE, again); /* others */
        cache_truncate(stage.cache, N_IDS);
        CHECK(stage.cache->n_tokens == N_IDS);
        run(&stage, stage.cache, stage.ids + N_IDS, N_MORE, again);
        CHECK(memcmp(first, again, N_MORE * stage.width * sizeof *first) == 0);
        cache_truncate(stage.cache, 1000);
        CHECK(stage.cache->n_tokens == N_IDS + N_MORE);
        free(first);
        free(again);
        stage_release(&stage);
    }
}

static void a_copy_goes_its_own_way(void)
{
    for (size_t i = 0; i < N_MODELS; i++) {
        struct stage stage;
        struct error err = {0};
        struct cache *copy;
        float *of_copy, *of_first, *other;

        stage_init(&stage, names[i]);
        of_copy = memory_zalloc(N_MORE * stage.width, sizeof *of_copy);
        of_first = memory_zalloc(N_MORE * stage.width, sizeof *of_first);
        other = memory_zalloc(N_MORE * stage.width, sizeof *other);
        copy = cache_fork(stage.cache, &err);
        CHECK(copy && copy->n_tokens == N_IDS && copy->n_cross == stage.cache->n_cross);
        run(&stage, copy, stage.ids, N_MORE, other);
        run(&stage, stage.cache, stage.ids + N_IDS, N_MORE, of_first);
        CHECK(memcmp(of_first, other, N_MORE * stage.width * sizeof *other) != 0);
        cache_truncate(copy, N_IDS);
        cache_free(stage.cache); /* nothing is shared */
        stage.cache = copy;
        run(&stage, copy, stage.ids + N_IDS, N_MORE, of_copy);
        CHECK(memcmp(of_first, of_copy, N_MORE * stage.width * sizeof *of_copy) == 0);
        free(of_copy);
        free(of_first);
        free(other);
        stage_release(&stage);
    }
}

static void an_empty_cache_can_be_copied(void)
{
    struct stack_spec stack = {.n_layers = 2, .n_kv_heads = 1, .head_dim = 4, .v_head_dim = 4};
    struct cache *cache = cache_new(&stack), *copy;
    struct error err = {0};

    copy = cache_fork(cache, &err);
    CHECK(copy && copy->n_tokens == 0 && copy->n_layers == 2 && copy->key_width == 4);
    cache_free(copy);
    cache_free(cache);
}

static void all_its_memory_is_counted(void)
{
    struct stack_spec stack = {.n_layers = 3, .n_kv_heads = 2, .head_dim = 4, .v_head_dim = 6};
    struct cache *cache = cache_new(&stack);
    struct error err = {0};

    CHECK(cache_bytes(cache) == 0);
    CHECK(cache_reserve(cache, 300, &err) == 0);
    CHECK(cache->capacity >= 300);
    CHECK(cache_bytes(cache) == 3 * cache->capacity * 2 * (4 + 6) * sizeof(float));
    CHECK(cache_reserve_cross(cache, 10, &err) == 0);
    CHECK(cache_bytes(cache) == 3 * (cache->capacity + 10) * 2 * (4 + 6) * sizeof(float));
    cache_free(cache);
}

TESTS(TEST(what_was_cut_off_can_be_run_again), TEST(a_copy_goes_its_own_way),
      TEST(an_empty_cache_can_be_copied), TEST(all_its_memory_is_counted))
