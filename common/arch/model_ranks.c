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

int model_ranks_compare_weights(const char *what, const struct checkpoint *weights,
                                const void *settings, size_t n, struct error *err)
{
    char hex[DIGEST_HEX_MAX];
    struct digest digest;

    if (ranks_count() == 1)
        return 0;
    digest_init(&digest, DIGEST_SHA256);
    digest_add(&digest, settings, n);
    for (size_t i = 0; i < weights->n_files; i++)
        digest_add(&digest, &weights->files[i].file->size_bytes, sizeof(size_t));
    for (size_t i = 0; i < weights->n_tensors; i++)
        add_tensor(&digest, &weights->tensors[i]);
    digest_hex(&digest, hex);
    hex[16] = '\0';
    return ranks_compare(what, hex, err);
}

int model_ranks_compare(struct model_folder *model, struct notices *notices, struct error *err)
{
    const struct checkpoint *weights;
    struct buffer settings = {0};
    int rc;

    if (ranks_count() == 1)
        return 0;
    weights = model_folder_weights(model, notices, err);
    if (!weights)
        return -1;
    buffer_add(&settings, model->config.text, model->config.size);
    if (model->sentence.pooling)
        buffer_add_text(&settings, model->sentence.pooling);
    rc = model_ranks_compare_weights("digest of the model's headers", weights, settings.data,
                                     settings.size, err);
    buffer_release(&settings);
    return rc;
}
