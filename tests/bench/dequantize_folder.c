/* dequantize_folder.c ROUNDS FOLDER... - how fast the quantised matrices of models become floats, on one
 * thread, in GB of floats a second; best of several. bench_quantised.py makes the folders and builds this.
 *
 * A line for each folder, which holds one matrix: the rate into an array that holds all of it, and that
 * into a buffer of the chunks that `mix` and `convert` ask for. First what memory does with as many bytes
 * as the first matrix has: "copy" is a memcpy (counted once), "store" an ordinary loop that writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arch/model_folder.h"
#include "tensor/tensor_source.h"

enum { CHUNK_ITEMS = 393216, WIDE_ITEMS = 4 * CHUNK_ITEMS }; /* as mix/mixer.c chooses them, of one input */

static size_t n_rounds;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void fail(const struct error *err)
{
    fprintf(stderr, "dequantize_folder: %s\n", err->text);
    exit((int)err->code);
}

static void *allocate(size_t n_bytes)
{
    void *bytes = malloc(n_bytes);

    if (!bytes) {
        fprintf(stderr, "dequantize_folder: no memory for %zu bytes\n", n_bytes);
        exit(ERROR_RESOURCES);
    }
    return memset(bytes, 1, n_bytes);
}

static void read_whole(const struct tensor *tensor, float *out)
{
    struct error err = {0};

    if (tensor_read(tensor, 0, tensor->n_items, out, &err))
        fail(&err);
}

static void read_chunks(const struct tensor *tensor, float *out)
{
    size_t chunk = tensor_chunk(tensor, tensor_wants_rows(tensor) ? WIDE_ITEMS : CHUNK_ITEMS);
    struct error err = {0};

    for (size_t i = 0; i < tensor->n_items; i += chunk)
        if (tensor_read(tensor, i, tensor->n_items - i < chunk ? tensor->n_items - i : chunk, out, &err))
            fail(&err);
}

static void copy(const struct tensor *tensor, float *out)
{
    memcpy(out, out + tensor->n_items, tensor->n_items * sizeof *out);
}

static void store(const struct tensor *tensor, float *out)
{
    for (size_t i = 0; i < tensor->n_items; i++)
        out[i] = (float)i;
}

static void measure(const struct tensor *tensor, float *out, void (*run)(const struct tensor *, float *))
{
    double best = 1e9;

    for (size_t i = 0; i < n_rounds; i++) {
        double start = now(), seconds;

        run(tensor, out);
        seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    printf(" %.3f", (double)(tensor->n_items * sizeof *out) / best * 1e-9);
}

static void measure_folder(const char *path, bool with_memory)
{
    struct model_folder model;
    struct error err = {0};
    const struct checkpoint *checkpoint;
    const struct tensor *tensor;
    float *out;

    if (model_folder_open(&model, path, NULL, false, &err))
        fail(&err);
    checkpoint = model_folder_checkpoint(&model, "", NULL, NULL, &err);
    if (!checkpoint)
        fail(&err);
    tensor = &checkpoint->tensors[0];
    if (checkpoint->n_tensors != 1 || !tensor_is_quantised(tensor)) {
        fprintf(stderr, "dequantize_folder: '%s' does not hold one quantised matrix\n", path);
        exit(ERROR_FORMAT);
    }
    out = allocate((with_memory ? 2 : 1) * tensor->n_items * sizeof *out);
    if (with_memory) {
        printf("memory");
        measure(tensor, out, copy);
        measure(tensor, out, store);
        puts("");
    }
    printf("%s", path);
    measure(tensor, out, read_whole);
    measure(tensor, out, read_chunks);
    puts("");
    fflush(stdout);
    free(out);
    model_folder_release(&model);
}

int main(int argc, char **argv)
{
    n_rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;
    for (int i = 2; i < argc; i++)
        measure_folder(argv[i], i == 2);
    return 0;
}
