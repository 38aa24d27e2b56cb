#include "llama_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/checkpoint_names.h"
#include "arch/layout_check.h"
#include "arch/llama_params.h"
#include "arch/model_spec.h"
#include "base/model_files.h"

/* With one of the last files absent, all matrices are too small. */
static int check_ranks(const struct checkpoint *checkpoint, const struct config *config,
                       const char *where, struct error *err)
{
    static const char name[] = "layers.0.attention.wq.weight";
    static const char *const heads[] = {"n_heads", NULL}, *const dims[] = {"dim", NULL},
                      *const head_dims[] = {"head_dim", NULL};
    const struct tensor *q = checkpoint_find(checkpoint, name);
    double n_heads = config_number(config, heads);
    double dim = config_number(config, dims);
    double head_dim = config_number(config, head_dims);
    double n_rows = head_dim > 0 ? n_heads * head_dim : dim;
    char *path;

    if (!q || q->n_dims != 2 || q->shape[0] == 0 || !(n_rows > (double)q->shape[0]) ||
        fmod(n_rows, (double)q->shape[0]) != 0)
        return 0;
    path = model_files_numbered(checkpoint->files[0].name, (unsigned)checkpoint->n_files);
    error_set(err, ERROR_FORMAT, "'%s/%s' is missing: by params.json tensor '%s' has %.0f "
              "rows, of which the files before it hold %zu", where, path, name, n_rows,
              q->shape[0]);
    free(path);
    return -1;
}

/* What was put together by names must be what params.json says. */
static int check_joined(const struct checkpoint *checkpoint, const struct config *config,
                        const char *where, struct error *err)
{
    struct error failure = {0};
    struct checkpoint_names names;
    struct model_layout layout;
    struct model_spec spec;
    int rc;

    if (model_spec_load(&spec, config, MODEL_DECODER, where, &failure))
        return 0; /* whoever runs it says so */
    checkpoint_names_init(&names, checkpoint);
    layout_make(&layout, &spec, MODEL_DECODER, &names);
    rc = layout_check(&layout, &failure);
    if (rc)
        error_set(err, ERROR_UNSUPPORTED, "'%s': the slices in '%s' and the files after it do not "
                  "make what params.json says: %s", where, checkpoint->files[0].name, failure.text);
    layout_release(&layout);
    checkpoint_names_release(&names);
    model_spec_release(&spec);
    return rc;
}

static bool is_numbered(const struct checkpoint *checkpoint)
{
    const char *name = checkpoint->files[0].name, *slash = strrchr(name, '/');

    return model_files_number(slash ? slash + 1 : name) == 0;
}

int llama_files_check(const struct checkpoint *checkpoint, const struct config *config,
                      const char *where, struct error *err)
{
    if (!config->is_consolidated || !is_numbered(checkpoint))
        return 0;
    return check_ranks(checkpoint, config, where, err) ||
                   (checkpoint->is_joined && check_joined(checkpoint, config, where, err))
               ? -1
               : 0;
}

bool llama_files_lack_vocab_size(const struct config *config)
{
    const cJSON *member = json_find(config->json, "vocab_size");

    return config->is_consolidated && llama_params_is(config->json) && cJSON_IsNumber(member) &&
           member->valuedouble == -1;
}

void llama_files_read_vocab_size(const struct checkpoint *checkpoint, struct config *config)
{
    static const char *const names[] = {"tok_embeddings.weight", "output.weight"};

    for (size_t i = 0; i < 2 && llama_files_lack_vocab_size(config); i++) {
        const struct tensor *tensor = checkpoint_find(checkpoint, names[i]);

        if (tensor && tensor->n_dims == 2)
            cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(config->json, "vocab_size"),
                                 (double)tensor->shape[0]);
    }
}
