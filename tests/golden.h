/* golden.h - models in fixtures/, and what the originals computed for those in fixtures/models/:
 * tensors of four bytes an item in golden.safetensors (fixtures/README.md). */
#ifndef COCKTAIL_GOLDEN_H
#define COCKTAIL_GOLDEN_H

#include <math.h>

#include "base/memory.h"
#include "model/model.h"
#include "test.h"

/* Of the largest result of a model: single results are sums of terms of that size, and both sides
 * add them up in float, in their own order. */
static const double golden_tolerance = 1e-5;

/* Where the original itself is further than that from its own result in float64. */
static const struct {
    const char *model;
    double tolerance;
} golden_noisy[] = {
    {"t5-gated-untied-f16", 3e-5}, /* 1.3e-5: scores are not scaled, so softmax is steep */
};

static inline double golden_tolerance_of(const char *model)
{
    for (size_t i = 0; i < sizeof golden_noisy / sizeof *golden_noisy; i++)
        if (strcmp(model, golden_noisy[i].model) == 0)
            return golden_noisy[i].tolerance;
    return golden_tolerance;
}

struct golden {
    struct folder *folder;
    struct checkpoint *checkpoint;
};

static inline const struct tensor *golden_find(const struct golden *golden, const char *name)
{
    return checkpoint_find(golden->checkpoint, name);
}

/* The values of a tensor, as they are stored (four bytes each); NULL when there is none. */
static inline void *golden_values(const struct golden *golden, const char *name)
{
    const struct tensor *tensor = golden_find(golden, name);
    struct error err = {0};
    void *values;

    if (!tensor)
        return NULL;
    values = memory_alloc(tensor->n_items * 4 + 1);
    CHECK(tensor_read(tensor, 0, tensor->n_items, values, &err) == 0);
    return values;
}

static inline size_t *golden_ends(const struct golden *golden, const char *name, size_t *n)
{
    int32_t *values = golden_values(golden, name);
    size_t *ends;

    *n = golden_find(golden, name)->n_items;
    ends = memory_zalloc(*n, sizeof *ends);
    for (size_t i = 0; i < *n; i++)
        ends[i] = (size_t)values[i];
    free(values);
    return ends;
}

struct golden_texts {
    struct batch batch;
    uint32_t *ids;
    size_t *ends;
    uint8_t *type_ids;
    size_t n_tokens;
};

static inline struct golden_texts golden_texts(const struct golden *golden, const char *ids,
                                               const char *ends)
{
    struct golden_texts texts = {.ids = golden_values(golden, ids)};
    int32_t *types = golden_values(golden, "type_ids");

    texts.n_tokens = golden_find(golden, ids)->n_items;
    texts.ends = golden_ends(golden, ends, &texts.batch.n_sequences);
    if (types) {
        texts.type_ids = memory_zalloc(texts.n_tokens, 1);
        for (size_t i = 0; i < texts.n_tokens; i++)
            texts.type_ids[i] = (uint8_t)types[i];
    }
    free(types);
    texts.batch.ids = texts.ids;
    texts.batch.ends = texts.ends;
    texts.batch.type_ids = texts.type_ids;
    return texts;
}

static inline void golden_texts_release(struct golden_texts *texts)
{
    free(texts->ids);
    free(texts->ends);
    free(texts->type_ids);
}

static inline bool golden_is_near(const struct golden *golden, const char *model,
                                  const char *name, const float *got)
{
    float *expected = golden_values(golden, name);
    size_t n = golden_find(golden, name)->n_items;
    double worst = 0, largest = 0;

    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)got[i] - (double)expected[i]);

        worst = difference <= worst ? worst : difference; /* NaN is worst */
        largest = fmax(largest, fabs((double)expected[i]));
    }
    free(expected);
    if (worst <= golden_tolerance_of(model) * largest)
        return true;
    printf("# %s: %s differ by %g, the largest is %g\n", model, name, worst, largest);
    return false;
}

/* ---- models ---- */

struct fixture {
    struct model_folder folder;
    struct threads *threads;
    struct notices notices;
    struct model *model;
};

static inline void fixture_load(struct fixture *fixture, const char *name, size_t n_threads)
{
    char *path = memory_format("fixtures/%s", name);
    struct error err = {0};
    enum model_type type = MODEL_DECODER;

    *fixture = (struct fixture){.threads = threads_new(n_threads, &err)};
    CHECK(model_folder_open(&fixture->folder, path, NULL, false, &err) == 0);
    CHECK(architecture_type(&fixture->folder.config, NULL, name, &type, &err) == 0);
    fixture->model = model_load(&fixture->folder, type, fixture->threads, &fixture->notices, &err);
    CHECK(fixture->model != NULL);
    free(path);
}

static inline void fixture_release(struct fixture *fixture)
{
    model_free(fixture->model);
    model_folder_release(&fixture->folder);
    threads_free(fixture->threads);
    notices_release(&fixture->notices);
}

#endif
