/* dequantize.c BYTES ROUNDS - how fast blocks of ggml become floats on one thread, in GB of output a
 * second; best of several. bench_gguf.py builds it and puts others beside it.
 *
 * A line for each format and version of the decoders: their names, the rate into an array of so many
 * BYTES, and that into a buffer that stays in the cache, as mixing and matrix products have it. First
 * what memory does: "write" is a memset of as many bytes, "copy" a memcpy (counted once), "store" an
 * ordinary loop that writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tensor/ggml_blocks.h"

enum { CHUNK_ITEMS = 32768 };

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

static void decode_whole(const struct ggml_type *type, const struct ggml_version *version,
                         enum ggml_format format)
{
    version->decode[format](in, n_bytes / sizeof *out / type->block_items, out);
}

static void decode_chunks(const struct ggml_type *type, const struct ggml_version *version,
                          enum ggml_format format)
{
    size_t n_blocks = n_bytes / sizeof *out / type->block_items;
    size_t step = CHUNK_ITEMS / type->block_items;

    for (size_t i = 0; i + step <= n_blocks; i += step)
        version->decode[format](in + i * type->block_bytes, step, out);
}

static void measure(enum ggml_format format, const struct ggml_version *version)
{
    static void (*const ways[])(const struct ggml_type *, const struct ggml_version *,
                                enum ggml_format) = {decode_whole, decode_chunks};
    const struct ggml_type *type = ggml_type(format);

    printf("%s %s", type->name, version->name);
    for (size_t way = 0; way < 2; way++) {
        double best = 1e9;

        for (size_t i = 0; i < n_rounds; i++) {
            double start = now(), seconds;

            ways[way](type, version, format);
            seconds = now() - start;
            best = seconds < best ? seconds : best;
        }
        printf(" %.2f", (double)n_bytes / best * 1e-9);
    }
    puts("");
    fflush(stdout);
}

static void write_all(void)
{
    memset(out, 1, n_bytes);
}

static void copy_all(void)
{
    memcpy(out, in, n_bytes);
}

static void store_all(void)
{
    for (size_t i = 0; i < n_bytes / sizeof *out; i++)
        out[i] = (float)i;
}

static void measure_memory(const char *name, void (*run)(void))
{
    double best = 1e9;

    for (size_t i = 0; i < n_rounds; i++) {
        double start = now(), seconds;

        run();
        seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    printf("%s memory %.2f\n", name, (double)n_bytes / best * 1e-9);
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
    measure_memory("write", write_all);
    measure_memory("copy", copy_all);
    measure_memory("store", store_all);
    for (size_t f = 0; f < N_GGML_BLOCKS; f++)
        for (size_t i = 0; i <= 2 && ggml_version(i); i++)
            measure((enum ggml_format)f, ggml_version(i));
    return 0;
}
