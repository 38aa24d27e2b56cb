/* What the originals of OpenMoE and MoLM give where one pass over a text does not show it. */
#include "golden.h"

#include "model/capacity.h"

struct original {
    struct fixture fixture;
    struct golden golden;
    const char *name;
};

static void open_original(struct original *original, const char *name)
{
    char *path = memory_format("models/%s", name), *whole = memory_format("fixtures/%s", path);
    struct error err = {0};
    struct notices notices = {0};

    original->name = name;
    fixture_load(&original->fixture, path, 2);
    original->golden.folder = folder_open(whole, false, &err);
    original->golden.checkpoint =
        checkpoint_open(original->golden.folder, "", "golden.safetensors", &notices, &err);
    CHECK(original->golden.checkpoint != NULL);
    notices_release(&notices);
    free(path);
    free(whole);
}

static void close_original(struct original *original)
{
    checkpoint_close(original->golden.checkpoint);
    folder_close(original->golden.folder);
    fixture_release(&original->fixture);
}

/* logits, rows of one pass or of many, against `name`. */
static void check_logits(const struct original *original, const float *hidden, size_t n,
                         const char *name)
{
    struct model *model = original->fixture.model;
    float *logits = memory_zalloc(n * model->spec.vocab_size, sizeof *logits);

    model_logits(model, hidden, n, logits);
    CHECK(golden_is_near(&original->golden, original->name, name, logits));
    free(logits);
}

static void check_texts(const struct original *original, const char *ids, const char *ends,
                        const char *logits)
{
    struct model *model = original->fixture.model;
    struct golden_texts texts = golden_texts(&original->golden, ids, ends);
    float *hidden = memory_zalloc(texts.n_tokens * model->spec.hidden_size, sizeof *hidden);
    struct error err = {0};

    CHECK(model_run(model, &texts.batch, hidden, &err) == 0);
    check_logits(original, hidden, texts.n_tokens, logits);
    free(hidden);
    golden_texts_release(&texts);
}

static void a_capacity_that_is_lifted_drops_nothing(void)
{
    static const char *const names[] = {"openmoe", "openmoe-k1-f16"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct original original;

        open_original(&original, names[i]);
        if (golden_find(&original.golden, "more_ids"))
            check_texts(&original, "more_ids", "more_ends", "more_logits");
        model_lift_capacity(original.fixture.model);
        check_texts(&original, "dropless_ids", "dropless_ends", "dropless_logits");
        close_original(&original);
    }
}

static void check_greedy(const struct original *original, const float *hidden,
                         const int32_t *greedy, size_t n)
{
    struct model *model = original->fixture.model;
    size_t width = model->spec.vocab_size;
    float *logits = memory_zalloc(n * width, sizeof *logits);

    model_logits(model, hidden, n, logits);
    CHECK(golden_is_near(&original->golden, original->name, "greedy_logits", logits));
    for (size_t i = 0; i < n; i++)
        CHECK(logits[i * width + (size_t)greedy[i]] == vector_max(logits + i * width, width));
    free(logits);
}

/* In the original's own steps: a prompt, then token by token, each with room for all. */
static void a_capacity_counts_the_tokens_of_a_step(void)
{
    struct original original;
    struct golden_texts texts;
    struct error err = {0};
    struct cache *cache;
    struct model *model;
    size_t n, begin = 0;
    float *hidden;

    open_original(&original, "openmoe");
    model = original.fixture.model;
    n = model->spec.hidden_size;
    texts = golden_texts(&original.golden, "decode_ids", "decode_ends");
    hidden = memory_zalloc(texts.n_tokens * n, sizeof *hidden);
    cache = cache_new(&model->spec.stack);
    for (size_t step = 0; step < texts.batch.n_sequences; step++) {
        size_t n_new = texts.ends[step] - begin;
        struct batch batch = {.ids = texts.ids + begin, .ends = &n_new, .n_sequences = 1,
                              .caches = &cache};

        CHECK(model_run(model, &batch, hidden + begin * n, &err) == 0);
        begin = texts.ends[step];
    }
    check_logits(&original, hidden, texts.n_tokens, "decode_logits");
    cache_free(cache);
    free(hidden);
    golden_texts_release(&texts);
    close_original(&original);
}

/* Both texts as one: what is dropped of that batch in the original. */
static void places_are_taken_as_in_the_original(void)
{
    struct original original;
    const struct moe_spec *moe;
    int32_t *experts, *kept;
    size_t n_rows, n_wrong = 0, n_dropped = 0, counts[16];

    open_original(&original, "openmoe");
    moe = &original.fixture.model->spec.stack.moe;
    experts = golden_values(&original.golden, "batch_experts");
    kept = golden_values(&original.golden, "batch_kept");
    n_rows = golden_find(&original.golden, "batch_kept")->shape[1];
    CHECK(n_rows == 24 && moe->n_experts <= 16);
    for (size_t layer = 0; layer < 2; layer++) {
        float weights[48];

        for (size_t i = 0; i < 48; i++)
            weights[i] = 1;
        capacity_drop(moe, (uint32_t *)experts + layer * 48, n_rows, counts, weights);
        for (size_t i = 0; i < 48; i++) {
            n_wrong += (weights[i] != 0) != (kept[layer * 48 + i] != 0);
            n_dropped += weights[i] == 0;
        }
    }
    CHECK(n_wrong == 0 && n_dropped == 2);
    free(experts);
    free(kept);
    close_original(&original);
}

/* With a cache, as the original generated it. */
static void a_greedy_text_of_molm_is_the_originals(void)
{
    struct original original;
    struct error err = {0};
    struct model *model;
    struct cache *cache;
    int32_t *ids, *greedy;
    size_t n_prompt, n, width;
    float *hidden;

    open_original(&original, "molm");
    model = original.fixture.model;
    width = model->spec.hidden_size;
    ids = golden_values(&original.golden, "greedy_prompt");
    greedy = golden_values(&original.golden, "greedy");
    n_prompt = golden_find(&original.golden, "greedy_prompt")->n_items;
    n = golden_find(&original.golden, "greedy")->n_items;
    hidden = memory_zalloc((n_prompt + n) * width, sizeof *hidden);
    cache = cache_new(&model->spec.stack);
    for (size_t i = 0; i < n; i++) {
        size_t n_new = i ? 1 : n_prompt;
        struct batch batch = {.ids = (uint32_t *)(i ? &greedy[i - 1] : ids), .ends = &n_new,
                              .n_sequences = 1, .caches = &cache};

        CHECK(model_run(model, &batch, hidden + (i ? n_prompt + i - 1 : 0) * width, &err) == 0);
    }
    check_greedy(&original, hidden + (n_prompt - 1) * width, greedy, n);
    cache_free(cache);
    free(hidden);
    free(ids);
    free(greedy);
    close_original(&original);
}

TESTS(TEST(a_greedy_text_of_molm_is_the_originals),
      TEST(a_capacity_that_is_lifted_drops_nothing),
      TEST(a_capacity_counts_the_tokens_of_a_step),
      TEST(places_are_taken_as_in_the_original))
