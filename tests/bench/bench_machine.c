/* bench_machine.c N_THREADS - what the machine can do, and no program can beat: lines of a name and a
 * number, of one thread and of N_THREADS. Built and run by harness.py.
 *
 *     peak_avx2, peak_avx512   GFLOP/s of fused multiply-adds of floats that never leave the registers
 *     read                     GB/s of a sum over an array, each thread over its part
 *
 * The array has BENCH_READ_MB megabytes (2000), or what a quarter of the memory holds. The best of
 * BENCH_ROUNDS (5) counts. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <immintrin.h>

enum { THREADS_MAX = 256, STEPS = 40000000 };

struct part {
    pthread_barrier_t *barrier;
    double (*run)(const char *data, size_t size);
    const char *data;
    size_t size;
    double result, start, end;
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Twelve sums that do not wait for one another hide the four cycles of an instruction. */
#define PEAK(vector, set1, fmadd, store)                                                         \
    do {                                                                                         \
        vector factor = set1(0.999f), term = set1(0.001f), sum[12];                              \
        float out[16];                                                                           \
        double total = 0;                                                                        \
        for (int i = 0; i < 12; i++)                                                             \
            sum[i] = set1((float)i);                                                             \
        for (size_t step = 0; step < STEPS / 12; step++) {                                       \
            _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++) sum[i] =                       \
                fmadd(sum[i], factor, term);                                                     \
        }                                                                                        \
        for (int i = 0; i < 12; i++) {                                                           \
            store(out, sum[i]);                                                                  \
            total += out[0];                                                                     \
        }                                                                                        \
        return total;                                                                            \
    } while (0)

__attribute__((target("avx2,fma"))) static double peak_avx2(const char *data, size_t size)
{
    (void)data, (void)size;
    PEAK(__m256, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps);
}

__attribute__((target("avx512f"))) static double peak_avx512(const char *data, size_t size)
{
    (void)data, (void)size;
    PEAK(__m512, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps);
}

__attribute__((target("avx2"))) static double read_all(const char *data, size_t size)
{
    __m256i sum[8];
    long long out[4];

    memset(sum, 0, sizeof sum);
    for (size_t at = 0; at + sizeof sum <= size; at += sizeof sum) {
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            sum[i] = _mm256_add_epi64(
                sum[i], _mm256_loadu_si256((const __m256i *)(const void *)(data + at + 32 * i)));
    }
    for (size_t i = 1; i < 8; i++)
        sum[0] = _mm256_add_epi64(sum[0], sum[i]);
    _mm256_storeu_si256((__m256i *)(void *)out, sum[0]);
    return (double)(out[0] + out[1] + out[2] + out[3]);
}

static void *run_part(void *argument)
{
    struct part *part = argument;

    pthread_barrier_wait(part->barrier);
    part->start = now();
    part->result = part->run(part->data, part->size);
    part->end = now();
    return NULL;
}

/* Seconds of the best round, from when the first thread starts to when the last is done. */
static double best_of(size_t n_threads, double (*run)(const char *, size_t), const char *data,
                      size_t size)
{
    const char *text = getenv("BENCH_ROUNDS");
    size_t n_rounds = text ? strtoul(text, NULL, 10) : 5, piece = size / n_threads / 256 * 256;
    pthread_t threads[THREADS_MAX];
    struct part parts[THREADS_MAX];
    pthread_barrier_t barrier;
    volatile double kept = 0;
    double best = 1e9;

    pthread_barrier_init(&barrier, NULL, (unsigned)n_threads);
    for (size_t round = 0; round < n_rounds; round++) {
        double start = 1e99, end = 0;

        for (size_t i = 0; i < n_threads; i++) {
            parts[i] = (struct part){.barrier = &barrier, .run = run, .size = piece,
                                     .data = data ? data + i * piece : NULL};
            if (pthread_create(&threads[i], NULL, run_part, &parts[i]))
                exit(1);
        }
        for (size_t i = 0; i < n_threads; i++) {
            pthread_join(threads[i], NULL);
            kept += parts[i].result;
            start = parts[i].start < start ? parts[i].start : start;
            end = parts[i].end > end ? parts[i].end : end;
        }
        best = end - start < best ? end - start : best;
    }
    (void)kept;
    pthread_barrier_destroy(&barrier);
    return best;
}

static size_t array_bytes(void)
{
    const char *text = getenv("BENCH_READ_MB");
    size_t size = (text ? strtoul(text, NULL, 10) : 2000) * 1000000;
    size_t most = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) / 4;

    return (size < most ? size : most) / 256 * 256;
}

static void measure(size_t n_threads, const char *data, size_t size)
{
    double flops = (double)(STEPS / 12 * 12) * 2 * (double)n_threads * 1e-9;

    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        printf("peak_avx2 %zu %.1f\n", n_threads,
               8 * flops / best_of(n_threads, peak_avx2, NULL, 0));
    if (__builtin_cpu_supports("avx512f"))
        printf("peak_avx512 %zu %.1f\n", n_threads,
               16 * flops / best_of(n_threads, peak_avx512, NULL, 0));
    printf("read %zu %.2f\n", n_threads,
           (double)(size / n_threads / 256 * 256 * n_threads) * 1e-9 /
               best_of(n_threads, read_all, data, size));
}

int main(int argc, char **argv)
{
    size_t n_threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 1, size = array_bytes();
    char *data = malloc(size);

    if (!data || n_threads < 1 || n_threads > THREADS_MAX) {
        fprintf(stderr, "bench_machine: no memory, or no number of threads from 1 to %d\n",
                THREADS_MAX);
        return 1;
    }
    memset(data, 1, size);
    measure(1, data, size);
    if (n_threads > 1)
        measure(n_threads, data, size);
    free(data);
    return 0;
}
