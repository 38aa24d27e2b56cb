#include "model/attention.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "test.h"

enum { N_KEYS = 600, N_HEADS = 4, N_KV = 2, DIM = 6 };

struct rig {
    struct threads *threads;
    struct gemm *gemm;
    struct attention *attention;
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

static void rig_init(struct rig *rig, float scale)
{
    struct error err = {0};

    *rig = (struct rig){.threads = threads_new(3, &err)};
    rig->gemm = gemm_new(rig->threads, &err);
    rig->attention = attention_new(threads_count(rig->threads), N_HEADS, &err);
    rig->queries = fill(N_KEYS * N_HEADS * DIM, scale, 1);
    rig->keys = fill(N_KEYS * N_KV * DIM, scale, 2);
    rig->values = fill(N_KEYS * N_KV * DIM, 1, 3);
    rig->out = memory_zalloc(N_KEYS * N_HEADS * DIM, sizeof *rig->out);
    CHECK(rig->attention != NULL);
}

static void rig_release(struct rig *rig)
{
    attention_free(rig->attention);
    gemm_free(rig->gemm);
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
    .value_dim = DIM,
    .scale = 0.4f,
    .is_causal = true,
    .breaks_sticks = true,
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

    CHECK(attention_run(rig->attention, &sticks, &sequence, 1, rig->gemm, rig->threads, &err) ==
          0);
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

        rig_init(&rig, scales[i]);
        run(&rig, 0, N_KEYS);
        check(&rig, 0, N_KEYS);
        rig_release(&rig);
    }
}

static void what_the_keys_leave_is_lost(void)
{
    struct rig rig;

    rig_init(&rig, 1);
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

    rig_init(&rig, 2);
    run(&rig, 299, 1);
    run(&rig, 300, 70);
    run(&rig, 599, 1);
    check(&rig, 299, 71);
    check(&rig, 599, 1);
    rig_release(&rig);
}

TESTS(TEST(each_key_takes_its_share_of_what_is_left), TEST(what_the_keys_leave_is_lost),
      TEST(queries_may_come_later_than_keys))
