#include "fitter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/architecture.h"
#include "arch/families.h"

/* ---- what a name is in the base ---- */

size_t fitter_index(const struct fitter *fitter, const struct tensor *tensor)
{
    return tensor ? (size_t)(tensor - fitter->weights->tensors) : SIZE_MAX;
}

/* GPT-NeoX's head has another name in files than in the class. */
size_t fitter_find_own(const struct fitter *fitter, const char *name)
{
    const struct tensor *tensor = checkpoint_find(fitter->weights, name);
    struct buffer plain = {0};

    if (!tensor && strcmp(name, "lm_head.weight") == 0)
        tensor = checkpoint_find(fitter->weights, "embed_out.weight");

    if (!tensor) {
        tensor_names_plain(name, &plain);
        tensor = checkpoint_names_find_plain(&fitter->names, plain.data);
        buffer_release(&plain);
    }
    return fitter_index(fitter, tensor);
}

const struct tensor *fitter_find_owner(const struct fitter *fitter, const char *name)
{
    struct buffer plain = {0};
    const struct tied_name *tied;

    tensor_names_plain(name, &plain);
    tied = tensor_names_find_tied(plain.data);
    buffer_release(&plain);
    return tied && (fitter->is_tied || !tied->is_head)
               ? checkpoint_names_find_owner(&fitter->names, tied)
               : NULL;
}

size_t fitter_find_parted(const struct fitter *fitter, const char *name)
{
    size_t n = fitter->weights->n_tensors, found = SIZE_MAX;
    struct buffer plain = {0}, other = {0};

    tensor_names_plain(name, &plain);
    for (size_t i = n; i < fitter->n_tensors && found == SIZE_MAX; i++) {
        tensor_names_plain(fitter->tensors[i].name, &other);
        if (strcmp(plain.data, other.data) == 0)
            found = i;
    }
    buffer_release(&plain);
    buffer_release(&other);
    return found;
}

/* ---- messages ---- */

int fitter_refuse_module(const struct fitter *fitter, const struct lora_module *module,
                         const char *what)
{
    return error_set(fitter->err, ERROR_INCOMPATIBLE, "'%s': module '" ERROR_NAME "%s%s': '%s' %s; "
                     "is the adapter for another model?", fitter->adapter->lora.name, module->name,
                     module->parameter ? "." : "", module->parameter ? module->parameter : "",
                     fitter->model->name, what);
}

int fitter_refuse_shape(const struct fitter *fitter, const char *name, const struct tensor *base,
                        size_t n_out, size_t n_in)
{
    struct buffer shape = {0};

    tensor_add_shape(&shape, base);
    error_set(fitter->err, ERROR_INCOMPATIBLE, "'%s': module '" ERROR_NAME "': B A is [%zu, %zu], in "
              "'%s' its weight is %s; is the adapter for another model?", fitter->adapter->lora.name,
              name, n_out, n_in, fitter->model->name, shape.data);
    buffer_release(&shape);
    return -1;
}

int fitter_refuse_whole(const struct fitter *fitter, const struct lora_whole *whole,
                        const struct tensor *base)
{
    struct buffer shape = {0};

    tensor_add_shape(&shape, whole->tensor);
    buffer_format(&shape, ", in '%s' it is ", fitter->model->name);
    tensor_add_shape(&shape, base);
    error_set(fitter->err, ERROR_INCOMPATIBLE, "'%s': tensor '" ERROR_NAME "' is %s; is the "
              "adapter for another model, or one with more tokens?",
              fitter->adapter->lora.name, whole->name, shape.data);
    buffer_release(&shape);
    return -1;
}

int fitter_refuse_incomplete(const struct fitter *fitter, const char *module, const char *setting)
{
    return error_set(fitter->err, ERROR_FORMAT, "'%s': module '" ERROR_NAME "': is one of %s, and "
                     "the file has nothing for it; is it complete?", fitter->adapter->lora.name,
                     module, setting);
}

/* ---- changing tensors ---- */

const struct tensor *fitter_values(struct fitter *fitter, size_t index)
{
    struct tensor *kept;

    if (!fitter->is_changed[index])
        return &fitter->weights->tensors[index];
    kept = arena_alloc(&fitter->weights->arena, sizeof *kept);
    *kept = fitter->tensors[index];
    return kept;
}

/* Of a head that has parted from its embedding, that. */
const struct tensor *fitter_base(struct fitter *fitter, size_t index)
{
    return index < fitter->weights->n_tensors ? &fitter->weights->tensors[index]
                                              : fitter_values(fitter, index);
}

int fitter_check_floats(const struct fitter *fitter, const struct tensor *base)
{
    if (dtype_info(base->dtype)->kind == DTYPE_FLOAT && dtype_info(base->dtype)->n_bits >= 8)
        return 0;
    return error_set(fitter->err, ERROR_UNSUPPORTED, "'%s': tensor '" ERROR_NAME "': an adapter "
                     "cannot be added to %s", fitter->model->name, base->name,
                     dtype_info(base->dtype)->name);
}

void fitter_keep(struct fitter *fitter, size_t index, const struct tensor *made)
{
    fitter->tensors[index] = *made;
    fitter->is_changed[index] = true;
}

int fitter_add(struct fitter *fitter, size_t index, const struct lora_change *change)
{
    const struct tensor *base = fitter_base(fitter, index);
    struct tensor made;

    if (fitter_check_floats(fitter, base) ||
        lora_tensor_make(&made, base, fitter_values(fitter, index), change, &fitter->weights->arena,
                         fitter->err))
        return -1;
    fitter_keep(fitter, index, &made);
    return 0;
}

/* ---- ways of weights ---- */

static bool is_head(const struct fitter *fitter, size_t index)
{
    return index >= fitter->weights->n_tensors ||
           tensor_names_is_encoder_head(fitter->names.plain[index]) ||
           strcmp(fitter->names.plain[index], "lm_head.weight") == 0;
}

/* Whether a module's inputs are the rows of its weight: as the family has it, else as the adapter
 * says; of experts, gpt-oss alone. */
static bool prefers_turned(const struct fitter *fitter, const struct lora_module *module,
                           size_t index)
{
    const struct config *config = &fitter->model->config;
    const struct family *family = fitter->model->has_config ? architecture_family(config) : NULL;

    if (module->parameter)
        return fitter->model->has_config && config->model_type &&
               strcmp(config->model_type, "gpt_oss") == 0;
    if (family)
        return family->is_conv1d && !is_head(fitter, index);
    return fitter->adapter->lora.config.fan_in_fan_out;
}

int fitter_choose_way(struct fitter *fitter, const struct lora_module *module, size_t index,
                      bool *is_turned)
{
    const struct tensor *base = fitter_base(fitter, index);
    size_t n_in = module->a->shape[1], n_out = module->b->shape[0], n = base->n_dims;
    bool fits_turned, fits;

    fits = n >= 2 && base->shape[n - 2] == n_out && base->shape[n - 1] == n_in;
    fits_turned = n >= 2 && base->shape[n - 2] == n_in && base->shape[n - 1] == n_out;
    if (n != (module->n_experts > 1 || (module->parameter && n == 3) ? 3 : 2) ||
        (n == 3 && base->shape[0] != module->n_experts) || (module->is_embedding && !fits_turned) ||
        (!fits && !fits_turned))
        return fitter_refuse_shape(fitter, module->name, base, n_out, n_in);
    *is_turned = fits_turned && (!fits || module->is_embedding ||
                                 prefers_turned(fitter, module, index));
    return 0;
}

/* ---- the family ---- */

const struct model_layout *fitter_layout(struct fitter *fitter)
{
    return known_layout_find(&fitter->known, fitter->model, &fitter->names);
}
