/* test_embed.c - a run and what stands behind it in one call: the same numbers as step by step. */
#include "model/embed.h"

#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "test.h"

enum { N_TOKENS = 7, N_TEXTS = 2 };

static const uint32_t ids[N_TOKENS] = {2, 5, 9, 3, 2, 7, 3};
static const uint8_t type_ids[N_TOKENS];
static const size_t ends[N_TEXTS] = {4, N_TOKENS};
static const struct batch batch = {
    .ids = ids, .type_ids = type_ids, .ends = ends, .n_sequences = N_TEXTS,
};

static float *run(struct fixture *loaded)
{
    struct error err = {0};
    float *hidden = memory_zalloc(N_TOKENS * loaded->model->spec.hidden_size, sizeof *hidden);

    CHECK(model_run(loaded->model, &batch, hidden, &err) == 0);
    return hidden;
}

static void check_vectors(const char *name, const char *pooling, size_t n_prompt_tokens)
{
    struct fixture loaded;
    struct error err = {0};
    struct sentence_model *sentence;
    float *hidden, *expected, *got;
    size_t n;

    fixture_load(&loaded, name, 2);
    sentence = sentence_model_load(&loaded.folder, loaded.model, pooling, &loaded.notices, &err);
    CHECK(sentence != NULL);
    n = N_TEXTS * sentence_model_size(sentence);
    expected = memory_zalloc(n, sizeof *expected);
    got = memory_zalloc(n, sizeof *got);
    hidden = run(&loaded);
    CHECK(sentence_model_pool(sentence, loaded.model, &batch, hidden, n_prompt_tokens, expected,
                              &err) == 0);
    CHECK(model_embed(loaded.model, sentence, &batch, n_prompt_tokens, got, &err) == 0);
    CHECK(memcmp(got, expected, n * sizeof *got) == 0);
    free(hidden);
    free(expected);
    free(got);
    sentence_model_free(sentence);
    fixture_release(&loaded);
}

static void vectors_are_those_of_run_and_pool(void)
{
    check_vectors("encoder-base", "mean", 0);
    check_vectors("encoder-parts", "cls+max", 1);
}

static void scores_are_those_of_run_and_classifier(void)
{
    struct fixture loaded;
    struct error err = {0};
    float *hidden, *expected, *got;
    size_t n;

    fixture_load(&loaded, "models/bert-score-3-bf16", 2);
    n = N_TEXTS * model_n_labels(loaded.model);
    CHECK(n == 3 * N_TEXTS);
    expected = memory_zalloc(n, sizeof *expected);
    got = memory_zalloc(n, sizeof *got);
    hidden = run(&loaded);
    CHECK(model_scores(loaded.model, &batch, hidden, expected, &err) == 0);
    CHECK(model_rank(loaded.model, &batch, got, &err) == 0);
    CHECK(memcmp(got, expected, n * sizeof *got) == 0);
    free(hidden);
    free(expected);
    free(got);
    fixture_release(&loaded);
}

static void what_cannot_run_is_refused(void)
{
    static const uint32_t unknown[] = {1u << 30};
    static const size_t one[] = {1};
    const struct batch wrong = {.ids = unknown, .ends = one, .n_sequences = 1};
    struct fixture loaded;
    struct error err = {0};
    float scores[1] = {0};

    fixture_load(&loaded, "reranker-base", 1);
    CHECK(model_rank(loaded.model, &wrong, scores, &err) == -1 && err.code == ERROR_FORMAT);
    fixture_release(&loaded);
}

TESTS(TEST(vectors_are_those_of_run_and_pool), TEST(scores_are_those_of_run_and_classifier),
      TEST(what_cannot_run_is_refused))
