/* bench_mla.c N_THREADS HEADS N_KEYS N_QUERIES - latent attention of one layer by its two formulas, a
 * line each: name, seconds, bytes of a token in the cache. Built and run by bench_mla.py.
 *
 *   absorbed  what mla.h does: queries in the space of the short vectors, which a cache holds
 *   expanded  keys and values of all heads are made of the short vectors, and a cache holds them
 *
 * Dimensions are those of DeepSeek-V2 and V3. Both multiply each query with the same weights, kv_b;
 * what differs is when, and what attention then runs over. For a single query caches of as many layers
 * take turns as have CACHES_MB together, so that they come from memory. The best of TURNS counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "math/gemm.h"
#include "model/attention.h"

enum { RANK = 512, STILL = 128, ROTATING = 64, VALUE = 128, CACHES_MB = 300, TURNS = 3 };

struct bench {
    struct engine engine;
    size_t n_heads, n_keys, n_queries;
    uint16_t *kv_b; /* [n_heads][STILL + VALUE, RANK], bf16 */
    float *queries, *mixed, *out;
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static float *fill(size_t n)
{
    float *values = memory_alloc(n * sizeof *values);
    uint32_t seed = 1;

    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        values[i] = (float)(seed >> 8) / 8388608.0f - 1;
    }
    return values;
}

static void attend(struct bench *bench, const struct attention_spec *spec,
                   struct attention_rows keys, struct attention_rows values,
                   struct attention_rows queries)
{
    struct attention_sequence sequence = {
        .queries = queries, .keys = keys, .values = values,
        .n_queries = bench->n_queries, .n_keys = bench->n_keys,
        .first = bench->n_keys - bench->n_queries, .out = bench->mixed,
        .out_stride = spec->n_heads * spec->v_head_dim,
    };
    struct error err = {0};

    if (attention_run(&bench->engine, spec, &sequence, 1, &err))
        abort();
}

struct heads { /* of one of the products of all heads: its part of kv_b, x and y */
    struct bench *bench;
    bool is_value;
};

static int run_head(void *context, size_t task, size_t worker, struct error *err)
{
    const struct heads *heads = context;
    const struct bench *bench = heads->bench;
    size_t n = bench->n_heads, width = RANK + ROTATING;
    struct gemm_matrix w = {.data = bench->kv_b + (task * (STILL + VALUE) +
                                                   (heads->is_value ? STILL : 0)) * RANK,
                            .stride = RANK};

    (void)err;
    w.format = heads->is_value ? &matrix_bf16 : &matrix_bf16_transposed;
    w.n_out = heads->is_value ? VALUE : RANK;
    w.n_in = heads->is_value ? RANK : STILL;
    if (heads->is_value)
        gemm_block(bench->engine.gemm, worker, bench->n_queries, bench->mixed + task * RANK,
                   n * RANK, &w, 1, false, NULL, bench->out + task * VALUE, n * VALUE);
    else
        gemm_block(bench->engine.gemm, worker, bench->n_queries, bench->out + task * STILL,
                   n * STILL, &w, 1, false, NULL, bench->queries + task * width, n * width);
    return 0;
}

static void run_absorbed(struct bench *bench, const float *cache)
{
    size_t width = RANK + ROTATING, n = bench->n_heads;
    struct attention_spec spec = {.n_heads = n, .n_kv_heads = 1, .head_dim = width,
                                  .v_head_dim = RANK, .scale = 0.07f, .is_causal = true};
    struct attention_rows rows = {cache, width, width};
    struct heads keys = {bench, false}, values = {bench, true};
    struct error err = {0};

    threads_run(bench->engine.threads, n, run_head, &keys, &err);
    attend(bench, &spec, rows, rows, (struct attention_rows){bench->queries, n * width, width});
    threads_run(bench->engine.threads, n, run_head, &values, &err);
}

static void run_expanded(struct bench *bench, const float *cache)
{
    size_t head_dim = STILL + ROTATING, n = bench->n_heads, width = n * (head_dim + VALUE);
    struct attention_spec spec = {.n_heads = n, .n_kv_heads = n, .head_dim = head_dim,
                                  .v_head_dim = VALUE, .scale = 0.07f, .is_causal = true};
    struct gemm_matrix kv_b = {.data = bench->kv_b, .format = &matrix_bf16, .stride = RANK,
                               .n_out = n * (STILL + VALUE), .n_in = RANK};

    gemm_multiply(bench->engine.gemm, bench->n_queries, bench->mixed, RANK, &kv_b, NULL, bench->out,
                  n * (STILL + VALUE));
    attend(bench, &spec, (struct attention_rows){cache, width, head_dim},
           (struct attention_rows){cache + n * head_dim, width, VALUE},
           (struct attention_rows){bench->queries, n * head_dim, head_dim});
}

static void measure(struct bench *bench, const char *name, size_t width,
                    void run(struct bench *bench, const float *cache))
{
    size_t n_floats = bench->n_keys * width, bytes = n_floats * sizeof(float);
    size_t n_caches = bench->n_queries == 1 ? ((size_t)CACHES_MB << 20) / bytes + 1 : 1;
    float *caches = fill(n_caches * n_floats);
    double best = 1e9;

    for (size_t turn = 0; turn < TURNS; turn++) {
        double start = now(), seconds;

        for (size_t i = 0; i < n_caches; i++)
            run(bench, caches + i * n_floats);
        seconds = (now() - start) / (double)n_caches;
        best = seconds < best ? seconds : best;
    }
    printf("%s|%.9f|%zu\n", name, best, width * sizeof(float));
    free(caches);
}

int main(int n_arguments, char **arguments)
{
    struct error err = {0};
    struct bench bench = {0};
    struct threads *threads;
    size_t n;

    if (n_arguments != 5)
        return 2;
    threads = threads_new(strtoul(arguments[1], NULL, 10), &err);
    n = bench.n_heads = strtoul(arguments[2], NULL, 10);
    bench.n_keys = strtoul(arguments[3], NULL, 10);
    bench.n_queries = strtoul(arguments[4], NULL, 10);
    if (!threads || engine_init(&bench.engine, threads, &err))
        return 1;
    bench.kv_b = memory_zalloc(n * (STILL + VALUE) * RANK, sizeof *bench.kv_b);
    bench.queries = fill(bench.n_queries * n * (RANK + ROTATING));
    bench.mixed = fill(bench.n_queries * n * RANK);
    bench.out = fill(bench.n_queries * n * (STILL + VALUE));
    measure(&bench, "absorbed", RANK + ROTATING, run_absorbed);
    measure(&bench, "expanded", n * (STILL + ROTATING + VALUE), run_expanded);
    free(bench.kv_b);
    free(bench.queries);
    free(bench.mixed);
    free(bench.out);
    engine_release(&bench.engine);
    threads_free(threads);
    return 0;
}
