/* bench_gemm.c N_THREADS [openblas] - times of matrix products, a line each: what, rows, outputs,
 * inputs, seconds of one. Built and run by bench_gemm.py, which makes tables of them.
 *
 * Each product takes the next of many matrices, BENCH_WEIGHTS_MB (600) in all, so that the weights
 * come from memory, as those of a model do. The best of the products in BENCH_SECONDS (0.1), at
 * least of three, counts. With `openblas` the same floats go through its sgemm, which then runs
 * alone in this process, on as many threads of its own. */
#include <cblas.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "math/gemm.h"
#include "math/random.h"
#include "tensor/packed_nibbles.h"

enum { X_FLOATS = 512 * 8192, ALIGNMENT = 64 };
enum { GROUP_SIZE = 128, SCALES_MAX = 4096 / GROUP_SIZE * 8192 }; /* of four bits */

static const size_t row_counts[] = {1, 2, 4, 8, 16, 64, 256, 512};
static const size_t inputs[] = {512, 576, 2048, 4096}, outputs[] = {256, 2048, 8192};
static const size_t head_dims[] = {32, 64, 128};
enum { QUERIES = 64, KEYS = 256, HEADS = 512 }; /* of a task of attention; how many tasks */

static const struct {
    const char *name;
    enum dtype dtype;
    size_t item_bits; /* 4: words of GPTQ, with scales of the dtype */
    bool is_transposed, has_many_rows;
} kinds[] = {
    {"f32", DTYPE_F32, 32, false, true},   {"f16", DTYPE_F16, 16, false, true},
    {"bf16", DTYPE_BF16, 16, false, true}, {"GPTQ", DTYPE_F16, 4, false, true},
    {"f32, transposed", DTYPE_F32, 32, true, false},
    {"bf16, transposed", DTYPE_BF16, 16, true, false},
};

struct bench {
    struct threads *threads;
    struct gemm *gemm;
    __typeof__(cblas_sgemm) *sgemm; /* NULL: ours */
    char *weights;
    size_t n_bytes, at; /* where the next matrix lies */
    double seconds;
    float *x, *y;
    uint8_t zeros[SCALES_MAX];
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double setting(const char *name, double value)
{
    const char *text = getenv(name);

    return text ? strtod(text, NULL) : value;
}

static const void *next_matrix(struct bench *bench, size_t n_bytes)
{
    const void *matrix;

    if (bench->at + n_bytes > bench->n_bytes)
        bench->at = 0;
    matrix = bench->weights + bench->at;
    bench->at += n_bytes;
    return matrix;
}

/* ---- matrices of weights ---- */

static void multiply(struct bench *bench, size_t kind, size_t n_rows, size_t n_out, size_t n_in)
{
    static const struct packed_nibbles nibbles = {DTYPE_F16, GROUP_SIZE};
    bool is_transposed = kinds[kind].is_transposed, is_nibbles = kinds[kind].item_bits == 4;
    struct gemm_matrix w = {
        .format = is_nibbles ? matrix_format_find(PACKED_NIBBLES)
                             : matrix_format_plain(kinds[kind].dtype, is_transposed),
        .data = next_matrix(bench, n_out * n_in * kinds[kind].item_bits / 8),
        .scales = is_nibbles ? bench->weights : NULL,
        .zeros = is_nibbles ? bench->zeros : NULL,
        .settings = is_nibbles ? &nibbles : NULL,
        .n_out = n_out,
        .n_in = n_in,
        .stride = is_transposed || is_nibbles ? n_out : n_in,
    };

    if (bench->sgemm)
        bench->sgemm(CblasRowMajor, CblasNoTrans, is_transposed ? CblasNoTrans : CblasTrans,
                     (int)n_rows, (int)n_out, (int)n_in, 1, bench->x, (int)n_in, w.data,
                     (int)w.stride, 0, bench->y, (int)n_out);
    else
        gemm_multiply(bench->gemm, n_rows, bench->x, n_in, &w, NULL, bench->y, n_out);
}

static void measure(struct bench *bench, size_t kind, size_t n_rows, size_t n_out, size_t n_in)
{
    double best = 1e9, start = now();

    for (size_t run = 0; run < 4 || (now() - start < bench->seconds && run < 10000); run++) {
        double time = now();

        multiply(bench, kind, n_rows, n_out, n_in);
        time = now() - time;
        if (run > 0 && time < best) /* the first warms up */
            best = time;
    }
    printf("%s|%zu|%zu|%zu|%.9f\n", kinds[kind].name, n_rows, n_out, n_in, best);
}

static void measure_weights(struct bench *bench)
{
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
        for (size_t row = 0; row < sizeof row_counts / sizeof *row_counts; row++)
            for (size_t in = 0; in < sizeof inputs / sizeof *inputs; in++)
                for (size_t out = 0; out < sizeof outputs / sizeof *outputs; out++)
                    if ((row_counts[row] <= 4 || kinds[kind].has_many_rows) &&
                        (!bench->sgemm || kinds[kind].dtype == DTYPE_F32))
                        measure(bench, kind, row_counts[row], outputs[out], inputs[in]);
}

/* ---- the two products of attention, as its tasks make them ---- */

struct heads {
    struct bench *bench;
    size_t head_dim;
    bool has_values; /* the second product: weights [QUERIES, KEYS] and values [KEYS, head_dim] */
};

static int multiply_head(void *context, size_t task, size_t worker, struct error *err)
{
    const struct heads *heads = context;
    struct bench *bench = heads->bench;
    size_t n_out = heads->has_values ? heads->head_dim : KEYS;
    size_t n_in = heads->has_values ? KEYS : heads->head_dim;
    struct gemm_matrix w = {
        .format = heads->has_values ? &matrix_f32_transposed : &matrix_f32,
        .data = bench->weights + task % 16 * KEYS * heads->head_dim * sizeof(float),
        .n_out = n_out,
        .n_in = n_in,
        .stride = heads->head_dim,
    };

    (void)err;
    gemm_block(bench->gemm, worker, QUERIES, bench->x + task % 16 * QUERIES * n_in, n_in, &w, 1,
               false, NULL, bench->y + worker * QUERIES * KEYS, n_out);
    return 0;
}

static void measure_attention(struct bench *bench)
{
    struct error err = {0};

    for (size_t i = 0; i < 2 * sizeof head_dims / sizeof *head_dims; i++) {
        struct heads heads = {bench, head_dims[i / 2], i % 2 == 1};
        double best = 1e9;

        for (size_t run = 0; run < 10; run++) {
            double time = now();

            threads_run(bench->threads, HEADS, multiply_head, &heads, &err);
            time = (now() - time) / HEADS;
            best = time < best ? time : best;
        }
        printf("%s|%d|%zu|%zu|%.9f\n", heads.has_values ? "attention, P V" : "attention, Q K^T",
               QUERIES, heads.has_values ? heads.head_dim : KEYS,
               heads.has_values ? (size_t)KEYS : heads.head_dim, best);
    }
}

/* ---- all ---- */

/* Each half of a float is a number near 1 in all three dtypes. */
static void fill(struct bench *bench)
{
    unsigned short *items = (unsigned short *)(void *)bench->weights;
    struct random random;

    random_init(&random, 1);
    for (size_t i = 0; i < bench->n_bytes / 2; i++)
        items[i] = (unsigned short)(i < 1 << 20 ? 0x3C00 + random_below(&random, 256)
                                                : items[i - (1 << 20)]);
    memset(bench->zeros, 8, sizeof bench->zeros);
    for (size_t i = 0; i < X_FLOATS; i++)
        bench->x[i] = (float)random_uniform(&random) - 0.5f;
    memset(bench->y, 0, X_FLOATS * sizeof *bench->y);
}

static int load_openblas(struct bench *bench, size_t n_threads)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW);
    __typeof__(openblas_set_num_threads) *set_threads = NULL;

    if (library) {
        *(void **)&bench->sgemm = dlsym(library, "cblas_sgemm");
        *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
    }
    if (!bench->sgemm || !set_threads)
        return -1;
    set_threads((int)n_threads);
    return 0;
}

int main(int argc, char **argv)
{
    struct error err = {.text = "no memory, or no OpenBLAS"};
    size_t n_threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    struct bench bench = {
        .n_bytes = (size_t)setting("BENCH_WEIGHTS_MB", 600) * 1000000,
        .seconds = setting("BENCH_SECONDS", 0.1),
        .x = aligned_alloc(ALIGNMENT, X_FLOATS * sizeof(float)),
        .y = aligned_alloc(ALIGNMENT, X_FLOATS * sizeof(float)),
    };
    bool is_openblas = argc > 2 && strcmp(argv[2], "openblas") == 0;
    bool is_ready;

    bench.weights = aligned_alloc(ALIGNMENT, bench.n_bytes / ALIGNMENT * ALIGNMENT);
    if (!is_openblas && (bench.threads = threads_new(n_threads, &err)))
        bench.gemm = gemm_new(bench.threads, &err);
    is_ready = is_openblas ? load_openblas(&bench, n_threads) == 0 : bench.gemm != NULL;
    if (!is_ready || !bench.weights || !bench.x || !bench.y) {
        fprintf(stderr, "bench_gemm: %s\n", err.text);
        return 1;
    }
    fill(&bench);
    measure_weights(&bench);
    if (!is_openblas)
        measure_attention(&bench);
    gemm_free(bench.gemm);
    threads_free(bench.threads);
    free(bench.weights);
    free(bench.x);
    free(bench.y);
    return 0;
}
