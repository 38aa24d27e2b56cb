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

int model_ranks_compare(struct model_folder *model, struct notices *notices, struct error *err)
{
    const struct checkpoint *checkpoint;
    char hex[DIGEST_HEX_MAX];
    struct digest digest;

    if (ranks_count() == 1)
        return 0;
    checkpoint = model_folder_weights(model, notices, err);
    if (!checkpoint)
        return -1;
    digest_init(&digest, DIGEST_SHA256);
    digest_add(&digest, model->config.text, model->config.size);
    for (size_t i = 0; i < checkpoint->n_files; i++)
        digest_add(&digest, &checkpoint->files[i].file->size_bytes, sizeof(size_t));
    for (size_t i = 0; i < checkpoint->n_tensors; i++)
        add_tensor(&digest, &checkpoint->tensors[i]);
    digest_hex(&digest, hex);
    hex[16] = '\0';
    return ranks_compare("digest of the model's headers", hex, err);
}
