/* test_prefix.c - what several sequences begin with is run once, and nobody can tell. */
#include "model/prefix.h"

#include "golden.h"

/* One of each kind of attention, experts and rotation, and those that share nothing. */
static const char *const names[] = {
    "models/llama-gqa",          "models/gemma3-f16",      "models/deepseek-v3-f16",
    "models/gpt-oss",            "models/mixtral",         "models/molm",
    "models/mistral-window-bf16", "models/gpt2",           "models/phi3-su-bf16",
    "models/llama-dynamic-f16",  "models/openmoe",         "models/jetmoe-bf16",
    "models/llama-not-causal-f16",
};
enum { N_MODELS = sizeof names / sizeof *names };

/* One alone, six that begin with the same 26 ids, two that are alone again, and two with 30 that are
 * not worth it. No longer than the smallest model has positions for. */
enum { N_SEQUENCES = 11 };
static const struct {
    size_t n, n_common, kind;
} lengths[N_SEQUENCES] = {{9, 0, 1},   {30, 26, 2}, {27, 26, 2}, {31, 26, 2}, {28, 26, 2}, {29, 26, 2},
                          {30, 26, 2}, {3, 0, 3},   {1, 0, 4},   {32, 30, 5}, {31, 30, 5}};

struct texts {
    uint32_t ids[512];
    size_t ends[N_SEQUENCES], n_tokens;
    struct batch batch;
};

static void make_texts(struct texts *texts, size_t vocab_size)
{
    *texts = (struct texts){.n_tokens = 0};
    for (size_t s = 0; s < N_SEQUENCES; s++) {
        for (size_t i = 0; i < lengths[s].n; i++) {
            size_t which = i < lengths[s].n_common ? lengths[s].kind : 10 + s;

            texts->ids[texts->n_tokens++] = (uint32_t)((which * 31 + i * i * 7 + 3) % vocab_size);
        }
        texts->ends[s] = texts->n_tokens;
    }
    texts->batch = (struct batch){.ids = texts->ids, .ends = texts->ends,
                                  .n_sequences = N_SEQUENCES};
}

static bool same(const char *name, const float *x, const float *y, size_t n)
{
    if (memcmp(x, y, n * sizeof *x) == 0)
        return true;
    printf("# %s: other bits\n", name);
    return false;
}

static void the_rows_are_the_same(void)
{
    for (size_t m = 0; m < N_MODELS; m++) {
        struct fixture fixture;
        struct texts texts;
        struct error err = {0};
        size_t n_bytes;
        float *plain, *shared;

        fixture_load(&fixture, names[m], 2);
        make_texts(&texts, fixture.model->spec.vocab_size);
        n_bytes = texts.n_tokens * fixture.model->spec.hidden_size * sizeof *plain;
        plain = memory_alloc(n_bytes);
        shared = memory_alloc(n_bytes);
        CHECK(model_run(fixture.model, &texts.batch, plain, &err) == 0);
        CHECK(prefix_run(fixture.model, &texts.batch, shared, &err) == 0);
        CHECK(same(names[m], plain, shared, n_bytes / sizeof *plain));
        free(plain);
        free(shared);
        fixture_release(&fixture);
    }
}

static void a_prefix_is_extended_and_cut_back(void)
{
    struct prefix prefix = {0};
    struct fixture fixture;
    struct texts texts;
    struct error err = {0};
    size_t width;
    float *whole, *rows;

    fixture_load(&fixture, "models/llama-gqa", 1);
    make_texts(&texts, fixture.model->spec.vocab_size);
    width = fixture.model->spec.hidden_size;
    whole = memory_zalloc(texts.n_tokens * width, sizeof *whole);
    rows = memory_zalloc(64 * width, sizeof *rows);
    CHECK(model_run(fixture.model, &texts.batch, whole, &err) == 0);
    CHECK(prefix_set(&prefix, fixture.model, texts.ids + 9, 26, NULL, &err) == 0);
    CHECK(prefix.cache->n_tokens == 26 && prefix.ids.n_items == 26);

    /* four more: only their rows are written */
    CHECK(prefix_set(&prefix, fixture.model, texts.ids + 9, 30, rows, &err) == 0);
    CHECK(prefix.cache->n_tokens == 30 && rows[25 * width] == 0);
    CHECK(same("four more", rows + 26 * width, whole + (9 + 26) * width, 4 * width));

    /* the next one, that has 26 ids in common with it */
    CHECK(prefix_set(&prefix, fixture.model, texts.ids + 39, 27, rows, &err) == 0);
    CHECK(prefix.cache->n_tokens == 27 && prefix.ids.items[26] == texts.ids[39 + 26]);
    CHECK(same("one more", rows + 26 * width, whole + (39 + 26) * width, width));

    CHECK(prefix_set(&prefix, fixture.model, NULL, 0, NULL, &err) == 0);
    CHECK(prefix.cache->n_tokens == 0 && prefix.ids.n_items == 0);
    prefix_release(&prefix);
    free(whole);
    free(rows);
    fixture_release(&fixture);
}

static void it_stays_as_it_is_when_others_go_on_from_it(void)
{
    struct prefix prefix = {0};
    struct fixture fixture;
    struct texts texts;
    struct error err = {0};
    size_t width, ends[] = {4, 5}, n_bytes;
    uint32_t ids[5];
    float *rows, *again;
    struct batch batch = {.ids = ids, .ends = ends, .n_sequences = 2};

    fixture_load(&fixture, "models/llama-gqa", 1);
    make_texts(&texts, fixture.model->spec.vocab_size);
    width = fixture.model->spec.hidden_size;
    n_bytes = 5 * width * sizeof *rows;
    rows = memory_alloc(n_bytes);
    again = memory_alloc(n_bytes);
    memcpy(ids, texts.ids + 9 + 26, 4 * sizeof *ids);
    ids[4] = texts.ids[39 + 26];
    CHECK(prefix_set(&prefix, fixture.model, texts.ids + 9, 26, NULL, &err) == 0);
    batch.prefix = prefix.cache;
    CHECK(model_run(fixture.model, &batch, rows, &err) == 0);
    CHECK(prefix.cache->n_tokens == 26);
    CHECK(model_run(fixture.model, &batch, again, &err) == 0);
    CHECK(memcmp(rows, again, n_bytes) == 0);
    prefix_release(&prefix);
    free(rows);
    free(again);
    fixture_release(&fixture);
}

static void some_models_share_nothing(void)
{
    static const char *const whole[] = {"models/llama-dynamic-f16", "models/phi3-su-bf16",
                                        "models/openmoe", "models/llama-not-causal-f16",
                                        "models/t5"};
    struct fixture fixture;

    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        fixture_load(&fixture, whole[i], 1);
        CHECK(prefix_limit(fixture.model) == 0);
        fixture_release(&fixture);
    }
    fixture_load(&fixture, "models/llama-gqa", 1);
    CHECK(prefix_limit(fixture.model) > 4096);
    fixture_release(&fixture);
}

/* Worth it is what spares 128 tokens. */
static void what_spares_most_is_chosen(void)
{
    static const size_t common[] = {200, 200, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 3, 90};
    size_t n_members;

    CHECK(prefix_choose(common, 2, 0, &n_members) == 200 && n_members == 3);
    CHECK(prefix_choose(common, 14, 0, &n_members) == 50 && n_members == 13);
    CHECK(prefix_choose(common, 14, 50, &n_members) == 200 && n_members == 3);
    CHECK(prefix_choose(common, 14, 200, &n_members) == 0 && n_members == 1);
    CHECK(prefix_choose(common + 2, 2, 0, &n_members) == 0 && n_members == 1);
    CHECK(prefix_choose(common + 2, 3, 0, &n_members) == 50 && n_members == 4);
    CHECK(prefix_choose(common + 12, 2, 0, &n_members) == 0);
    CHECK(prefix_choose(common, 0, 0, &n_members) == 0 && n_members == 1);
    CHECK(!prefix_is_worth(127) && prefix_is_worth(128));
}

TESTS(TEST(the_rows_are_the_same),
      TEST(a_prefix_is_extended_and_cut_back),
      TEST(it_stays_as_it_is_when_others_go_on_from_it),
      TEST(some_models_share_nothing),
      TEST(what_spares_most_is_chosen))
