/* dequantize.c BYTES ROUNDS - how fast blocks of ggml become floats, in GB of output a second; best
 * of several. bench_gguf.py builds it and puts others beside it. A line for each format: its name, the
 * version of the decoders, the rate on one thread; then, as "write" and "copy", what memory does: a
 * memset of as many bytes, and a memcpy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tensor/ggml_blocks.h"

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static size_t n_bytes, n_rounds;
static char *in;
static float *out;

/* Any bits, but for the exponents of infinities. */
static void fill(void)
{
    unsigned state = 1;

    for (size_t i = 0; i < n_bytes; i++) {
        state = state * 1664525u + 1013904223u;
        in[i] = (char)(state >> 24 & 0xBF);
    }
}

static void report(const char *name, const char *version, double seconds)
{
    printf("%s %s %.2f\n", name, version, (double)n_bytes / seconds * 1e-9);
    fflush(stdout);
}

static void measure(enum ggml_format format, const struct ggml_version *version)
{
    const struct ggml_type *type = ggml_type(format);
    size_t n_blocks = n_bytes / sizeof *out / type->block_items;
    double best = 1e9;

    for (size_t i = 0; i < n_rounds; i++) {
        double start = now(), seconds;

        version->decode[format](in, n_blocks, out);
        seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    report(type->name, version->name, best);
}

static void measure_memory(void)
{
    double write = 1e9, copy = 1e9;

    for (size_t i = 0; i < n_rounds; i++) {
        double start = now(), seconds;

        memset(out, (int)i, n_bytes);
        seconds = now() - start;
        write = seconds < write ? seconds : write;
        start = now();
        memcpy(out, in, n_bytes);
        seconds = now() - start;
        copy = seconds < copy ? seconds : copy;
    }
    report("write", "memory", write);
    report("copy", "memory", copy);
}

int main(int argc, char **argv)
{
    n_bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 1 << 28;
    n_rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 5;
    in = malloc(n_bytes);
    out = malloc(n_bytes);
    if (!in || !out) {
        fprintf(stderr, "dequantize: no memory for twice %zu bytes\n", n_bytes);
        return 4;
    }
    fill();
    memset(out, 0, n_bytes);
    measure_memory();
    for (size_t f = 0; f < N_GGML_BLOCKS; f++)
        for (size_t i = 0; i <= 2 && ggml_version(i); i++)
            measure((enum ggml_format)f, ggml_version(i));
    measure_memory();
    return 0;
}
