/* test_batch_invariance.c - the same bits in any company: what a text gives alone on one thread it
 * gives among any neighbours, in one piece, in chunks and from a cache, on any number of threads. */
#include <dirent.h>
#include <stdint.h>

#include "golden.h"
#include "model/embed.h"

enum { N_TEXTS = 17, N_MANY = 300, MAX_TEXT = 31, N_ARRAYS = 4, MAX_THREADS = 3 };

/* Ragged; 31 is what the smallest table of positions has room for. */
static const size_t lengths[N_TEXTS] = {19, 1, 31, 2, 7, 13, 3, 24, 5, 1, 11, 4, 17, 2, 9, 6, 20};

/* ---- models ---- */

struct subject {
    const char *name;
    struct fixture fixture;
    struct sentence_model *sentence; /* or NULL */
    enum model_type type;
};

/* What models in fixtures/models/ are is told by what the originals gave for them. */
static const char *find_type(const char *path)
{
    struct error err = {0};
    struct notices notices = {0};
    struct golden golden = {.folder = folder_open(path, false, &err)};
    const char *type = NULL;

    golden.checkpoint = golden.folder ? checkpoint_open(golden.folder, "", "golden.safetensors",
                                                        &notices, &err)
                                      : NULL;
    if (golden.checkpoint && !golden_find(&golden, "logits") &&
        (golden_find(&golden, "hidden") || golden_find(&golden, "embeddings")))
        type = "encoder";
    checkpoint_close(golden.checkpoint);
    folder_close(golden.folder);
    notices_release(&notices);
    return type;
}

static void subject_load(struct subject *subject, const char *name, size_t n_threads)
{
    struct fixture *fixture = &subject->fixture;
    char *path = memory_format("fixtures/%s", name);
    struct error err = {0};

    *subject = (struct subject){.name = name, .fixture.threads = threads_new(n_threads, &err)};
    CHECK(model_folder_open(&fixture->folder, path, NULL, false, &err) == 0);
    CHECK(architecture_type(&fixture->folder.config, find_type(path), name, &subject->type,
                            &err) == 0);
    fixture->model =
        model_load(&fixture->folder, subject->type, fixture->threads, &fixture->notices, &err);
    CHECK(fixture->model != NULL);
    if (err.code)
        printf("# %s: %s\n", name, err.text);
    if (fixture->model && subject->type == MODEL_ENCODER)
        subject->sentence = sentence_model_load(&fixture->folder, fixture->model, NULL,
                                                &fixture->notices, &err);
    free(path);
}

static void subject_release(struct subject *subject)
{
    sentence_model_free(subject->sentence);
    fixture_release(&subject->fixture);
}

static const char *const trained[] = {"decoder-base", "encoder-base", "encoder-repairs",
                                      "reranker-base", "moe-base"};

static void each_model(void check(const char *name))
{
    DIR *directory = opendir("fixtures/models");
    struct dirent *entry;
    size_t n = 0;

    CHECK(directory != NULL);
    for (size_t i = 0; i < sizeof trained / sizeof *trained; i++)
        check(trained[i]);
    while (directory && (entry = readdir(directory))) {
        char *name = memory_format("models/%s", entry->d_name);

        if (entry->d_name[0] != '.') {
            check(name);
            n++;
        }
        free(name);
    }
    CHECK(n >= 80);
    if (directory)
        closedir(directory);
}

/* ---- texts and what they give ---- */

/* Item i of text number t of a vocabulary; padding and the first special ids are left out. */
static uint32_t id_of(const struct model *model, size_t t, size_t i)
{
    size_t first = 5, n = model->spec.vocab_size - first;

    return (uint32_t)(first + (i * 7919 + i * i * 31 + t * 131 + 3) % n);
}

struct array { /* of rows */
    float *values;
    size_t width;
    const size_t *ends; /* of each text, in rows */
};

struct outputs {
    size_t *ends, *answer_ends, *texts; /* texts: 1, 2, 3, … */
    uint32_t *ids, *answer_ids;
    struct array arrays[N_ARRAYS];
    size_t n_arrays;
};

static float *add_array(struct outputs *outputs, size_t n_rows, size_t width, const size_t *ends)
{
    float *values = memory_zalloc(n_rows * width + 1, sizeof *values);

    outputs->arrays[outputs->n_arrays++] = (struct array){values, width, ends};
    return values;
}

static void outputs_release(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->n_arrays; i++)
        free(outputs->arrays[i].values);
    free(outputs->ends);
    free(outputs->answer_ends);
    free(outputs->texts);
    free(outputs->ids);
    free(outputs->answer_ids);
}

/* Text numbers numbers[i], shifted by `shift`, as a batch. */
static struct batch make_batch(const struct model *model, const size_t *numbers, size_t n,
                               size_t shift, uint32_t **ids, size_t **ends)
{
    size_t at = 0;

    *ids = memory_zalloc(n * MAX_TEXT, sizeof **ids);
    *ends = memory_zalloc(n, sizeof **ends);
    for (size_t s = 0; s < n; s++) {
        size_t t = (numbers[s] + shift) % N_TEXTS;

        for (size_t i = 0; i < lengths[t]; i++)
            (*ids)[at++] = id_of(model, t, i);
        (*ends)[s] = at;
    }
    return (struct batch){.ids = *ids, .ends = *ends, .n_sequences = n};
}

static void run_heads(struct subject *subject, const struct batch *batch, const float *hidden,
                      struct outputs *outputs, const size_t *ends)
{
    struct model *model = subject->fixture.model;
    size_t n_rows = batch_n_tokens(batch);
    struct error err = {0};

    if (subject->sentence)
        CHECK(sentence_model_pool(subject->sentence, model, batch, hidden, 0,
                                  add_array(outputs, batch->n_sequences,
                                            sentence_model_size(subject->sentence),
                                            outputs->texts), &err) == 0);
    if (subject->type == MODEL_RERANKER)
        CHECK(model_scores(model, batch, hidden,
                           add_array(outputs, batch->n_sequences, model_n_labels(model),
                                     outputs->texts), &err) == 0);
    if (subject->type == MODEL_DECODER || subject->type == MODEL_ENCODER_DECODER)
        model_logits(model, hidden, n_rows,
                     add_array(outputs, n_rows, model->spec.vocab_size, ends));
}

/* All that a model has to say about texts, in one batch. */
static struct outputs run(struct subject *subject, const size_t *numbers, size_t n)
{
    struct model *model = subject->fixture.model;
    size_t width = model->spec.hidden_size;
    struct outputs outputs = {0};
    struct batch batch = make_batch(model, numbers, n, 0, &outputs.ids, &outputs.ends);
    struct error err = {0};
    float *hidden = add_array(&outputs, batch_n_tokens(&batch), width, outputs.ends);

    outputs.texts = memory_zalloc(n, sizeof *outputs.texts);
    for (size_t s = 0; s < n; s++)
        outputs.texts[s] = s + 1;
    if (subject->type == MODEL_ENCODER_DECODER) {
        struct batch answers = make_batch(model, numbers, n, 5, &outputs.answer_ids,
                                          &outputs.answer_ends);

        CHECK(model_encode(model, &batch, hidden, &err) == 0);
        answers.memory = hidden;
        answers.memory_ends = batch.ends;
        hidden = add_array(&outputs, batch_n_tokens(&answers), width, outputs.answer_ends);
        CHECK(model_run(model, &answers, hidden, &err) == 0);
        run_heads(subject, &answers, hidden, &outputs, outputs.answer_ends);
    } else {
        CHECK(model_run(model, &batch, hidden, &err) == 0);
        run_heads(subject, &batch, hidden, &outputs, outputs.ends);
    }
    if (err.code)
        printf("# %s: %s\n", subject->name, err.text);
    return outputs;
}

static size_t count_other(const float *a, const float *b, size_t n)
{
    size_t n_other = 0;

    for (size_t i = 0; i < n; i++)
        n_other += memcmp(&a[i], &b[i], sizeof *a) != 0;
    return n_other;
}

/* Text number s of a batch, and the only one of another. */
static size_t compare_text(const struct outputs *together, size_t s, const struct outputs *alone)
{
    size_t n_other = 0;

    for (size_t i = 0; i < together->n_arrays; i++) {
        const struct array *a = &together->arrays[i], *b = &alone->arrays[i];
        size_t n_rows = batch_length(a->ends, s);

        CHECK(n_rows == b->ends[0]);
        n_other += count_other(a->values + batch_start(a->ends, s) * a->width, b->values,
                               n_rows * a->width);
    }
    return n_other;
}

/* ---- neighbours ---- */

static void check_company(struct subject *subject, size_t n, size_t n_threads,
                          const struct outputs *alone)
{
    size_t numbers[N_MANY], n_other = 0;
    struct outputs together;

    for (size_t s = 0; s < n; s++)
        numbers[s] = (s + n) % N_TEXTS;
    together = run(subject, numbers, n);
    for (size_t s = 0; s < n; s++)
        n_other += compare_text(&together, s, &alone[numbers[s]]);
    CHECK(n_other == 0);
    if (n_other)
        printf("# %s: %zu numbers differ among %zu texts on %zu threads\n", subject->name, n_other,
               n, n_threads);
    outputs_release(&together);
}

static void check_neighbours(const char *name)
{
    static const size_t companies[] = {1, 2, 3, N_TEXTS, N_MANY};
    struct outputs alone[N_TEXTS];

    for (size_t n_threads = 1; n_threads <= MAX_THREADS; n_threads++) {
        struct subject subject;

        subject_load(&subject, name, n_threads);
        for (size_t t = 0; n_threads == 1 && t < N_TEXTS; t++)
            alone[t] = run(&subject, &t, 1);
        for (size_t i = 0; i < sizeof companies / sizeof *companies; i++)
            check_company(&subject, companies[i], n_threads, alone);
        subject_release(&subject);
    }
    for (size_t t = 0; t < N_TEXTS; t++)
        outputs_release(&alone[t]);
}

static void neighbours_do_not_change_a_bit(void)
{
    each_model(check_neighbours);
}

/* ---- pieces ---- */

/* More than a block of keys, twice over what a block of queries holds. */
enum { LONG_TEXT = 300, N_ALIKE = 250 };

struct story { /* a text that a decoder reads piece by piece */
    struct subject *subject;
    uint32_t ids[LONG_TEXT];
    size_t n;
    const float *memory; /* of the encoder, [n_memory, hidden_size], or NULL */
    size_t n_memory;
    float *expected;     /* [n, hidden_size] and [n, vocab_size], in one piece, on one thread */
};

static size_t n_floats(const struct story *story)
{
    const struct model_spec *spec = &story->subject->fixture.model->spec;

    return spec->hidden_size + spec->vocab_size;
}

static struct cache *new_cache(const struct story *story)
{
    struct model *model = story->subject->fixture.model;
    struct cache *cache = cache_new(&model->spec.stack);
    struct error err = {0};

    if (story->memory)
        CHECK(model_remember(model, story->memory, story->n_memory, cache, &err) == 0);
    return cache;
}

/* Reads n tokens more; returns how many numbers are others than those expected. */
static size_t go_on(const struct story *story, struct cache *cache, const uint32_t *ids, size_t n)
{
    struct model *model = story->subject->fixture.model;
    size_t width = model->spec.hidden_size, n_vocab = model->spec.vocab_size, n_other;
    size_t first = cache->n_tokens;
    struct batch batch = {.ids = ids, .ends = &n, .n_sequences = 1, .caches = &cache};
    float *hidden = memory_zalloc(n * width, sizeof *hidden);
    float *logits = memory_zalloc(n * n_vocab, sizeof *logits);
    struct error err = {0};

    CHECK(model_run(model, &batch, hidden, &err) == 0);
    model_logits(model, hidden, n, logits);
    n_other = count_other(hidden, story->expected + first * width, n * width) +
              count_other(logits, story->expected + story->n * width + first * n_vocab,
                          n * n_vocab);
    free(hidden);
    free(logits);
    return n_other;
}

static size_t read_pieces(const struct story *story, struct cache *cache, size_t end, size_t piece)
{
    size_t n_other = 0;

    while (cache->n_tokens < end) {
        size_t at = cache->n_tokens, n = end - at < piece ? end - at : piece;

        n_other += go_on(story, cache, story->ids + at, n);
    }
    return n_other;
}

static void report(const struct story *story, const char *how, size_t n_threads, size_t n_other)
{
    CHECK(n_other == 0);
    if (n_other)
        printf("# %s: %zu numbers differ, %s, on %zu threads\n", story->subject->name, n_other,
               how, n_threads);
}

/* Single tokens at the beginning, and across the end of a block of keys. */
static void check_pieces(const struct story *story, size_t n_threads)
{
    static const size_t pieces[] = {7, 256, LONG_TEXT};

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct cache *cache = new_cache(story);

        report(story, "in pieces", n_threads, read_pieces(story, cache, story->n, pieces[i]));
        cache_free(cache);
    }
    for (size_t first = 0; first < story->n; first += N_ALIKE) {
        size_t end = first + 20 < story->n ? first + 20 : story->n;
        struct cache *cache = new_cache(story);

        read_pieces(story, cache, first, LONG_TEXT);
        report(story, "token by token", n_threads, read_pieces(story, cache, end, 1));
        cache_free(cache);
    }
}

/* A cache that was copied, and one that has seen another end of the text. */
static void check_forks(const struct story *story, size_t n_threads)
{
    size_t half = story->n / 2, n_more = story->n - half;
    struct cache *cache = new_cache(story), *fork;
    uint32_t others[LONG_TEXT];
    struct error err = {0};

    for (size_t i = 0; i < n_more; i++)
        others[i] = story->ids[n_more - 1 - i];
    read_pieces(story, cache, half, LONG_TEXT);
    fork = cache_fork(cache, &err);
    go_on(story, cache, others, n_more);
    CHECK(cache->n_tokens == story->n && fork->n_tokens == half);
    report(story, "in a copied cache", n_threads, read_pieces(story, fork, story->n, 61));
    cache_truncate(cache, half);
    report(story, "in a cut cache", n_threads, read_pieces(story, cache, story->n, 61));
    cache_free(cache);
    cache_free(fork);
}

/* As a server has them: in a step each takes as many tokens as it likes. */
static void check_steps_in_company(const struct story *story, size_t n_threads)
{
    enum { N = 5 };
    static const size_t pieces[N] = {1, 7, LONG_TEXT, 1, 100};
    struct model *model = story->subject->fixture.model;
    size_t width = model->spec.hidden_size, n_other = 0;
    float *hidden = memory_zalloc(N * LONG_TEXT * width, sizeof *hidden);
    struct cache *caches[N];
    struct error err = {0};

    for (size_t i = 0; i < N; i++)
        caches[i] = new_cache(story);
    for (size_t step = 0; step < 8; step++) {
        uint32_t ids[N * LONG_TEXT];
        size_t ends[N], at = 0;
        struct batch batch = {.ids = ids, .ends = ends, .n_sequences = N, .caches = caches};

        for (size_t i = 0; i < N; i++) {
            size_t left = story->n - caches[i]->n_tokens, n = left < pieces[i] ? left : pieces[i];

            memcpy(ids + at, story->ids + caches[i]->n_tokens, n * sizeof *ids);
            ends[i] = at += n;
        }
        CHECK(model_run(model, &batch, hidden, &err) == 0);
        for (size_t i = 0; i < N; i++) {
            size_t n = batch_length(ends, i);

            n_other += count_other(hidden + batch_start(ends, i) * width,
                                   story->expected + (caches[i]->n_tokens - n) * width, n * width);
        }
    }
    report(story, "in the steps of a server", n_threads, n_other);
    for (size_t i = 0; i < N; i++)
        cache_free(caches[i]);
    free(hidden);
}

static void expect(struct story *story)
{
    struct model *model = story->subject->fixture.model;
    size_t width = model->spec.hidden_size;
    struct batch batch = {.ids = story->ids, .ends = &story->n, .n_sequences = 1,
                          .memory = story->memory, .memory_ends = &story->n_memory};
    struct error err = {0};

    story->expected = memory_zalloc(story->n * n_floats(story), sizeof *story->expected);
    CHECK(model_run(model, &batch, story->expected, &err) == 0);
    if (err.code)
        printf("# %s: %s\n", story->subject->name, err.text);
    model_logits(model, story->expected, story->n, story->expected + story->n * width);
}

/* Of every model that generates, unless what its first tokens give depends on the later ones. */
static void check_story(const char *name)
{
    struct story story = {0};
    float *memory = NULL;

    for (size_t n_threads = 1; n_threads <= MAX_THREADS; n_threads++) {
        struct subject subject;
        struct model *model;
        struct error err = {0};

        subject_load(&subject, name, n_threads);
        model = subject.fixture.model;
        model_lift_capacity(model); /* which counts the tokens that run at once */
        if ((subject.type == MODEL_DECODER || subject.type == MODEL_ENCODER_DECODER) &&
            !model_needs_whole_prompts(model)) {
            story.subject = &subject;
            story.n = model->spec.n_positions ? MAX_TEXT : LONG_TEXT;
            for (size_t i = 0; i < story.n; i++)
                story.ids[i] = id_of(model, 1, i);
            if (subject.type == MODEL_ENCODER_DECODER && n_threads == 1) {
                struct batch batch = {.ids = story.ids, .ends = &story.n_memory, .n_sequences = 1};

                story.n_memory = MAX_TEXT;
                story.memory = memory =
                    memory_zalloc(MAX_TEXT * model->spec.hidden_size, sizeof *memory);
                CHECK(model_encode(model, &batch, memory, &err) == 0);
            }
            if (n_threads == 1)
                expect(&story);
            check_pieces(&story, n_threads);
            check_forks(&story, n_threads);
            check_steps_in_company(&story, n_threads);
        }
        subject_release(&subject);
    }
    free(story.expected);
    free(memory);
}

static void pieces_and_caches_do_not_change_a_bit(void)
{
    each_model(check_story);
}

TESTS(TEST(neighbours_do_not_change_a_bit), TEST(pieces_and_caches_do_not_change_a_bit))
