#include "adapted_model.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/adapter_path.h"
#include "adapter/complete_fit.h"
#include "adapter/expert_fit.h"
#include "adapter/fitter.h"
#include "adapter/whole_fit.h"
#include "arch/model_ranks.h"
#include "arch/quantized.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "format/checkpoint_reader.h"
#include "tensor/tensor_source.h"

enum { HEADS_MAX = 16 }; /* more names of heads than are tied to embeddings */

/* ---- A and B ---- */

/* As fitter_find_own; of a tied head, its embedding, whether or not it is stored once more. SIZE_MAX without
 * an error: none. */
static size_t find(const struct fitter *fitter, const char *name)
{
    size_t own = fitter_find_own(fitter, name);
    const struct tensor *owner = fitter_find_owner(fitter, name);
    int is_copy = 1;

    if (own == SIZE_MAX)
        own = fitter_find_parted(fitter, name);
    if (!owner || (own != SIZE_MAX && fitter->is_changed[own]))
        return own;
    if (own != SIZE_MAX)
        is_copy = checkpoint_names_is_copy(&fitter->names, own, fitter->err);
    return is_copy > 0 ? fitter_index(fitter, owner) : own;
}

static int add_bias(struct fitter *fitter, const struct lora_module *module)
{
    char *name = memory_format("%s.bias", module->name);
    size_t index = fitter_find_own(fitter, name);
    const struct tensor *base;
    struct tensor made;

    if (index == SIZE_MAX)
        index = fitter_index(fitter, fitter_find_owner(fitter, name));
    free(name);
    if (index == SIZE_MAX)
        return fitter_refuse_module(fitter, module, "has no bias, to which lora_B.bias would be added");
    base = &fitter->weights->tensors[index];
    if (base->n_items != module->bias->n_items)
        return fitter_refuse_module(fitter, module, "has a bias of another length");
    if (fitter_check_floats(fitter, base) ||
        lora_tensor_add(&made, base, fitter_values(fitter, index), module->bias, module->scale,
                        &fitter->weights->arena, fitter->err))
        return -1;
    fitter_keep(fitter, index, &made);
    return 0;
}

/* ---- modules ---- */

static int add_module(struct fitter *fitter, size_t number)
{
    const struct lora_folder *lora = &fitter->adapter->lora;
    const struct lora_module *module = &lora->modules[number];
    struct lora_change change = {fitter->adapter->store, lora, number, false, 0, 0};
    char *name = memory_format("%s.%s", module->name,
                               module->parameter ? module->parameter : "weight");
    size_t index = find(fitter, name);
    int is_elsewhere;

    free(name);
    if (fitter->err->code)
        return -1;
    is_elsewhere = index == SIZE_MAX ? expert_fit_module(fitter, &change) : 0;
    if (is_elsewhere)
        return is_elsewhere < 0 ? -1 : 0;
    if (index == SIZE_MAX)
        return fitter_refuse_module(fitter, module, "has no weight of that name");
    if (fitter_choose_way(fitter, module, index, &change.is_turned) ||
        fitter_add(fitter, index, &change))
        return -1;
    return module->bias ? add_bias(fitter, module) : 0;
}

/* A tied head that is stored, too, goes with its embedding. */
static int follow_embedding(struct fitter *fitter)
{
    for (size_t i = 0; i < fitter->weights->n_tensors; i++) {
        const struct tied_name *tied = tensor_names_find_tied(fitter->names.plain[i]);
        const struct tensor *owner;
        int is_copy;

        if (!tied || fitter->is_changed[i] || (tied->is_head && !fitter->is_tied))
            continue;
        owner = checkpoint_names_find_owner(&fitter->names, tied);
        if (!owner || !fitter->is_changed[fitter_index(fitter, owner)])
            continue;
        is_copy = checkpoint_names_is_copy(&fitter->names, i, fitter->err);
        if (is_copy < 0)
            return -1;
        if (is_copy) {
            fitter_keep(fitter, i, &fitter->tensors[fitter_index(fitter, owner)]);
            fitter->tensors[i].name = fitter->weights->tensors[i].name;
        }
    }
    return 0;
}

/* A head that was stored whole and is the embedding once more stays tied: PEFT stores it apart from an
 * embedding that it trained. */
static int drop_equal_heads(struct fitter *fitter)
{
    size_t n = fitter->weights->n_tensors;

    for (size_t i = n; i < fitter->n_tensors; i++) {
        struct buffer plain = {0};
        const struct tensor *owner;
        int is_equal;

        tensor_names_plain(fitter->tensors[i].name, &plain);
        owner = checkpoint_names_find_owner(&fitter->names, tensor_names_find_tied(plain.data));
        buffer_release(&plain);
        is_equal = tensor_equal(&fitter->tensors[i], &fitter->tensors[fitter_index(fitter, owner)],
                                fitter->err);
        if (is_equal < 0)
            return -1;
        if (!is_equal)
            fitter->tensors[n++] = fitter->tensors[i];
    }
    fitter->n_tensors = n;
    return 0;
}

/* ---- all of it ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

/* A name of a base alone proves nothing: models are renamed, and fetched to folders. */
static void compare_base(const struct fitter *fitter, struct notices *notices)
{
    const char *said = fitter->adapter->lora.config.base_model;
    char *label = model_folder_label(fitter->model);

    if (said && *said && strcmp(last_part(said), last_part(label)) != 0)
        notices_add(notices, "'%s': was made for '" ERROR_NAME "', and is added to '%s', which it "
                    "fits", fitter->adapter->lora.name, said, fitter->model->name);
    free(label);
}

static int fit(struct fitter *fitter, struct notices *notices)
{
    const struct lora_folder *lora = &fitter->adapter->lora;

    if (whole_fit(fitter))
        return -1;
    for (size_t i = 0; i < lora->n_modules; i++)
        if (add_module(fitter, i))
            return -1;
    if (expert_fit_finish(fitter) || complete_fit(fitter, notices) || follow_embedding(fitter) ||
        drop_equal_heads(fitter))
        return -1;
    compare_base(fitter, notices);
    return 0;
}

static int fit_all(struct model_folder *model, struct adapter *adapter, struct notices *notices,
                   struct error *err)
{
    struct fitter fitter = {.model = model, .adapter = adapter, .err = err};
    size_t n;
    int rc;

    fitter.weights = model_folder_own(model, model_folder_weights(model, notices, err));
    if (!fitter.weights || quantized_check(model, err))
        return -1;
    n = fitter.weights->n_tensors;
    checkpoint_names_init(&fitter.names, fitter.weights);
    fitter.is_tied = model_folder_is_tied(model);
    fitter.n_tensors = n;
    n += adapter->lora.n_wholes + HEADS_MAX;
    fitter.tensors = memory_zalloc(n + 1, sizeof *fitter.tensors);
    fitter.is_changed = memory_zalloc(n + 1, sizeof *fitter.is_changed);
    memcpy(fitter.tensors, fitter.weights->tensors,
           fitter.n_tensors * sizeof *fitter.tensors);
    rc = fit(&fitter, notices);
    known_layout_release(&fitter.known);
    expert_fit_release(&fitter);
    checkpoint_names_release(&fitter.names);
    free(fitter.is_changed);
    if (rc)
        free(fitter.tensors);
    else
        rc = checkpoint_replace_tensors(fitter.weights, fitter.tensors, fitter.n_tensors, err);
    return rc;
}

static void release(struct model_addition *addition)
{
    struct adapter *adapter = (struct adapter *)addition;

    lora_store_free(adapter->store);
    lora_folder_release(&adapter->lora);
    free(adapter->addition.label);
    free(adapter);
}

/* Whoever wrote ADAPTER+MODEL. */
static int check_order(const struct model_folder *model, struct error *err)
{
    if (model->has_config || model->file ||
        folder_look(model->folder, "adapter_config.json") == FOLDER_ABSENT)
        return 0;
    return error_set(err, ERROR_FORMAT, "'%s': is an adapter, which stands behind the '+', after its "
                     "base", model->name);
}

/* Whether all ranks have this adapter. */
static int compare_ranks(const struct lora_folder *lora, struct error *err)
{
    char *settings;
    int rc;

    if (ranks_count() == 1)
        return 0;
    settings = cJSON_PrintUnformatted(lora->config.json);
    if (!settings)
        memory_exhausted();
    rc = model_ranks_compare_weights("digest of the adapter's headers", lora->checkpoint, settings,
                                     strlen(settings), err);
    cJSON_free(settings);
    return rc;
}

int adapted_model_add(struct model_folder *model, const char *path, const char *name,
                      bool follow_symlinks, struct notices *notices, struct error *err)
{
    struct adapter *adapter = memory_zalloc(1, sizeof *adapter);

    if (lora_folder_open(&adapter->lora, path, name, follow_symlinks, notices, err)) {
        free(adapter);
        return -1;
    }
    adapter->addition = (struct model_addition){.release = release, .next = model->additions,
                                                .label = memory_copy(last_part(name))};
    adapter->store = lora_store_new(&adapter->lora);
    if (compare_ranks(&adapter->lora, err) || fit_all(model, adapter, notices, err)) {
        release(&adapter->addition);
        return -1;
    }
    model->additions = &adapter->addition;
    return 0;
}

static int open_base(struct model_folder *model, struct model_folder *base, const char *path,
                     const char *name, bool follow_symlinks, struct error *err)
{
    return base ? model_folder_reopen(model, base, name ? name : path, err)
                : model_folder_open(model, path, name, follow_symlinks, err);
}

int adapted_model_open_on(struct model_folder *model, struct model_folder *base, const char *path,
                          const char *name, bool follow_symlinks, struct notices *notices,
                          struct error *err)
{
    char *parts[2], *shown[2] = {NULL, NULL};
    int rc;

    if (!adapter_path_split(path, &parts[0], &parts[1]))
        return open_base(model, base, path, name, follow_symlinks, err);
    if (!name || !adapter_path_split(name, &shown[0], &shown[1])) {
        shown[0] = memory_copy(parts[0]);
        shown[1] = memory_copy(parts[1]);
    }
    rc = open_base(model, base, parts[0], shown[0], follow_symlinks, err);
    if (rc == 0) {
        rc = check_order(model, err);
        if (rc == 0)
            rc = adapted_model_add(model, parts[1], shown[1], follow_symlinks, notices, err);
        free(model->name);
        model->name = memory_copy(name ? name : path);
        if (rc)
            model_folder_release(model);
    }
    for (size_t i = 0; i < 2; i++) {
        free(parts[i]);
        free(shown[i]);
    }
    return rc;
}

int adapted_model_open(struct model_folder *model, const char *path, const char *name,
                       bool follow_symlinks, struct notices *notices, struct error *err)
{
    return adapted_model_open_on(model, NULL, path, name, follow_symlinks, notices, err);
}

const struct lora_folder *adapted_model_adapter(const struct model_folder *model)
{
    const struct model_addition *addition = model->additions;

    return addition && addition->release == release && !addition->next
               ? &((const struct adapter *)addition)->lora
               : NULL;
}
