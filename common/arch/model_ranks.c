#include "model_ranks.h"

#include <string.h>

#include "base/digest.h"
#include "base/ranks.h"

static void add_tensor(struct digest *digest, const struct tensor *tensor)
{
    digest_add(digest, tensor->name, strlen(tensor->name) + 1);
    digest_add(digest, &tensor->dtype, sizeof tensor->dtype);
    digest_add(digest, tensor->shape, tensor->n_dims * sizeof *tensor->shape);
    digest_add(digest, &tensor->offset, sizeof tensor->offset);
}

static void add_weights(struct digest *digest, const struct checkpoint *weights)
{
    for (size_t i = 0; i < weights->n_files; i++)
        digest_add(digest, &weights->files[i].file->size_bytes, sizeof(size_t));
    for (size_t i = 0; i < weights->n_tensors; i++)
        add_tensor(digest, &weights->tensors[i]);
}

static int compare(const char *what, struct digest *digest, struct error *err)
{
    char hex[DIGEST_HEX_MAX];

    digest_hex(digest, hex);
    hex[16] = '\0';
    return ranks_compare(what, hex, err);
}

int model_ranks_compare_weights(const char *what, const struct checkpoint *weights,
                                const void *settings, size_t n, struct error *err)
{
    struct digest digest;

    if (ranks_count() == 1)
        return 0;
    digest_init(&digest, DIGEST_SHA256);
    digest_add(&digest, settings, n);
    add_weights(&digest, weights);
    return compare(what, &digest, err);
}

/* What is wrong with a module is said when it is loaded. */
static void add_module(struct digest *digest, struct model_folder *model,
                       const struct sentence_module *module, struct notices *notices)
{
    const struct checkpoint *weights = NULL;
    struct sentence_dense dense;
    struct error ignored = {0};

    digest_add(digest, module->path, strlen(module->path) + 1);
    digest_add(digest, module->kind, strlen(module->kind) + 1);
    if (strcmp(module->kind, "Dense") != 0)
        return;
    if (sentence_dense_load(&dense, model->folder, module->path, &ignored) == 0) {
        digest_add(digest, &dense.activation, sizeof dense.activation);
        weights = model_folder_checkpoint(model, module->path, NULL, notices, &ignored);
    }
    if (weights)
        add_weights(digest, weights);
}

int model_ranks_compare(struct model_folder *model, struct notices *notices, struct error *err)
{
    const struct sentence_folder *sentence = &model->sentence;
    const struct checkpoint *weights;
    struct digest digest;

    if (ranks_count() == 1)
        return 0;
    weights = model_folder_weights(model, notices, err);
    if (!weights)
        return -1;
    digest_init(&digest, DIGEST_SHA256);
    digest_add(&digest, model->config.text, model->config.size);
    if (sentence->pooling)
        digest_add(&digest, sentence->pooling, strlen(sentence->pooling));
    add_weights(&digest, weights);
    for (size_t i = 0; i < sentence->n_modules; i++)
        add_module(&digest, model, &sentence->modules[i], notices);
    return compare("digest of the model's headers", &digest, err);
}
