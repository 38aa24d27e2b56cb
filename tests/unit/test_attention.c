/* test_attention.c - attention against its definition, one query at a time in double. */
#include "model/attention.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "test.h"

enum { N_KEYS = 600, N_HEADS = 4, N_KV = 2, DIM = 6 };

struct rig {
    struct threads *threads;
    struct engine engine;
    float *queries, *keys, *values, *out; /* [N_KEYS, heads, DIM] */
};

static float *fill(size_t n, float scale, uint64_t seed)
{
    float *values = memory_zalloc(n, sizeof *values);

    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        values[i] = scale * ((float)(seed >> 40) / 8388608.0f - 1);
    }
    return values;
}

static void rig_init(struct rig *rig, float scale, size_t n_threads)
{
    struct error err = {0};

    *rig = (struct rig){.threads = threads_new(n_threads, &err)};
    CHECK(engine_init(&rig->engine, rig->threads, &err) == 0);
    rig->queries = fill(N_KEYS * N_HEADS * DIM, scale, 1);
    rig->keys = fill(N_KEYS * N_KV * DIM, scale, 2);
    rig->values = fill(N_KEYS * N_KV * DIM, 1, 3);
    rig->out = memory_zalloc(N_KEYS * N_HEADS * DIM, sizeof *rig->out);
}

static void rig_release(struct rig *rig)
{
    engine_release(&rig->engine);
    threads_free(rig->threads);
    free(rig->queries);
    free(rig->keys);
    free(rig->values);
    free(rig->out);
}

static const struct attention_spec sticks = {
    .n_heads = N_HEADS,
    .n_kv_heads = N_KV,
    .head_dim = DIM,
    .v_head_dim = DIM,
    .scale = 0.4f,
    .is_causal = true,
    .has_stick_breaking = true,
};

/* Queries first … first + n - 1, which see the keys up to their own. */
static void run(struct rig *rig, size_t first, size_t n)
{
    struct error err = {0};
    struct attention_sequence sequence = {
        .queries = {rig->queries + first * N_HEADS * DIM, N_HEADS * DIM, DIM},
        .keys = {rig->keys, N_KV * DIM, DIM},
        .values = {rig->values, N_KV * DIM, DIM},
        .n_queries = n,
        .n_keys = first + n,
        .first = first,
        .out = rig->out + first * N_HEADS * DIM,
        .out_stride = N_HEADS * DIM,
    };

    CHECK(attention_run(&rig->engine, &sticks, &sequence, 1, &err) == 0);
}

/* From the definition: the share of a key is sigmoid(score) times all 1 - sigmoid(score) of the
 * keys between it and the query. The largest difference of one query. */
static double difference_of(const struct rig *rig, size_t query)
{
    double worst = 0;

    for (size_t h = 0; h < N_HEADS; h++) {
        const float *q = rig->queries + (query * N_HEADS + h) * DIM;
        double sums[DIM] = {0}, left = 1;

        for (size_t j = query + 1; j-- > 0;) {
            size_t at = (j * N_KV + h / (N_HEADS / N_KV)) * DIM;
            double score = 0;

            for (size_t i = 0; i < DIM; i++)
                score += (double)q[i] * (double)rig->keys[at + i] * (double)sticks.scale;
            for (size_t i = 0; i < DIM; i++)
                sums[i] += left / (1 + exp(-score)) * (double)rig->values[at + i];
            left *= 1 / (1 + exp(score));
        }
        for (size_t i = 0; i < DIM; i++)
            worst = fmax(worst, fabs(sums[i] - (double)rig->out[(query * N_HEADS + h) * DIM + i]));
    }
    return worst;
}

static void check(const struct rig *rig, size_t first, size_t n)
{
    double worst = 0;

    for (size_t query = first; query < first + n; query++)
        worst = fmax(worst, difference_of(rig, query));
    CHECK(worst < 2e-6);
    if (worst >= 2e-6)
        printf("# differs by %g\n", worst);
}

/* Scores near 0 break a stick within a few keys; steep ones take all, or leave nearly all for keys
 * that are blocks away. */
static void each_key_takes_its_share_of_what_is_left(void)
{
    static const float scales[] = {0.1f, 2, 6};

    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        struct rig rig;

        rig_init(&rig, scales[i], 3);
        run(&rig, 0, N_KEYS);
        check(&rig, 0, N_KEYS);
        rig_release(&rig);
    }
}

static void what_the_keys_leave_is_lost(void)
{
    struct rig rig;

    rig_init(&rig, 1, 3);
    for (size_t i = 0; i < N_KEYS * N_KV * DIM; i++) {
        rig.keys[i] = 0;
        rig.values[i] = 1;
    }
    run(&rig, 0, 3);
    for (size_t i = 0; i < N_HEADS * DIM; i++) {
        CHECK(rig.out[i] == 0.5f);
        CHECK(rig.out[N_HEADS * DIM + i] == 0.75f);
        CHECK(rig.out[2 * N_HEADS * DIM + i] == 0.875f);
    }
    rig_release(&rig);
}

/* Of one query the heads that share keys run together; a long one is split otherwise. */
static void queries_may_come_later_than_keys(void)
{
    struct rig rig;

    rig_init(&rig, 2, 3);
    run(&rig, 299, 1);
    run(&rig, 300, 70);
    run(&rig, 599, 1);
    check(&rig, 299, 71);
    check(&rig, 599, 1);
    rig_release(&rig);
}

/* ---- softmax ---- */

enum { BIAS_SPAN = N_KEYS, VALUE_DIM = 5 };

struct softmax_case {
    const char *name;
    size_t n_kv_heads, v_head_dim;
    float scale; /* of the numbers in queries and keys */
    float cap;
    bool is_causal;
    size_t window;
    bool has_bias, has_sinks;
};

/* Blocks of keys are 256 long, blocks of queries 64: windows lie within one and across two. */
static const struct softmax_case softmax_cases[] = {
    {.name = "all keys", .n_kv_heads = 4, .v_head_dim = DIM, .scale = 2},
    {.name = "causal", .n_kv_heads = 4, .v_head_dim = DIM, .scale = 2, .is_causal = true},
    {.name = "scores near 0", .n_kv_heads = 2, .v_head_dim = DIM, .scale = 0.1f, .is_causal = true},
    {.name = "steep scores", .n_kv_heads = 2, .v_head_dim = DIM, .scale = 12, .is_causal = true},
    {.name = "one head of keys", .n_kv_heads = 1, .v_head_dim = DIM, .scale = 2},
    {.name = "narrow values", .n_kv_heads = 2, .v_head_dim = VALUE_DIM, .scale = 2},
    {.name = "only itself", .n_kv_heads = 2, .v_head_dim = DIM, .scale = 2, .is_causal = true,
     .window = 1},
    {.name = "causal, a short window", .n_kv_heads = 2, .v_head_dim = DIM, .scale = 2,
     .is_causal = true, .window = 7},
    {.name = "causal, a long window", .n_kv_heads = 4, .v_head_dim = DIM, .scale = 2,
     .is_causal = true, .window = 300},
    {.name = "causal, a window of a block", .n_kv_heads = 2, .v_head_dim = DIM, .scale = 2,
     .is_causal = true, .window = 256},
    {.name = "a window to both sides", .n_kv_heads = 2, .v_head_dim = DIM, .scale = 2,
     .window = 65},
    {.name = "a cap", .n_kv_heads = 2, .v_head_dim = DIM, .scale = 6, .cap = 1.5f,
     .is_causal = true},
    {.name = "biases", .n_kv_heads = 2, .v_head_dim = DIM, .scale = 2, .has_bias = true},
    {.name = "biases of what was before", .n_kv_heads = 1, .v_head_dim = DIM, .scale = 2,
     .is_causal = true, .has_bias = true},
    {.name = "sinks", .n_kv_heads = 2, .v_head_dim = DIM, .scale = 2, .is_causal = true,
     .has_sinks = true},
    {.name = "sinks, a cap and a window", .n_kv_heads = 4, .v_head_dim = VALUE_DIM, .scale = 6,
     .cap = 3, .is_causal = true, .window = 100, .has_sinks = true},
};
enum { N_CASES = sizeof softmax_cases / sizeof *softmax_cases };

/* One above all scores, one among them, one below. */
static const float sinks[N_HEADS] = {40, 0.5f, -3, 2};

static struct attention_spec spec_of(const struct softmax_case *how, const float *bias)
{
    return (struct attention_spec){
        .n_heads = N_HEADS,
        .n_kv_heads = how->n_kv_heads,
        .head_dim = DIM,
        .v_head_dim = how->v_head_dim,
        .scale = 0.4f,
        .cap = how->cap,
        .is_causal = how->is_causal,
        .window = how->window,
        .bias = how->has_bias ? bias : NULL,
        .bias_span = how->has_bias ? BIAS_SPAN : 0,
        .sinks = how->has_sinks ? sinks : NULL,
    };
}

struct stage { /* what a case runs on: numbers, and where results go */
    float *queries, *keys, *values, *bias, *out;
};

static void stage_init(struct stage *stage, float scale)
{
    *stage = (struct stage){
        .queries = fill(N_KEYS * N_HEADS * DIM, scale, 11),
        .keys = fill(N_KEYS * N_HEADS * DIM, scale, 12),
        .values = fill(N_KEYS * N_HEADS * DIM, 1, 13),
        .bias = fill(N_HEADS * (2 * BIAS_SPAN + 1), 2, 14),
        .out = memory_zalloc(N_KEYS * N_HEADS * DIM, sizeof *stage->out),
    };
}

static void stage_release(struct stage *stage)
{
    free(stage->queries);
    free(stage->keys);
    free(stage->values);
    free(stage->bias);
    free(stage->out);
}

/* Queries `first` … `first` + n_queries - 1 of a text whose tokens are rows `begin` … `begin` +
 * n_keys - 1 of the stage. */
static struct attention_sequence part(const struct stage *stage, const struct attention_spec *spec,
                                      size_t begin, size_t n_keys, size_t first, size_t n_queries)
{
    size_t key_width = spec->n_kv_heads * DIM, value_width = spec->n_kv_heads * spec->v_head_dim;
    size_t out_width = N_HEADS * spec->v_head_dim;

    return (struct attention_sequence){
        .queries = {stage->queries + (begin + first) * N_HEADS * DIM, N_HEADS * DIM, DIM},
        .keys = {stage->keys + begin * key_width, key_width, DIM},
        .values = {stage->values + begin * value_width, value_width, spec->v_head_dim},
        .n_queries = n_queries,
        .n_keys = n_keys,
        .first = first,
        .out = stage->out + (begin + first) * out_width,
        .out_stride = out_width,
    };
}

static bool is_seen(const struct attention_spec *spec, size_t position, size_t key)
{
    size_t distance = key > position ? key - position : position - key;

    return !(spec->is_causal && key > position) && !(spec->window && distance >= spec->window);
}

static double score_of(const struct attention_spec *spec, const struct attention_sequence *sequence,
                       size_t query, size_t head, size_t key)
{
    size_t position = sequence->first + query, row = 2 * spec->bias_span + 1;
    const float *q = sequence->queries.data + query * sequence->queries.stride + head * DIM;
    const float *k = sequence->keys.data + key * sequence->keys.stride +
                     head / (N_HEADS / spec->n_kv_heads) * DIM;
    double score = 0;

    for (size_t i = 0; i < DIM; i++)
        score += (double)q[i] * (double)k[i] * (double)spec->scale;
    if (spec->cap > 0)
        score = (double)spec->cap * tanh(score / (double)spec->cap);
    if (spec->bias)
        score += (double)spec->bias[head * row + spec->bias_span + key - position];
    return score;
}

/* softmax over the keys that are seen, and the head's sink: the largest difference. */
static double softmax_difference(const struct attention_spec *spec,
                                 const struct attention_sequence *sequence, size_t query,
                                 size_t head)
{
    static double scores[N_KEYS];
    double sums[DIM] = {0}, total = 0, worst = 0, max = -INFINITY;
    const float *out = sequence->out + query * sequence->out_stride + head * spec->v_head_dim;

    for (size_t j = 0; j < sequence->n_keys; j++) {
        scores[j] = score_of(spec, sequence, query, head, j);
        if (is_seen(spec, sequence->first + query, j))
            max = fmax(max, scores[j]);
    }
    if (spec->sinks) {
        max = fmax(max, (double)spec->sinks[head]);
        total = exp((double)spec->sinks[head] - max);
    }
    for (size_t j = 0; j < sequence->n_keys; j++) {
        const float *value = sequence->values.data + j * sequence->values.stride +
                             head / (N_HEADS / spec->n_kv_heads) * spec->v_head_dim;
        double weight = exp(scores[j] - max);

        if (!is_seen(spec, sequence->first + query, j))
            continue;
        total += weight;
        for (size_t i = 0; i < spec->v_head_dim; i++)
            sums[i] += weight * (double)value[i];
    }
    for (size_t i = 0; i < spec->v_head_dim; i++) {
        double difference = fabs(sums[i] / total - (double)out[i]);

        worst = difference <= worst ? worst : difference;
    }
    return worst;
}

/* Values are below 1. Scores are sums in float: of 12, an error of 1e-6 of themselves. */
static const double softmax_tolerance = 4e-6, steep_tolerance = 4e-5;

static void check_softmax(const struct softmax_case *how, const struct attention_spec *spec,
                          const struct attention_sequence *sequences, size_t n_sequences)
{
    double worst = 0, tolerance = how->scale > 6 ? steep_tolerance : softmax_tolerance;

    for (size_t s = 0; s < n_sequences; s++)
        for (size_t query = 0; query < sequences[s].n_queries; query++)
            for (size_t head = 0; head < N_HEADS; head++)
                worst = fmax(worst, softmax_difference(spec, &sequences[s], query, head));
    CHECK(worst < tolerance);
    if (!(worst < tolerance))
        printf("# %s: differs by %g\n", how->name, worst);
}

/* Runs on `n_threads` threads; results are wiped before. */
static void attend(struct stage *stage, const struct attention_spec *spec,
                   const struct attention_sequence *sequences, size_t n_sequences,
                   size_t n_threads)
{
    struct error err = {0};
    struct threads *threads = threads_new(n_threads, &err);
    struct engine engine;

    CHECK(engine_init(&engine, threads, &err) == 0);
    for (size_t i = 0; i < N_KEYS * N_HEADS * DIM; i++)
        stage->out[i] = NAN;
    CHECK(attention_run(&engine, spec, sequences, n_sequences, &err) == 0);
    engine_release(&engine);
    threads_free(threads);
}

static void values_are_weighed_by_the_softmax_of_scores(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct stage stage;
        struct attention_spec spec;
        struct attention_sequence whole;

        stage_init(&stage, softmax_cases[i].scale);
        spec = spec_of(&softmax_cases[i], stage.bias);
        whole = part(&stage, &spec, 0, N_KEYS, 0, N_KEYS);
        attend(&stage, &spec, &whole, 1, 2);
        check_softmax(&softmax_cases[i], &spec, &whole, 1);
        stage_release(&stage);
    }
}

/* As with a cache: keys of a text that began long before, for one query and for many. */
static void queries_may_continue_a_text(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct stage stage;
        struct attention_spec spec;
        struct attention_sequence parts[4];

        stage_init(&stage, softmax_cases[i].scale);
        spec = spec_of(&softmax_cases[i], stage.bias);
        parts[0] = part(&stage, &spec, 0, 300, 299, 1);
        parts[1] = part(&stage, &spec, 0, 370, 300, 70);
        parts[2] = part(&stage, &spec, 0, 257, 256, 1);
        parts[3] = part(&stage, &spec, 0, N_KEYS, N_KEYS - 1, 1);
        attend(&stage, &spec, parts, 4, 3);
        check_softmax(&softmax_cases[i], &spec, parts, 4);
        stage_release(&stage);
    }
}

/* Each sees its own keys alone; among them an empty one, and single tokens. */
static void sequences_of_a_batch_do_not_see_each_other(void)
{
    static const size_t ends[] = {1, 130, 130, 131, 195, 451, 452, N_KEYS};

    for (size_t i = 0; i < N_CASES; i++) {
        struct stage stage;
        struct attention_spec spec;
        struct attention_sequence parts[8];

        stage_init(&stage, softmax_cases[i].scale);
        spec = spec_of(&softmax_cases[i], stage.bias);
        for (size_t s = 0; s < 8; s++) {
            size_t begin = s ? ends[s - 1] : 0, n = ends[s] - begin;

            parts[s] = part(&stage, &spec, begin, n, 0, n);
        }
        attend(&stage, &spec, parts, 8, 3);
        check_softmax(&softmax_cases[i], &spec, parts, 8);
        stage_release(&stage);
    }
}

static void attention_is_the_same_on_any_number_of_threads(void)
{
    static const size_t n_threads[] = {1, 2, 5, 8};
    enum { BYTES = N_KEYS * N_HEADS * DIM * sizeof(float) };

    for (size_t i = 0; i < N_CASES; i++) {
        struct stage stage;
        struct attention_spec spec;
        struct attention_sequence parts[3];
        float *first = memory_alloc(BYTES);

        stage_init(&stage, softmax_cases[i].scale);
        spec = spec_of(&softmax_cases[i], stage.bias);
        parts[0] = part(&stage, &spec, 0, 70, 0, 70);
        parts[1] = part(&stage, &spec, 70, 130, 129, 1);
        parts[2] = part(&stage, &spec, 200, 400, 0, 400);
        for (size_t t = 0; t < 4; t++) {
            attend(&stage, &spec, parts, 3, n_threads[t]);
            if (t == 0)
                memcpy(first, stage.out, BYTES);
            CHECK(memcmp(first, stage.out, BYTES) == 0);
        }
        free(first);
        stage_release(&stage);
    }
}

/* On one thread the last query runs as all others do; on three its blocks of keys are shared out. */
static void a_query_with_many_keys_is_the_same_when_it_is_shared_out(void)
{
    enum { BYTES = N_KEYS * N_HEADS * DIM * sizeof(float) };

    for (size_t i = 0; i < N_CASES; i++)
        for (size_t has_nan = 0; has_nan < 2; has_nan++) {
            struct stage stage;
            struct attention_spec spec;
            struct attention_sequence whole, last;
            float *first = memory_alloc(BYTES), *row;

            stage_init(&stage, softmax_cases[i].scale);
            spec = spec_of(&softmax_cases[i], stage.bias);
            stage.keys[580 * spec.n_kv_heads * DIM] = has_nan ? NAN : 1;
            whole = part(&stage, &spec, 0, N_KEYS, 0, N_KEYS);
            attend(&stage, &spec, &whole, 1, 1);
            memcpy(first, stage.out, BYTES);
            last = part(&stage, &spec, 0, N_KEYS, N_KEYS - 1, 1);
            attend(&stage, &spec, &last, 1, 3);
            row = first + (last.out - stage.out);
            for (size_t k = 0; k < N_HEADS * spec.v_head_dim; k++)
                CHECK(has_nan && isnan(row[k]) ? isnan(last.out[k]) : row[k] == last.out[k]);
            free(first);
            stage_release(&stage);
        }
}

static void a_query_without_keys_gives_zeros(void)
{
    for (size_t n = 1; n <= 3; n += 2) {
        struct stage stage;
        struct attention_spec spec = spec_of(&softmax_cases[0], NULL);
        struct attention_sequence alone;

        stage_init(&stage, 1);
        alone = part(&stage, &spec, 0, 0, 0, n);
        attend(&stage, &spec, &alone, 1, 1);
        for (size_t i = 0; i < n * N_HEADS * DIM; i++)
            CHECK(stage.out[i] == 0);
        stage_release(&stage);
    }
}

/* To be found in the result, wherever it comes from, and nowhere else. */
static void what_is_no_number_stays_none(void)
{
    struct stage stage;
    struct attention_spec spec = spec_of(&softmax_cases[1], NULL);
    struct attention_sequence whole;

    stage_init(&stage, 1);
    stage.keys[300 * N_HEADS * DIM] = NAN; /* of the first head */
    whole = part(&stage, &spec, 0, N_KEYS, 0, N_KEYS);
    attend(&stage, &spec, &whole, 1, 2);
    for (size_t query = 0; query < N_KEYS; query++)
        for (size_t i = 0; i < N_HEADS * DIM; i++)
            CHECK(isnan(stage.out[query * N_HEADS * DIM + i]) == (query >= 300 && i < DIM));
    stage_release(&stage);
}

/* Not multiplied by 0, which would make NaN of what is no number. */
static void what_a_query_does_not_see_does_not_count(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct stage stage;
        struct attention_spec spec;
        struct attention_sequence whole;
        size_t hidden = 300, n_wrong = 0, width;

        stage_init(&stage, 1);
        spec = spec_of(&softmax_cases[i], stage.bias);
        width = spec.n_kv_heads * spec.v_head_dim;
        for (size_t k = 0; k < width; k++)
            stage.values[hidden * width + k] = NAN;
        whole = part(&stage, &spec, 0, N_KEYS, 0, N_KEYS);
        attend(&stage, &spec, &whole, 1, 2);
        for (size_t query = 0; query < N_KEYS; query++)
            for (size_t k = 0; k < N_HEADS * spec.v_head_dim; k++)
                n_wrong += isnan(stage.out[query * N_HEADS * spec.v_head_dim + k]) !=
                           is_seen(&spec, query, hidden);
        CHECK(n_wrong == 0);
        if (n_wrong)
            printf("# %s: %zu\n", softmax_cases[i].name, n_wrong);
        stage_release(&stage);
    }
}

TESTS(TEST(each_key_takes_its_share_of_what_is_left), TEST(what_the_keys_leave_is_lost),
      TEST(queries_may_come_later_than_keys), TEST(values_are_weighed_by_the_softmax_of_scores),
      TEST(queries_may_continue_a_text), TEST(sequences_of_a_batch_do_not_see_each_other),
      TEST(attention_is_the_same_on_any_number_of_threads),
      TEST(a_query_with_many_keys_is_the_same_when_it_is_shared_out),
      TEST(a_query_without_keys_gives_zeros), TEST(what_is_no_number_stays_none),
      TEST(what_a_query_does_not_see_does_not_count))
