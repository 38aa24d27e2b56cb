/* Every model in fixtures/models/ gives what transformers gives for it in float32: each has its ids
 * and results in golden.safetensors (fixtures/make_models.py). */
#include "model/model.h"

#include <dirent.h>
#include <math.h>

#include "base/memory.h"
#include "golden.h"

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
    int32_t *experts = golden_values(golden, experts_name);
    float *weights = golden_values(golden, weights_name);
    struct choice *expected = memory_zalloc(n + 1, sizeof *expected);
    size_t n_expected = experts ? golden_find(golden, experts_name)->n_items : 0, n_other = 0;
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
    struct golden_texts texts = golden_texts(golden, "ids", "ends");
    size_t n = texts.n_tokens, n_hidden = model->spec.hidden_size;
    float *hidden = memory_zalloc(n * n_hidden, sizeof *hidden), *out;
    struct error err = {0};

    CHECK(model_run(model, &texts.batch, hidden, &err) == 0);
    if (err.code)
        printf("# %s: %s\n", name, err.text);
    if (golden_find(golden, "hidden"))
        CHECK(golden_is_near(golden, name, "hidden", hidden));
    if (golden_find(golden, "logits")) {
        out = memory_zalloc(n * model->spec.vocab_size, sizeof *out);
        model_logits(model, hidden, n, out);
        CHECK(golden_is_near(golden, name, "logits", out));
        free(out);
    }
    if (golden_find(golden, "scores")) {
        out = memory_zalloc(texts.batch.n_sequences * model_n_labels(model), sizeof *out);
        CHECK(model_scores(model, &texts.batch, hidden, out, &err) == 0);
        CHECK(golden_is_near(golden, name, "scores", out));
        free(out);
    }
    free(hidden);
    golden_texts_release(&texts);
}

static void check_encoder_decoder(struct model *model, const struct golden *golden,
                                  const char *name)
{
    struct golden_texts source = golden_texts(golden, "ids", "ends");
    struct golden_texts target = golden_texts(golden, "decoder_ids", "decoder_ends");
    size_t n_hidden = model->spec.hidden_size;
    float *memory = memory_zalloc(source.n_tokens * n_hidden, sizeof *memory);
    float *hidden = memory_zalloc(target.n_tokens * n_hidden, sizeof *hidden);
    float *logits = memory_zalloc(target.n_tokens * model->spec.vocab_size, sizeof *logits);
    struct error err = {0};

    CHECK(model_encode(model, &source.batch, memory, &err) == 0);
    CHECK(golden_is_near(golden, name, "hidden", memory));
    target.batch.memory = memory;
    target.batch.memory_ends = source.ends;
    CHECK(model_run(model, &target.batch, hidden, &err) == 0);
    model_logits(model, hidden, target.n_tokens, logits);
    CHECK(golden_is_near(golden, name, "logits", logits));
    free(memory);
    free(hidden);
    free(logits);
    golden_texts_release(&source);
    golden_texts_release(&target);
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
    if (golden.checkpoint && model_folder_open(&folder, path, NULL, false, &err) == 0 &&
        architecture_type(&folder.config,
                          golden_find(&golden, "hidden") && !golden_find(&golden, "logits")
                              ? "encoder" : NULL, name, &type, &err) == 0 &&
        !golden_find(&golden, "embeddings"))
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

enum { N_IDS = 700 };

static void make_ids(uint32_t *ids, size_t n, size_t vocab_size)
{
    for (size_t i = 0; i < n; i++)
        ids[i] = (uint32_t)((i * 7919 + i * i * 31 + 5) % vocab_size);
}

static const char *const trained[] = {"decoder-base", "encoder-base", "models/mistral-window-bf16",
                                      "models/gemma2-f16", "models/gpt-neox-f16",
                                      "models/mixtral", "models/openmoe-k1-f16",
                                      "models/molm-gmm-f16"};

static void the_number_of_threads_does_not_change_a_bit(void)
{
    static const size_t n_threads[] = {1, 2, 3, 8};
    static const size_t ends[] = {37, 38, 75, 100};

    for (size_t m = 0; m < sizeof trained / sizeof *trained; m++) {
        float *first = NULL;

        for (size_t i = 0; i < 4; i++) {
            struct fixture loaded;
            uint32_t ids[100];
            struct batch batch = {.ids = ids, .ends = ends, .n_sequences = 4};
            struct error err = {0};
            float *hidden;
            size_t bytes;

            fixture_load(&loaded, trained[m], n_threads[i]);
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
            fixture_release(&loaded);
        }
        free(first);
    }
}

/* Of the largest value: other tiles of a matrix product, other order of its sums. */
static const double batch_tolerance = 1e-6;
/* The same where scores are not scaled, so that softmax is steep. */
static const double steep_tolerance = 5e-6;
/* The same over hundreds of keys, in blocks here and one query at a time there. */
static const double long_tolerance = 3e-6;
/* Thousands of rows in one product, of the steepest model. */
static const double many_tolerance = 2e-5;

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
        struct fixture loaded;
        struct error err = {0};
        uint32_t ids[100];
        struct batch batch = {.ids = ids, .ends = ends, .n_sequences = 5};
        float *together, *alone;
        size_t n, begin = 0;

        fixture_load(&loaded, trained[m], 2);
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
        fixture_release(&loaded);
    }
}

/* Token by token with a cache, and in pieces of uneven length. */
static void check_cache(struct model *model, const char *name)
{
    bool is_steep = strcmp(name, "models/openmoe") == 0;
    uint32_t ids[30];
    size_t ends[] = {30}, n = model->spec.hidden_size;
    struct batch batch = {.ids = ids, .ends = ends, .n_sequences = 1};
    float *whole = memory_zalloc(30 * n, sizeof *whole);
    float *pieces = memory_zalloc(30 * n, sizeof *pieces);
    struct error err = {0};

    model_lift_capacity(model); /* which depends on how many tokens run at once */
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
        is_near =
            rows_are_near(whole, pieces, 30 * n, is_steep ? steep_tolerance : batch_tolerance);
        CHECK(is_near);
        if (!is_near)
            printf("# %s, %zu at a time\n", name, step);
        cache_free(cache);
    }
    free(whole);
    free(pieces);
}

/* Of every model that generates, unless its keys change as the text grows (cache_limit, dynamic
 * rotation). */
static void a_cache_gives_what_the_whole_text_gives(void)
{
    DIR *directory = opendir("fixtures/models");
    struct dirent *entry;
    size_t n = 0;

    CHECK(directory != NULL);
    while (directory && (entry = readdir(directory))) {
        char *name = memory_format("models/%s", entry->d_name);
        struct fixture loaded;

        if (entry->d_name[0] != '.') {
            fixture_load(&loaded, name, 1);
            if (loaded.model && loaded.model->spec.stack.is_causal &&
                !loaded.model->spec.is_encoder_decoder && !loaded.model->spec.cache_limit &&
                loaded.model->spec.stack.rope[0].kind != ROPE_DYNAMIC) {
                check_cache(loaded.model, name);
                n++;
            }
            fixture_release(&loaded);
        }
        free(name);
    }
    CHECK(n >= 25);
    if (directory)
        closedir(directory);
}

static void check_long_text(const char *name)
{
    struct fixture loaded;
    struct error err = {0};
    uint32_t ids[N_IDS];
    size_t end = N_IDS, n;
    struct batch batch = {.ids = ids, .ends = &end, .n_sequences = 1};
    struct cache *cache;
    float *whole, *row;

    fixture_load(&loaded, name, 2);
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
    fixture_release(&loaded);
}

/* More keys than a block holds, more queries too: against the plain sum of one query at a time. */
static void long_texts_are_attended_to_in_blocks(void)
{
    static const char *const models[] = {"models/llama-gqa", "models/molm"};

    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        check_long_text(models[m]);
}

/* Three texts in turn, so many times that the parts of a layer that work on 1,024 rows at a time
 * (MLP, experts of many tokens, shared experts, latent attention, routers with a hidden layer) take
 * three turns, which begin in the middle of a text. */
enum { N_COPIES = 60, N_WORDS = 37, N_MANY = N_COPIES * N_WORDS };

static void check_many_tokens(const char *name)
{
    struct fixture loaded;
    struct error err = {0};
    uint32_t *ids = memory_zalloc(N_MANY, sizeof *ids);
    size_t ends[N_COPIES], n, end = N_WORDS;
    struct batch batch = {.ids = ids, .ends = ends, .n_sequences = N_COPIES};
    float *together, *alone;

    fixture_load(&loaded, name, 2);
    model_lift_capacity(loaded.model);
    n = loaded.model->spec.hidden_size;
    together = memory_zalloc(N_MANY * n, sizeof *together);
    alone = memory_zalloc(3 * N_WORDS * n, sizeof *alone);
    make_ids(ids, 3 * N_WORDS, loaded.model->spec.vocab_size);
    for (size_t i = 3 * N_WORDS; i < N_MANY; i++)
        ids[i] = ids[i - 3 * N_WORDS];
    for (size_t s = 0; s < N_COPIES; s++)
        ends[s] = (s + 1) * N_WORDS;
    for (size_t s = 0; s < 3; s++) {
        struct batch one = {.ids = ids + s * N_WORDS, .ends = &end, .n_sequences = 1};

        CHECK(model_run(loaded.model, &one, alone + s * N_WORDS * n, &err) == 0);
    }
    CHECK(model_run(loaded.model, &batch, together, &err) == 0);
    for (size_t s = 0; s < N_COPIES; s++) {
        bool is_near = rows_are_near(together + s * N_WORDS * n, alone + s % 3 * N_WORDS * n,
                                     N_WORDS * n, many_tolerance);

        CHECK(is_near);
        if (!is_near)
            printf("# %s, text %zu\n", name, s);
    }
    free(ids);
    free(together);
    free(alone);
    fixture_release(&loaded);
}

static void many_tokens_give_what_few_give(void)
{
    static const char *const models[] = {
        "models/llama-gqa",        "models/bert",             "models/qwen2-moe",
        "models/deepseek-v2-bf16", "models/deepseek-v3-bf16", "models/deepseek-v3-f16",
        "models/gpt-oss",          "models/molm",             "models/jetmoe-bf16",
        "models/openmoe",          "models/mixtral-k1-bf16", "models/deepseek-moe-bf16",
    };

    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        check_many_tokens(models[m]);
}

static void what_has_no_embedding_is_refused(void)
{
    struct fixture loaded;
    uint32_t ids[300] = {0};
    uint8_t types[300] = {0};
    size_t end = 1;
    struct batch batch = {.ids = ids, .type_ids = types, .ends = &end, .n_sequences = 1};
    struct error err = {0};
    float *hidden;

    fixture_load(&loaded, "encoder-base", 1);
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
    fixture_release(&loaded);
}

/* RoBERTa's first token stands at pad + 1: of its table two rows are no positions of tokens. */
static void positions_begin_behind_the_padding(void)
{
    struct fixture loaded;
    uint32_t ids[42];
    size_t end = 40;
    struct batch batch = {.ids = ids, .ends = &end, .n_sequences = 1};
    struct error err = {0};
    float *hidden;

    for (size_t i = 0; i < 42; i++)
        ids[i] = 5;
    fixture_load(&loaded, "models/roberta", 1);
    CHECK(loaded.model->spec.n_positions == 42);
    hidden = memory_zalloc(42 * loaded.model->spec.hidden_size, sizeof *hidden);
    CHECK(model_run(loaded.model, &batch, hidden, &err) == 0);
    end = 41;
    CHECK(model_run(loaded.model, &batch, hidden, &err) == -1 && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "a text of 41 tokens; the model has 40 positions");
    free(hidden);
    fixture_release(&loaded);
}

/* MoLM counts the tokens that are not padding; of none, the original takes row -1. */
static void a_text_of_padding_is_judged_by_its_last_row(void)
{
    enum { N_TEXT = 3 };
    struct fixture loaded;
    uint32_t ids[N_TEXT + 1] = {0, 0, 0, 7}; /* 0: padding */
    size_t ends[] = {N_TEXT, N_TEXT + 1}, n, n_labels;
    struct batch batch = {.ids = ids, .ends = ends, .n_sequences = 2};
    struct error err = {0};
    float *hidden, *scores;

    fixture_load(&loaded, "models/molm-score-3-f16", 1);
    CHECK(loaded.model->spec.pad_id == 0);
    n = loaded.model->spec.hidden_size;
    n_labels = model_n_labels(loaded.model);
    hidden = memory_zalloc((N_TEXT + 1) * n, sizeof *hidden);
    scores = memory_zalloc(2 * n_labels, sizeof *scores);
    for (size_t i = 0; i < N_TEXT * n; i++)
        hidden[i] = (float)(i % 17) - 8;
    memcpy(hidden + N_TEXT * n, hidden + (N_TEXT - 1) * n, n * sizeof *hidden);
    CHECK(model_scores(loaded.model, &batch, hidden, scores, &err) == 0);
    CHECK(rows_are_near(scores, scores + n_labels, n_labels, batch_tolerance));
    free(hidden);
    free(scores);
    fixture_release(&loaded);
}

/* What three tokens give, to be freed. */
static float *run_once(struct fixture *loaded)
{
    static const uint32_t ids[] = {1, 2, 3};
    static const size_t ends[] = {3};
    struct batch batch = {.ids = ids, .ends = ends, .n_sequences = 1};
    const struct model *model = loaded->model;
    struct error err = {0};
    float *hidden = memory_zalloc(3 * model->spec.hidden_size, sizeof *hidden);

    CHECK(model_run(loaded->model, &batch, hidden, &err) == 0);
    CHECK(model->checkpoint->files[0].file->map != NULL);
    CHECK(model->checkpoint == model_folder_weights(&loaded->folder, NULL, &err));
    return hidden;
}

static void its_memory_is_given_back_and_its_weights_stay_open(void)
{
    struct fixture loaded;
    struct error err = {0};
    float *first, *again;
    size_t bytes;

    fixture_load(&loaded, "decoder-base", 1);
    bytes = 3 * loaded.model->spec.hidden_size * sizeof *first;
    first = run_once(&loaded);
    model_free(loaded.model);
    CHECK(loaded.folder.opened[0].checkpoint->files[0].file->map == NULL);
    loaded.model = model_load(&loaded.folder, MODEL_DECODER, loaded.threads, &loaded.notices, &err);
    CHECK(loaded.model && loaded.folder.n_opened == 1);
    again = run_once(&loaded);
    CHECK(memcmp(first, again, bytes) == 0);
    free(first);
    free(again);
    fixture_release(&loaded);
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
      TEST(many_tokens_give_what_few_give), TEST(what_has_no_embedding_is_refused),
      TEST(positions_begin_behind_the_padding), TEST(a_text_of_padding_is_judged_by_its_last_row),
      TEST(its_memory_is_given_back_and_its_weights_stay_open))
