/* made_tensors.h - tensors in memory, and what a plan of them gives, for tests of merging. */
#ifndef COCKTAIL_MADE_TENSORS_H
#define COCKTAIL_MADE_TENSORS_H

#include <stdlib.h>
#include <string.h>

#include "format/safetensors.h"
#include "mix/mixer.h"
#include "scratch.h"
#include "tensor/tensor_source.h"

enum { MADE_MAX = 512, MADE_DIMS = 3 };

struct made_tensor {
    struct tensor_source source;
    struct tensor tensor;
    char name[32];
    size_t shape[MADE_DIMS];
    char *bytes;
};

struct made_tensors {
    struct made_tensor list[MADE_MAX];
    size_t n;
};

static inline int made_read(const struct tensor_source *source, size_t offset, size_t n_bytes,
                            void *out, struct error *err)
{
    const struct made_tensor *made = (const struct made_tensor *)source;

    if (offset > made->tensor.size_bytes || n_bytes > made->tensor.size_bytes - offset)
        return error_set(err, ERROR_INTERNAL, "read outside");
    memcpy(out, made->bytes + offset, n_bytes);
    return 0;
}

static inline void made_describe(const struct tensor_source *source, struct buffer *out)
{
    buffer_add_text(out, ((const struct made_tensor *)source)->name);
}

static const struct tensor_source_kind made_kind = {.read = made_read,
                                                    .describe = made_describe};

/* Values between -2 and 2 in steps that make some magnitudes equal. */
static inline const struct tensor *make_tensor(struct made_tensors *all, const char *name,
                                               enum dtype dtype, size_t n_dims,
                                               const size_t *shape)
{
    struct made_tensor *made = &all->list[all->n++];
    unsigned state = 77 + (unsigned)all->n;
    struct error err = {0};

    scratch_must(all->n <= MADE_MAX && n_dims <= MADE_DIMS, "make", name);
    snprintf(made->name, sizeof made->name, "%s", name);
    memcpy(made->shape, shape, n_dims * sizeof *shape);
    made->source.kind = &made_kind;
    made->tensor = (struct tensor){.name = made->name, .dtype = dtype, .n_dims = n_dims,
                                   .shape = made->shape, .source = &made->source};
    scratch_must(tensor_measure(&made->tensor, &err) == 0, "measure", name);
    made->bytes = calloc(made->tensor.size_bytes + 1, 1);
    scratch_must(made->bytes != NULL, "make", name);
    for (size_t i = 0; i < made->tensor.n_items; i++) {
        double value;

        state = state * 1664525u + 1013904223u;
        value = ((double)(state >> 16) / 65536 - 0.5) * 4;
        dtype_from_double(dtype, &value, made->bytes + i * dtype_info(dtype)->n_bits / 8, 1);
    }
    return &made->tensor;
}

static inline void free_tensors(struct made_tensors *all)
{
    for (size_t i = 0; i < all->n; i++)
        free(all->list[i].bytes);
    all->n = 0;
}

/* All values of a tensor, to be freed. */
static inline double *tensor_doubles(const struct tensor *tensor)
{
    char *bytes = malloc(tensor->size_bytes + 1);
    double *values = malloc((tensor->n_items + 1) * sizeof *values);
    struct error err = {0};

    scratch_must(bytes && values, "read", tensor->name);
    if (tensor_read(tensor, 0, tensor->n_items, bytes, &err))
        printf("# %s\n", err.text);
    CHECK(err.code == ERROR_NONE);
    dtype_to_double(tensor->dtype, bytes, values, tensor->n_items);
    free(bytes);
    return values;
}

static inline bool may_replace(const char *path)
{
    (void)path;
    return true;
}

/* Finishes the plan if need be and runs it; the bytes of its tensors, one behind the other in the
 * plan's order, to be freed. */
static inline char *run_plan(struct plan *plan, size_t n_threads, size_t *n_bytes)
{
    struct error err = {0};
    struct progress progress = {0};
    struct mixer_stats stats = {0};
    struct threads *threads = threads_new(n_threads, &err);
    struct outdir *outdir = outdir_open(scratch_path("out"), true, may_replace, &err);
    struct checkpoint_output output = {.shard_bytes = SIZE_MAX};
    struct checkpoint_writer *writer;
    char *file, *values;
    size_t n;

    if (!plan->format)
        CHECK(plan_finish(plan, &safetensors_writer, &err) == 0);
    output.tensors = plan->outputs;
    output.n_tensors = plan->n_items;
    writer = checkpoint_writer_open(plan->format, outdir, "model.safetensors", &output, &err);
    scratch_must(threads && writer, "write", "out");
    CHECK(mixer_run(plan, (struct mixer_share){0, 1}, writer, threads, &progress, &stats, &err) == 0);
    CHECK(progress.done_bytes == plan->size_bytes);
    CHECK(checkpoint_writer_finish(writer, &err) == 0);
    CHECK(checkpoint_writer_close(writer, &err) == 0);
    CHECK(outdir_commit(outdir, &err) == 0);
    if (err.code)
        printf("# %s\n", err.text);
    outdir_close(outdir);
    threads_free(threads);
    file = scratch_read("out/model.safetensors", &n);
    scratch_must(file && n >= plan->size_bytes, "read", "out");
    values = malloc(plan->size_bytes + 1);
    scratch_must(values != NULL, "read", "out");
    memcpy(values, file + n - plan->size_bytes, plan->size_bytes);
    *n_bytes = plan->size_bytes;
    free(file);
    return values;
}

#endif
