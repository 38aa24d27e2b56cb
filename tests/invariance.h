/* invariance.h - what a model gives for texts, alone and in company, bit for bit: for tests that it is
 * the same in each way of computing. */
#ifndef COCKTAIL_INVARIANCE_H
#define COCKTAIL_INVARIANCE_H

#include <stdint.h>

#include "base/isa.h"
#include "golden.h"
#include "math/gemm_fast.h"
#include "model/embed.h"

/* LONG_TEXT: more than a block of keys, twice over what a block of queries holds. */
enum { N_TEXTS = 17, N_MANY = 300, LONG_TEXT = 300, N_ARRAYS = 4, MAX_THREADS = 3 };

/* ---- ways to compute ---- */

struct way {
    const char *name, *isa;
    bool is_fast;
    bool has_own_bits; /* others than the first way's */
    bool is_slow;      /* some hundred times: few texts are tried, and those short */
};

static const struct way ways[] = {
    {"as it is", "", false, false, false},   {"plain", "plain", false, false, true},
    {"avx2", "avx2", false, false, false},   {"avx512", "avx512", false, false, false},
    {"amx", "amx", false, true, false},      {"fast", "", true, true, false},
    {"avx2, fast", "avx2", true, true, false},
};

enum { N_WAYS = sizeof ways / sizeof *ways };

/* From now on models are computed so; false where the processor cannot. The best instructions are
 * not tried twice. */
static inline bool way_choose(const struct way *way)
{
    struct error err = {0};
    enum isa best;

    CHECK(isa_choose("", &err) == 0);
    best = isa_in_use();
    if (isa_choose(way->isa, &err))
        return false;
    if (*way->isa && strcmp(way->isa, "amx") != 0 && isa_in_use() == best)
        return false;
    return !way->is_fast || isa_choose_fast();
}

static inline void way_reset(void)
{
    struct error err = {0};

    CHECK(isa_choose("", &err) == 0);
}

/* ---- models ---- */

struct subject {
    const char *name;
    struct fixture fixture;
    struct sentence_model *sentence; /* or NULL */
    enum model_type type;
};

/* What models in fixtures/models/ are is told by what the originals gave for them. A file is a model
 * as it says. */
static inline const char *find_type(const char *path)
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

static inline void subject_load(struct subject *subject, const char *name, size_t n_threads)
{
    struct fixture *fixture = &subject->fixture;
    const char *path = name;
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
}

static inline void subject_release(struct subject *subject)
{
    sentence_model_free(subject->sentence);
    fixture_release(&subject->fixture);
}

/* ---- texts and what they give ---- */

/* Ragged; 0: as long as the model lets it be. */
static const size_t lengths[N_TEXTS] = {19, 1, 31, 2, 7, 13, 3, 24, 0, 1, 11, 4, 17, 2, 9, 6, 20};

static inline size_t longest_of(const struct model *model)
{
    const struct model_spec *spec = &model->spec;

    return spec->n_positions && spec->max_tokens < LONG_TEXT ? spec->max_tokens : LONG_TEXT;
}

static inline size_t length_of(const struct model *model, size_t t)
{
    return lengths[t] ? lengths[t] : longest_of(model);
}

/* Item i of text number t of a vocabulary; padding and the first special ids are left out. */
static inline uint32_t id_of(const struct model *model, size_t t, size_t i)
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

static inline float *add_array(struct outputs *outputs, size_t n_rows, size_t width,
                               const size_t *ends)
{
    float *values = memory_zalloc(n_rows * width + 1, sizeof *values);

    outputs->arrays[outputs->n_arrays++] = (struct array){values, width, ends};
    return values;
}

static inline void outputs_release(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->n_arrays; i++)
        free(outputs->arrays[i].values);
    free(outputs->ends);
    free(outputs->answer_ends);
    free(outputs->texts);
    free(outputs->ids);
    free(outputs->answer_ids);
    *outputs = (struct outputs){0};
}

/* Text numbers numbers[i], shifted by `shift`, as a batch. */
static inline struct batch make_batch(const struct model *model, const size_t *numbers, size_t n,
                                      size_t shift, uint32_t **ids, size_t **ends)
{
    size_t at = 0;

    *ids = memory_zalloc(n * LONG_TEXT, sizeof **ids);
    *ends = memory_zalloc(n, sizeof **ends);
    for (size_t s = 0; s < n; s++) {
        size_t t = (numbers[s] + shift) % N_TEXTS, length = length_of(model, t);

        for (size_t i = 0; i < length; i++)
            (*ids)[at++] = id_of(model, t, i);
        (*ends)[s] = at;
    }
    return (struct batch){.ids = *ids, .ends = *ends, .n_sequences = n};
}

static inline void run_heads(struct subject *subject, const struct batch *batch,
                             const float *hidden, struct outputs *outputs, const size_t *ends)
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

static inline size_t count_other(const float *a, const float *b, size_t n)
{
    size_t n_other = 0;

    for (size_t i = 0; i < n; i++)
        n_other += memcmp(&a[i], &b[i], sizeof *a) != 0;
    return n_other;
}

/* The rows of model_run when only some are wanted are those of all; and others are not made, unless
 * experts must meet them. */
static inline void check_wanted(struct subject *subject, const struct batch *all,
                                const float *expected)
{
    struct model *model = subject->fixture.model;
    const struct stack_spec *stack = &model->spec.stack;
    size_t width = model->spec.hidden_size, n = batch_n_tokens(all), n_other = 0, n_spared = 0;
    bool meet = stack->attention_moe.n_experts || stack->moe.capacity || stack->moe.capacity_factor > 0;
    struct batch_rows *wanted = memory_zalloc(all->n_sequences, sizeof *wanted);
    float *hidden = memory_zalloc(n * width + 1, sizeof *hidden);
    struct batch batch = *all;
    struct error err = {0};

    batch.wanted = wanted;
    for (size_t s = 0; s < batch.n_sequences; s++) { /* one, none, the last, some, all … */
        size_t length = batch_length(batch.ends, s);

        wanted[s].first = s % 5 == 2 ? length - 1 : s % 5 == 3 ? length / 3 : 0;
        wanted[s].end = s % 5 == 0 ? 1 : s % 5 == 1 ? 0 : s % 5 == 3 ? length / 2 : length;
    }
    CHECK(model_run(model, &batch, hidden, &err) == 0);
    for (size_t s = 0; s < batch.n_sequences; s++) {
        size_t start = batch_start(batch.ends, s), end = start + wanted[s].end;

        for (size_t t = start; t < batch.ends[s]; t++) {
            size_t n_here = count_other(hidden + t * width, expected + t * width, width);

            *(t >= start + wanted[s].first && t < end ? &n_other : &n_spared) += n_here;
        }
    }
    CHECK(n_other == 0 && (n_spared > 0) != meet);
    if (n_other)
        printf("# %s: %zu numbers differ where some rows are wanted\n", subject->name, n_other);
    free(hidden);
    free(wanted);
}

/* All that a model has to say about texts, in one batch. */
static inline struct outputs run(struct subject *subject, const size_t *numbers, size_t n)
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
        if (n == N_TEXTS)
            check_wanted(subject, &batch, hidden);
    }
    if (err.code)
        printf("# %s: %s\n", subject->name, err.text);
    return outputs;
}

/* Text number s of a batch, and the only one of another. */
static inline size_t compare_text(const struct outputs *together, size_t s,
                                  const struct outputs *alone)
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

static inline void check_company(struct subject *subject, const char *way, size_t n,
                                 size_t n_threads, const struct outputs *alone)
{
    size_t numbers[N_MANY], n_other = 0;
    struct outputs together;

    for (size_t s = 0; s < n; s++) { /* the long one once */
        numbers[s] = (s + n) % N_TEXTS;
        if (s >= N_TEXTS && !lengths[numbers[s]])
            numbers[s] = 0;
    }
    together = run(subject, numbers, n);
    for (size_t s = 0; s < n; s++)
        n_other += compare_text(&together, s, &alone[numbers[s]]);
    CHECK(n_other == 0);
    if (n_other)
        printf("# %s, %s: %zu numbers differ among %zu texts on %zu threads\n", subject->name, way,
               n_other, n, n_threads);
    outputs_release(&together);
}

/* How many texts are worth their time in a way; 0: none. */
typedef size_t company_limit(const struct way *way);

/* Each text by itself and among neighbours, in each way there is. */
static inline void check_neighbours(const char *name, company_limit *most)
{
    static const size_t companies[] = {1, 2, 3, N_TEXTS, N_MANY};
    struct outputs alone[N_TEXTS] = {0};

    for (const struct way *way = ways; way < ways + N_WAYS; way++) {
        bool is_first = way == ways;

        if (!most(way) || !way_choose(way))
            continue;
        for (size_t n_threads = is_first ? 1 : 2; n_threads <= (is_first ? MAX_THREADS : 2);
             n_threads++) {
            struct subject subject;

            subject_load(&subject, name, n_threads);
            for (size_t t = 0; t < N_TEXTS && (way->has_own_bits || (is_first && n_threads == 1)); t++) {
                outputs_release(&alone[t]);
                alone[t] = run(&subject, &t, 1);
            }
            for (size_t i = 0; i < sizeof companies / sizeof *companies; i++)
                if (companies[i] <= most(way) && (companies[i] < N_MANY || n_threads == 2))
                    check_company(&subject, way->name, companies[i], n_threads, alone);
            subject_release(&subject);
        }
    }
    for (size_t t = 0; t < N_TEXTS; t++)
        outputs_release(&alone[t]);
    way_reset();
}

/* ---- pieces ---- */

struct story { /* a text that a decoder reads piece by piece */
    struct subject *subject;
    const char *way;
    uint32_t ids[LONG_TEXT];
    size_t n;
    const float *memory; /* of the encoder, [n_memory, hidden_size], or NULL */
    size_t n_memory;
    float *expected;     /* [n, hidden_size] and [n, vocab_size], in one piece, on one thread */
};

static inline size_t n_floats(const struct story *story)
{
    const struct model_spec *spec = &story->subject->fixture.model->spec;

    return spec->hidden_size + spec->vocab_size;
}

static inline struct cache *new_cache(const struct story *story)
{
    struct model *model = story->subject->fixture.model;
    struct cache *cache = cache_new(&model->spec.stack);
    struct error err = {0};

    if (story->memory)
        CHECK(model_remember(model, story->memory, story->n_memory, cache, &err) == 0);
    return cache;
}

/* Reads n tokens more; returns how many numbers are others than those expected. */
static inline size_t go_on(const struct story *story, struct cache *cache, const uint32_t *ids,
                           size_t n)
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

static inline size_t read_pieces(const struct story *story, struct cache *cache, size_t end,
                                 size_t piece)
{
    size_t n_other = 0;

    while (cache->n_tokens < end) {
        size_t at = cache->n_tokens, n = end - at < piece ? end - at : piece;

        n_other += go_on(story, cache, story->ids + at, n);
    }
    return n_other;
}

static inline void report(const struct story *story, const char *how, size_t n_threads,
                          size_t n_other)
{
    CHECK(n_other == 0);
    if (n_other)
        printf("# %s, %s: %zu numbers differ, %s, on %zu threads\n", story->subject->name, story->way,
               n_other, how, n_threads);
}

/* All token by token takes long: once. Else those at the beginning, and across the end of a block of
 * keys. */
static inline void check_pieces(const struct story *story, size_t n_threads)
{
    static const size_t pieces[] = {7, 256};
    enum { N_ALIKE = 250, N_SINGLE = 20 };
    bool is_all = story->way == ways[0].name && n_threads == 1;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct cache *cache = new_cache(story);

        report(story, "in pieces", n_threads, read_pieces(story, cache, story->n, pieces[i]));
        cache_free(cache);
    }
    for (size_t first = 0; first < story->n; first += is_all ? story->n : N_ALIKE) {
        size_t end = !is_all && first + N_SINGLE < story->n ? first + N_SINGLE : story->n;
        struct cache *cache = new_cache(story);

        read_pieces(story, cache, first, LONG_TEXT);
        report(story, "token by token", n_threads, read_pieces(story, cache, end, 1));
        cache_free(cache);
    }
}

static inline void check_few_pieces(const struct story *story, size_t n_threads)
{
    enum { N_READ = 25, PIECE = 7 };
    struct cache *cache = new_cache(story);

    report(story, "in pieces", n_threads,
           read_pieces(story, cache, story->n < N_READ ? story->n : N_READ, PIECE));
    cache_free(cache);
}

/* A cache that was copied, and one that has seen another end of the text. */
static inline void check_forks(const struct story *story, size_t n_threads)
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
static inline void check_steps_in_company(const struct story *story, size_t n_threads)
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

static inline void expect(struct story *story)
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
/* What the encoder of an encoder-decoder gives for a text: once, where bits are the same. */
static inline void remember(struct story *story, float **memory)
{
    struct model *model = story->subject->fixture.model;
    struct batch batch = {.ids = story->ids, .ends = &story->n_memory, .n_sequences = 1};
    struct error err = {0};

    story->n_memory = 31;
    *memory = memory_zalloc(story->n_memory * model->spec.hidden_size, sizeof **memory);
    CHECK(model_encode(model, &batch, *memory, &err) == 0);
    story->memory = *memory;
}

static inline void tell_story(struct story *story, float **memory, const struct way *way,
                              size_t n_threads)
{
    bool is_new = way->has_own_bits || (way == ways && n_threads == 1);
    struct model *model = story->subject->fixture.model;

    if (is_new) {
        free(story->expected);
        free(*memory);
        story->n = longest_of(model);
        for (size_t i = 0; i < story->n; i++)
            story->ids[i] = id_of(model, 1, i);
        if (story->subject->type == MODEL_ENCODER_DECODER)
            remember(story, memory);
        expect(story);
    }
    if (way->is_slow) {
        check_few_pieces(story, n_threads);
        return;
    }
    check_pieces(story, n_threads);
    if (way != ways && !way->has_own_bits)
        return;
    check_forks(story, n_threads);
    check_steps_in_company(story, n_threads);
}

/* Of every model that generates, unless what its first tokens give depends on the later ones. */
static inline void check_story(const char *name, company_limit *most)
{
    struct story story = {0};
    float *memory = NULL;

    for (const struct way *way = ways; way < ways + N_WAYS; way++) {
        bool is_first = way == ways;

        if (!most(way) || !way_choose(way))
            continue;
        for (size_t n_threads = is_first ? 1 : 2; n_threads <= (is_first ? MAX_THREADS : 2);
             n_threads += 2) {
            struct subject subject;

            subject_load(&subject, name, n_threads);
            story.subject = &subject;
            story.way = way->name;
            model_lift_capacity(subject.fixture.model); /* which counts the tokens that run at once */
            if ((subject.type == MODEL_DECODER || subject.type == MODEL_ENCODER_DECODER) &&
                !model_needs_whole_prompts(subject.fixture.model))
                tell_story(&story, &memory, way, n_threads);
            subject_release(&subject);
        }
    }
    free(story.expected);
    free(memory);
    way_reset();
}

#endif
