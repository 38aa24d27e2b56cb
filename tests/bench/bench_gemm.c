/* bench_gemm.c [N_THREADS] - times of matrix products; best of several. Not built by `make`:
 *
 *     gcc -O2 -D_GNU_SOURCE -Icommon -o build/bench_gemm tests/bench/bench_gemm.c \
 *         build/release/common.a -lm -pthread
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "math/gemm.h"
#include "math/random.h"

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

enum { ITEMS_MAX = 8192 * 8192 };

static const struct {
    size_t n_rows, n_out, n_in;
} shapes[] = {
    {1, 384, 384},    {12, 384, 384},    {1, 2048, 2048},  {1, 8192, 8192},  {2, 8192, 8192},
    {4, 4096, 4096},  {8, 2048, 2048},   {12, 2048, 2048}, {16, 2048, 2048}, {32, 2048, 2048},
    {64, 2048, 2048}, {512, 2048, 2048}, {1, 3072, 768},   {64, 3072, 768},  {1, 768, 3072},
};

static void measure(struct gemm *gemm, size_t i, enum dtype dtype, bool is_transposed,
                    const void *data, const float *x, float *y)
{
    size_t n_rows = shapes[i].n_rows, n_out = shapes[i].n_out, n_in = shapes[i].n_in;
    struct gemm_matrix w = {.format = matrix_format_plain(dtype, is_transposed), .data = data,
                            .n_out = n_out, .n_in = n_in,
                            .stride = is_transposed ? n_out : n_in};
    double best = 1e9, products = (double)n_rows * (double)n_out * (double)n_in, start = now();

    for (size_t run = 0; run < 5 || (now() - start < 0.3 && run < 2000); run++) {
        double time = now();

        gemm_multiply(gemm, n_rows, x, n_in, &w, NULL, y, n_out);
        time = now() - time;
        best = time < best ? time : best;
    }
    printf("%-4s%c %4zu x %4zu x %4zu: %9.1f us %6.1f GFLOP/s %5.1f GB/s\n",
           dtype_info(dtype)->name, is_transposed ? 'T' : ' ', n_rows, n_out, n_in, best * 1e6,
           products * 2 / best * 1e-9,
           (double)(n_out * n_in) * (dtype == DTYPE_F32 ? 4 : 2) / best * 1e-9);
}

int main(int argc, char **argv)
{
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};
    struct error err = {0};
    struct threads *threads = threads_new(argc > 1 ? strtoul(argv[1], NULL, 10) : 1, &err);
    struct gemm *gemm = threads ? gemm_new(threads, &err) : NULL;
    float *w = malloc(ITEMS_MAX * sizeof *w), *x = malloc(1 << 24), *y = malloc(1 << 24);
    unsigned short *items = (unsigned short *)w;
    struct random random;

    if (!gemm || !w || !x || !y) {
        fprintf(stderr, "bench_gemm: %s\n", err.text);
        return 1;
    }
    random_init(&random, 1);
    /* Each half of a float is a number near 1 in all three dtypes. */
    for (size_t i = 0; i < 2 * (size_t)ITEMS_MAX; i++)
        items[i] = 0x3C00 + random_below(&random, 256);
    for (size_t i = 0; i < (1 << 24) / sizeof *x; i++)
        x[i] = (float)random_uniform(&random) - 0.5f;
    for (size_t d = 0; d < 3; d++)
        for (size_t transposed = 0; transposed < 2; transposed++)
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
                measure(gemm, i, dtypes[d], transposed, w, x, y);
    gemm_free(gemm);
    threads_free(threads);
    free(w);
    free(x);
    free(y);
    return 0;
}
