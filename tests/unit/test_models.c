/* Every model in fixtures/models/ gives what transformers gives for it in float32: each has its ids
 * and results in golden.safetensors (fixtures/make_models.py). */
#include "model/model.h"

#include <dirent.h>
#include <math.h>

#include "base/memory.h"
#include "test.h"

/* Of the largest result of a model: single results are sums of terms of that size, and both sides
 * add them up in float, in their own order. */
static const double tolerance = 1e-5;

/* Where the original itself is further than that from its own result in float64. */
static const struct {
    const char *model;
    double tolerance;
} noisy[] = {
    {"t5-gated-untied-f16", 3e-5}, /* 1.3e-5: scores are not scaled, so softmax is steep */
};

static double tolerance_of(const char *model)
{
    for (size_t i = 0; i < sizeof noisy / sizeof *noisy; i++)
        if (strcmp(model, noisy[i].model) == 0)
            return noisy[i].tolerance;
    return tolerance;
}

struct golden {
    struct folder *folder;
    struct checkpoint *checkpoint;
};

static const struct tensor *find(const struct golden *golden, const char *name)
{
    return checkpoint_find(golden->checkpoint, name);
}

/* The values of a tensor, as they are stored (four bytes each); NULL when there is none. */
static void *values_of(const struct golden *golden, const char *name)
{
    const struct tensor *tensor = find(golden, name);
    struct error err = {0};
    void *values;

    if (!tensor)
        return NULL;
    values = memory_alloc(tensor->n_items * 4 + 1);
    CHECK(checkpoint_read(golden->checkpoint, tensor, 0, tensor->n_items, values, &err) == 0);
    return values;
}

static size_t *ends_of(const struct golden *golden, const char *name, size_t *n)
{
    int32_t *values = values_of(golden, name);
    size_t *ends;

    *n = find(golden, name)->n_items;
    ends = memory_zalloc(*n, sizeof *ends);
    for (size_t i = 0; i < *n; i++)
        ends[i] = (size_t)values[i];
    free(values);
    return ends;
}

struct texts {
    struct batch batch;
    uint32_t *ids;
    size_t *ends;
    uint8_t *type_ids;
    size_t n_tokens;
};

static struct texts texts_of(const struct golden *golden, const char *ids, const char *ends)
{
    struct texts texts = {.ids = values_of(golden, ids)};
    int32_t *types = values_of(golden, "type_ids");

    texts.n_tokens = find(golden, ids)->n_items;
    texts.ends = ends_of(golden, ends, &texts.batch.n_sequences);
    if (types) {
        texts.type_ids = memory_zalloc(texts.n_tokens, 1);
        for (size_t i = 0; i < texts.n_tokens; i++)
            texts.type_ids[i] = (uint8_t)types[i];
    }
    free(types);
    texts.batch.ids = texts.ids;
    texts.batch.ends = texts.ends;
    texts.batch.type_ids = texts.type_ids;
    return texts;
}

static void texts_release(struct texts *texts)
{
    free(texts->ids);
    free(texts->ends);
    free(texts->type_ids);
}

static bool is_near(const struct golden *golden, const char *model, const char *name,
                    const float *got)
{
    float *expected = values_of(golden, name);
    size_t n = find(golden, name)->n_items;
    double worst = 0, largest = 0;

    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)got[i] - (double)expected[i]);

        worst = difference <= worst ? worst : difference; /* NaN is worst */
        largest = fmax(largest, fabs((double)expected[i]));
    }
    free(expected);
    if (worst <= tolerance_of(model) * largest)
        return true;
    printf("# %s: %s differ by %g, the largest is %g\n", model, name, worst, largest);
    return false;
}

/* ---- what the routers chose ---- */

enum { N_KINDS = 3 };

static const char *const kinds[N_KINDS] = {"router", "attention_router", "decoder_router"};

static const double weight_tolerance = 1e-5;

struct choice {
    uint32_t expert;
    float weight;
};

struct heard { /* of the routers of a kind: [layer][token][slot], as golden.safetensors has it */
    const struct model *model;
    struct choice *choices[N_KINDS];
    size_t n[N_KINDS], n_chosen[N_KINDS];
};

static int compare_experts(const void *a, const void *b)
{
    uint32_t x = ((const struct choice *)a)->expert, y = ((const struct choice *)b)->expert;

    return x < y ? -1 : x > y;
}

/* By the number of the expert: a choice that was dropped keeps no weight to stand by. */
static void sort_choices(struct choice *choices, size_t n, size_t n_chosen)
{
    for (size_t i = 0; i < n; i += n_chosen)
        qsort(choices + i, n_chosen, sizeof *choices, compare_experts);
}

static void hear(void *context, const struct routing *routing)
{
    struct heard *heard = context;
    const struct model_spec *spec = &heard->model->spec;
    size_t kind = routing->is_attention                                             ? 1
                  : spec->is_encoder_decoder && routing->stack == &spec->stack ? 2
                                                                                    : 0;
    size_t n = routing->batch->ends[routing->batch->n_sequences - 1] * routing->spec->n_chosen;
    struct choice *choices = memory_resize(heard->choices[kind], heard->n[kind] + n,
                                           sizeof *choices);

    for (size_t i = 0; i < n; i++)
        choices[heard->n[kind] + i] = (struct choice){routing->experts[i], routing->weights[i]};
    heard->choices[kind] = choices;
    heard->n[kind] += n;
    heard->n_chosen[kind] = routing->spec->n_chosen;
}

static void check_choices(const struct golden *golden, const char *model, const char *kind,
                          struct choice *got, size_t n, size_t n_chosen)
{
    char *experts_name = memory_format("%s_experts", kind);
    char *weights_name = memory_format("%s_weights", kind);
    int32_t *experts = values_of(golden, experts_name);
    float *weights = values_of(golden, weights_name);
    struct choice *expected = memory_zalloc(n + 1, sizeof *expected);
    size_t n_expected = experts ? find(golden, experts_name)->n_items : 0, n_other = 0;
    double worst = 0, largest = 1;

    CHECK(n == n_expected);
    for (size_t i = 0; i < n && n == n_expected; i++)
        expected[i] = (struct choice){(uint32_t)experts[i], weights[i]};
    sort_choices(expected, n, n_chosen);
    sort_choices(got, n, n_chosen);
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)got[i].weight - (double)expected[i].weight);

        n_other += got[i].expert != expected[i].expert;
        worst = difference <= worst ? worst : difference;
        largest = fmax(largest, fabs((double)expected[i].weight));
    }
    CHECK(n_other == 0 && worst <= weight_tolerance * largest);
    if (n_other || worst > weight_tolerance * largest)
        printf("# %s: %s: %zu other experts, weights differ by %g\n", model, kind, n_other, worst);
    free(expected);
    free(experts);
    free(weights);
    free(experts_name);
    free(weights_name);
}

static void check_routes(struct heard *heard, const struct golden *golden, const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        check_choices(golden, name, kinds[i], heard->choices[i], heard->n[i], heard->n_chosen[i]);
        free(heard->choices[i]);
    }
}

/* ---- models ---- */

static void check_outputs(struct model *model, const struct golden *golden, const char *name)
{
    struct texts texts = texts_of(golden, "ids", "ends");
    size_t n = texts.n_tokens, n_hidden = model->spec.hidden_size;
    float *hidden = memory_zalloc(n * n_hidden, sizeof *hidden), *out;
    struct error err = {0};

    CHECK(model_run(model, &texts.batch, hidden, &err) == 0);
    if (err.code)
        printf("# %s: %s\n", name, err.text);
    if (find(golden, "hidden"))
        CHECK(is_near(golden, name, "hidden", hidden));
    if (find(golden, "logits")) {
        out = memory_zalloc(n * model->spec.vocab_size, sizeof *out);
        model_logits(model, hidden, n, out);
        CHECK(is_near(golden, name, "logits", out));
        free(out);
    }
    if (find(golden, "scores")) {
        out = memory_zalloc(texts.batch.n_sequences * model_n_labels(model), sizeof *out);
        CHECK(model_scores(model, &texts.batch, hidden, out, &err) == 0);
        CHECK(is_near(golden, name, "scores", out));
        free(out);
    }
    free(hidden);
    texts_release(&texts);
}

static void check_encoder_decoder(struct model *model, const struct golden *golden,
                                  const char *name)
{
    struct texts source = texts_of(golden, "ids", "ends");
    struct texts target = texts_of(golden, "decoder_ids", "decoder_ends");
    size_t n_hidden = model->spec.hidden_size;
    float *memory = memory_zalloc(source.n_tokens * n_hidden, sizeof *memory);
    float *hidden = memory_zalloc(target.n_tokens * n_hidden, sizeof *hidden);
    float *logits = memory_zalloc(target.n_tokens * model->spec.vocab_size, sizeof *logits);
    struct error err = {0};

    CHECK(model_encode(model, &source.batch, memory, &err) == 0);
    CHECK(is_near(golden, name, "hidden", memory));
    target.batch.memory = memory;
    target.batch.memory_ends = source.ends;
    CHECK(model_run(model, &target.batch, hidden, &err) == 0);
    model_logits(model, hidden, target.n_tokens, logits);
    CHECK(is_near(golden, name, "logits", logits));
    free(memory);
    free(hidden);
    free(logits);
    texts_release(&source);
    texts_release(&target);
}

static void check_model(const char *name, size_t n_threads)
{
    char *path = memory_format("fixtures/models/%s", name);
    struct error err = {0};
    struct notices notices = {0};
    struct golden golden = {.folder = folder_open(path, false, &err)};
    struct threads *threads = threads_new(n_threads, &err);
    struct model_folder folder = {0};
    enum model_type type = MODEL_DECODER;
    struct model *model = NULL;

    if (golden.folder)
        golden.checkpoint =
            checkpoint_open(golden.folder, "", "golden.safetensors", &notices, &err);
    if (golden.checkpoint && model_folder_open(&folder, path, false, &err) == 0 &&
        architecture_type(&folder.config, find(&golden, "hidden") && !find(&golden, "logits")
                                              ? "encoder" : NULL, name, &type, &err) == 0 &&
        !find(&golden, "embeddings"))
        model = model_load(&folder, type, threads, &notices, &err);
    if (err.code) {
        printf("# %s: %s\n", name, err.text);
        CHECK(!"the model loads");
    }
    if (model) {
        struct heard heard = {.model = model};

        model->watcher = (struct routing_watcher){hear, &heard};
        if (model->spec.is_encoder_decoder)
            check_encoder_decoder(model, &golden, name);
        else
            check_outputs(model, &golden, name);
        check_routes(&heard, &golden, name);
    }
    model_free(model);
    model_folder_release(&folder);
    threads_free(threads);
    checkpoint_close(golden.checkpoint);
    folder_close(golden.folder);
    notices_release(&notices);
    free(path);
}

/* ---- what must not matter ---- */

struct loaded {
    struct model_folder folder;
    struct threads *threads;
    struct notices notices;
    struct model *model;
};

static void load(struct loaded *loaded, const char *name, size_t n_threads)
{
    char *path = memory_format("fixtures/%s", name);
    struct error err = {0};
    enum model_type type = MODEL_DECODER;

    *loaded = (struct loaded){.threads = threads_new(n_threads, &err)};
    CHECK(model_folder_open(&loaded->folder, path, false, &err) == 0);
    CHECK(architecture_type(&loaded->folder.config, NULL, name, &type, &err) == 0);
    loaded->model = model_load(&loaded->folder, type, loaded->threads, &loaded->notices, &err);
    CHECK(loaded->model != NULL);
    free(path);
}

static void unload(struct loaded *loaded)
{
    model_free(loaded->model);
    model_folder_release(&loaded->folder);
    threads_free(loaded->threads);
    notices_release(&loaded->notices);
}

enum { N_IDS = 700 };

static void make_ids(uint32_t *ids, size_t n, size_t vocab_size)
{
    for (size_t i = 0; i < n; i++)
        ids[i] = (uint32_t)((i * 7919 + i * i * 31 + 5) % vocab_size);
}

static const char *const trained[] = {"decoder-base", "encoder-base", "models/mistral-window-bf16",
                                      "models/gemma2-f16", "models/gpt-neox-f16"};

static void the_number_of_threads_does_not_change_a_bit(void)
{
    static const size_t n_threads[] = {1, 2, 3, 8};
    static const size_t ends[] = {37, 38, 75, 100};

    for (size_t m = 0; m < sizeof trained / sizeof *trained; m++) {
        float *first = NULL;

        for (size_t i = 0; i < 4; i++) {
            struct loaded loaded;
            uint32_t ids[100];
            struct batch batch = {.ids = ids, .ends = ends, .n_sequences = 4};
            struct error err = {0};
            float *hidden;
            size_t bytes;

            load(&loaded, trained[m], n_threads[i]);
            make_ids(ids, 100, loaded.model->spec.vocab_size);
            bytes = 100 * loaded.model->spec.hidden_size * sizeof *hidden;
            hidden = memory_alloc(bytes);
            CHECK(model_run(loaded.model, &batch, hidden, &err) == 0);
            if (first) {
                CHECK(memcmp(first, hidden, bytes) == 0);
                free(hidden);
            } else {
                first = hidden;
            }
            unload(&loaded);
        }
        free(first);
    }
}

/* Of the largest value: other tiles of a matrix product, other order of its sums. */
static const double batch_tolerance = 1e-6;
/* The same over hundreds of keys, in blocks here and one query at a time there. */
static const double long_tolerance = 3e-6;

static bool rows_are_near(const float *a, const float *b, size_t n, double tolerance_of_largest)
{
    double worst = 0, largest = 0;

    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);

        worst = difference <= worst ? worst : difference;
        largest = fmax(largest, fabs((double)a[i]));
    }
    if (worst <= tolerance_of_largest * largest)
        return true;
    printf("# differ by %g of %g\n", worst, largest);
    return false;
}

static void a_sequence_alone_gives_what_it_gives_in_a_batch(void)
{
    static const size_t ends[] = {1, 30, 30, 93, 100};

    for (size_t m = 0; m < sizeof trained / sizeof *trained; m++) {
        struct loaded loaded;
        struct error err = {0};
        uint32_t ids[100];
        struct batch batch = {.ids = ids, .ends = ends, .n_sequences = 5};
        float *together, *alone;
        size_t n, begin = 0;

        load(&loaded, trained[m], 2);
        n = loaded.model->spec.hidden_size;
        make_ids(ids, 100, loaded.model->spec.vocab_size);
        together = memory_zalloc(100 * n, sizeof *together);
        alone = memory_zalloc(100 * n, sizeof *alone);
        CHECK(model_run(loaded.model, &batch, together, &err) == 0);
        for (size_t s = 0; s < 5; s++) {
            size_t end = ends[s] - begin;
            struct batch one = {.ids = ids + begin, .ends = &end, .n_sequences = 1};

            CHECK(model_run(loaded.model, &one, alone, &err) == 0);
            CHECK(rows_are_near(together + begin * n, alone, end * n, batch_tolerance));
            begin = ends[s];
        }
        free(together);
        free(alone);
        unload(&loaded);
    }
}

/* Token by token with a cache, and in pieces of uneven length. */
static void check_cache(struct model *model, const char *name)
{
    uint32_t ids[30];
    size_t ends[] = {30}, n = model->spec.hidden_size;
    struct batch batch = {.ids = ids, .ends = ends, .n_sequences = 1};
    float *whole = memory_zalloc(30 * n, sizeof *whole);
    float *pieces = memory_zalloc(30 * n, sizeof *pieces);
    struct error err = {0};

    make_ids(ids, 30, model->spec.vocab_size);
    CHECK(model_run(model, &batch, whole, &err) == 0);
    for (size_t step = 1; step < 30; step += 6) {
        struct cache *cache = cache_new(&model->spec.stack);
        bool is_near;

        for (size_t at = 0; at < 30; at += step) {
            size_t end = 30 - at < step ? 30 - at : step;
            struct batch piece = {.ids = ids + at, .ends = &end, .n_sequences = 1,
                                  .caches = &cache};

            CHECK(model_run(model, &piece, pieces + at * n, &err) == 0);
        }
        CHECK(cache->n_tokens == 30);
        is_near = rows_are_near(whole, pieces, 30 * n, batch_tolerance);
        CHECK(is_near);
        if (!is_near)
            printf("# %s, %zu at a time\n", name, step);
        cache_free(cache);
    }
    free(whole);
    free(pieces);
}

/* Of every model that generates, unless its keys change as the text grows (cache_limit, dynamic
 * rotation: no max_tokens). */
static void a_cache_gives_what_the_whole_text_gives(void)
{
    DIR *directory = opendir("fixtures/models");
    struct dirent *entry;
    size_t n = 0;

    CHECK(directory != NULL);
    while (directory && (entry = readdir(directory))) {
        char *name = memory_format("models/%s", entry->d_name);
        struct loaded loaded;

        if (entry->d_name[0] != '.') {
            load(&loaded, name, 1);
            if (loaded.model && loaded.model->spec.stack.is_causal &&
                !loaded.model->spec.is_encoder_decoder && !loaded.model->spec.cache_limit &&
                loaded.model->spec.max_tokens >= 30) {
                check_cache(loaded.model, name);
                n++;
            }
            unload(&loaded);
        }
        free(name);
    }
    CHECK(n >= 25);
    if (directory)
        closedir(directory);
}

/* More keys than a block holds, more queries too: against the plain sum of one query at a time. */
static void long_texts_are_attended_to_in_blocks(void)
{
    struct loaded loaded;
    struct error err = {0};
    uint32_t ids[N_IDS];
    size_t end = N_IDS, n;
    struct batch batch = {.ids = ids, .ends = &end, .n_sequences = 1};
    struct cache *cache;
    float *whole, *row;

    load(&loaded, "models/llama-gqa", 2);
    n = loaded.model->spec.hidden_size;
    make_ids(ids, N_IDS, loaded.model->spec.vocab_size);
    whole = memory_zalloc(N_IDS * n, sizeof *whole);
    row = memory_zalloc(n, sizeof *row);
    CHECK(model_run(loaded.model, &batch, whole, &err) == 0);
    cache = cache_new(&loaded.model->spec.stack);
    end = 1;
    for (size_t t = 0; t < N_IDS; t++) {
        struct batch one = {.ids = ids + t, .ends = &end, .n_sequences = 1, .caches = &cache};

        CHECK(model_run(loaded.model, &one, row, &err) == 0);
        if (t % 50 == 49)
            CHECK(rows_are_near(whole + t * n, row, n, long_tolerance));
    }
    cache_free(cache);
    free(whole);
    free(row);
    unload(&loaded);
}

static void what_has_no_embedding_is_refused(void)
{
    struct loaded loaded;
    uint32_t ids[300] = {0};
    uint8_t types[300] = {0};
    size_t end = 1;
    struct batch batch = {.ids = ids, .type_ids = types, .ends = &end, .n_sequences = 1};
    struct error err = {0};
    float *hidden;

    load(&loaded, "encoder-base", 1);
    hidden = memory_zalloc(300 * loaded.model->spec.hidden_size, sizeof *hidden);
    CHECK(model_run(loaded.model, &batch, hidden, &err) == 0);
    ids[0] = (uint32_t)loaded.model->spec.vocab_size;
    CHECK(model_run(loaded.model, &batch, hidden, &err) == -1 && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "token id 843; the model has embeddings for 0 to 842");
    err = (struct error){0};
    ids[0] = 0;
    types[0] = 2;
    CHECK(model_run(loaded.model, &batch, hidden, &err) == -1 && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "token type 2; the model has embeddings for 2 types");
    err = (struct error){0};
    types[0] = 0;
    end = 129;
    CHECK(model_run(loaded.model, &batch, hidden, &err) == -1 && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "a text of 129 tokens; the model has 128 positions");
    free(hidden);
    unload(&loaded);
}

static void every_model_gives_what_transformers_gives(void)
{
    DIR *directory = opendir("fixtures/models");
    struct dirent *entry;
    size_t n = 0;

    CHECK(directory != NULL);
    while (directory && (entry = readdir(directory)))
        if (entry->d_name[0] != '.') {
            check_model(entry->d_name, 1 + n % 3);
            n++;
        }
    CHECK(n >= 60);
    if (directory)
        closedir(directory);
}

TESTS(TEST(every_model_gives_what_transformers_gives),
      TEST(the_number_of_threads_does_not_change_a_bit),
      TEST(a_sequence_alone_gives_what_it_gives_in_a_batch),
      TEST(a_cache_gives_what_the_whole_text_gives), TEST(long_texts_are_attended_to_in_blocks),
      TEST(what_has_no_embedding_is_refused))
