#include "adapted_model.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/adapter_path.h"
#include "adapter/expert_fit.h"
#include "adapter/fitter.h"
#include "arch/architecture.h"
#include "arch/families.h"
#include "arch/model_ranks.h"
#include "arch/quantized.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "format/checkpoint_reader.h"
#include "tensor/tensor_source.h"

enum { HEADS_MAX = 16 }; /* more names of heads than are tied to embeddings */

/* ---- what a name is in the base ---- */

size_t fitter_index(const struct fitter *fitter, const struct tensor *tensor)
{
    return tensor ? (size_t)(tensor - fitter->weights->tensors) : SIZE_MAX;
}

/* The tensor of that name, whatever prefix it carries; SIZE_MAX: none. GPT-NeoX's head has another name in
 * files than in the class. */
static size_t find_own(const struct fitter *fitter, const char *name)
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

/* What a tensor of that name is tied to, or NULL. */
static const struct tensor *find_owner(const struct fitter *fitter, const char *name)
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

/* A head that was tied and has become a tensor of its own. */
static size_t find_parted(const struct fitter *fitter, const char *name)
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

/* Likewise; of a tied head, its embedding, whether or not it is stored once more. SIZE_MAX without
 * an error: none. */
static size_t find(const struct fitter *fitter, const char *name)
{
    size_t own = find_own(fitter, name);
    const struct tensor *owner = find_owner(fitter, name);
    int is_copy = 1;

    if (own == SIZE_MAX)
        own = find_parted(fitter, name);
    if (!owner || (own != SIZE_MAX && fitter->is_changed[own]))
        return own;
    if (own != SIZE_MAX)
        is_copy = checkpoint_names_is_copy(&fitter->names, own, fitter->err);
    return is_copy > 0 ? fitter_index(fitter, owner) : own;
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

/* ---- changing tensors ---- */

/* What the tensor holds so far, where it stays. */
const struct tensor *fitter_values(struct fitter *fitter, size_t index)
{
    struct tensor *kept;

    if (!fitter->is_changed[index])
        return &fitter->weights->tensors[index];
    kept = arena_alloc(&fitter->weights->arena, sizeof *kept);
    *kept = fitter->tensors[index];
    return kept;
}

/* The tensor of the base; of a head that has parted from its embedding, that. */
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

/* ---- tensors that are stored whole ---- */

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

static int replace(struct fitter *fitter, size_t index, const struct lora_whole *whole)
{
    const struct tensor *base = &fitter->weights->tensors[index];
    struct tensor made;

    if (!tensor_same_shape(base, whole->tensor))
        return fitter_refuse_whole(fitter, whole, base);
    if (fitter_check_floats(fitter, base) ||
        lora_tensor_add(&made, base, whole->tensor, NULL, 0, &fitter->weights->arena, fitter->err))
        return -1;
    fitter_keep(fitter, index, &made);
    return 0;
}

/* A head that the base ties to its embedding, and which from now on is a tensor of its own. */
static int part_head(struct fitter *fitter, const char *name, const struct tensor *owner,
                     const struct tensor *values)
{
    size_t n = fitter->n_tensors;
    struct tensor made;

    if (lora_tensor_add(&made, owner, values, NULL, 0, &fitter->weights->arena, fitter->err))
        return -1;
    made.name = arena_copy(&fitter->weights->arena, name, strlen(name));
    fitter->tensors[n] = made;
    fitter->is_changed[n] = true;
    fitter->n_tensors++;
    return 0;
}

static int add_head(struct fitter *fitter, const struct lora_whole *whole)
{
    struct buffer plain = {0};
    const struct tied_name *tied;
    const struct tensor *owner = NULL;

    tensor_names_plain(whole->name, &plain);
    tied = tensor_names_find_tied(plain.data);
    if (tied && tied->is_head)
        owner = checkpoint_names_find_owner(&fitter->names, tied);
    buffer_release(&plain);
    if (!owner || !tensor_same_shape(owner, whole->tensor))
        return error_set(fitter->err, ERROR_INCOMPATIBLE, "'%s': tensor '" ERROR_NAME "': '%s' has "
                         "none of that name%s; is the adapter for another model?",
                         fitter->adapter->lora.name, whole->name, fitter->model->name,
                         owner ? " and shape" : "");
    return part_head(fitter, whole->name, owner, whole->tensor);
}

/* Whether the tensor is of a module in modules_to_save, which PEFT has copied: what was tied is tied no
 * longer. 1, 0 or -1. */
static int is_parted(struct fitter *fitter, const struct lora_whole *whole)
{
    struct lora_config *config = &fitter->adapter->lora.config;
    const char *dot = strrchr(whole->name, '.');
    char *module = memory_format("%.*s", dot ? (int)(dot - whole->name) : 0, whole->name);
    int is = lora_config_is_saved(config, module, fitter->err);

    free(module);
    return is > 0 ? !json_bool(config->json, "ensure_weight_tying", false) : is;
}

/* What the adapter stores whole for a tensor of the base, or NULL. */
static const struct lora_whole *find_whole(const struct fitter *fitter, size_t index)
{
    const struct lora_folder *lora = &fitter->adapter->lora;

    for (size_t i = 0; i < lora->n_wholes; i++)
        if (find_own(fitter, lora->wholes[i].name) == index)
            return &lora->wholes[i];
    return NULL;
}

/* 1, 0 or -1, whatever their dtypes. */
static int has_same_values(const struct fitter *fitter, const struct tensor *base,
                           const struct tensor *a, const struct tensor *b)
{
    struct tensor x, y;

    if (!tensor_same_shape(a, b))
        return 0;
    if (lora_tensor_add(&x, base, a, NULL, 0, &fitter->weights->arena, fitter->err) ||
        lora_tensor_add(&y, base, b, NULL, 0, &fitter->weights->arena, fitter->err))
        return -1;
    return tensor_equal(&x, &y, fitter->err);
}

/* A tied head, number `index` if the base stores it once more, that is stored whole because it, or its
 * embedding, has an A and B, or more tokens: it is the embedding once more, which may be stored, too. 1, 0: it
 * is none, or -1. */
static int take_tied(struct fitter *fitter, const struct lora_whole *whole, size_t index)
{
    const struct tensor *owner = find_owner(fitter, whole->name);
    const struct lora_whole *other;
    int is;

    if (!owner || fitter_index(fitter, owner) == index)
        return 0;
    is = index == SIZE_MAX ? 1 : checkpoint_names_is_copy(&fitter->names, index, fitter->err);
    if (is > 0) {
        is = is_parted(fitter, whole);
        is = is < 0 ? -1 : !is;
    }
    if (is <= 0)
        return is;
    other = find_whole(fitter, fitter_index(fitter, owner));
    if (other)
        return has_same_values(fitter, owner, whole->tensor, other->tensor);
    return replace(fitter, fitter_index(fitter, owner), whole) ? -1 : 1;
}

/* Whether it is another tensor of the adapter once more, which always has the same values: 1, 0 or -1. PEFT
 * wants both (T5's embeddings, biases of heads of masked models). */
static int is_copy(const struct fitter *fitter, const struct lora_whole *whole)
{
    const struct lora_folder *lora = &fitter->adapter->lora;
    const struct tied_name *tied = tensor_names_find_tied(whole->name);

    for (size_t i = 0; tied && !tied->is_head && tied->owners[i]; i++) {
        const size_t *at = hash_map_find(&lora->by_whole, tied->owners[i], strlen(tied->owners[i]));

        if (at)
            return tensor_equal(whole->tensor, lora->wholes[*at].tensor, fitter->err);
    }
    return 0;
}

/* 1: something was found for it, or nothing need be; 0, or -1. */
static int take_elsewhere(struct fitter *fitter, const struct lora_whole *whole)
{
    int taken = is_copy(fitter, whole);

    return taken ? taken : expert_fit_whole(fitter, whole);
}

static int take_whole(struct fitter *fitter, const struct lora_whole *whole)
{
    size_t index = find_own(fitter, whole->name);
    int taken = take_tied(fitter, whole, index);

    if (taken == 0 && index == SIZE_MAX)
        taken = take_elsewhere(fitter, whole);
    if (taken)
        return taken < 0 ? -1 : 0;
    return index == SIZE_MAX ? add_head(fitter, whole) : replace(fitter, index, whole);
}

/* Whether the model's class has this head, of which the checkpoint may have no tensor of its own. */
static bool has_head(const struct fitter *fitter, const char *plain)
{
    enum model_type type;
    struct error ignored = {0};

    if (strcmp(plain, "lm_head.weight") != 0)
        return checkpoint_names_has_fellow(&fitter->names, plain);
    return architecture_type(&fitter->model->config, NULL, "", &type, &ignored) == 0 &&
           (type == MODEL_DECODER || type == MODEL_ENCODER_DECODER);
}

/* The head that is tied to an embedding stays what it was when the embedding alone is saved as a module. */
static int leave_head(struct fitter *fitter, const struct tensor *owner,
                      const struct tied_name *tied)
{
    size_t index = find_own(fitter, tied->name);
    struct tensor made;
    int is;

    if (checkpoint_names_find_owner(&fitter->names, tied) != owner)
        return 0;
    if (index == SIZE_MAX)
        return find_parted(fitter, tied->name) == SIZE_MAX && has_head(fitter, tied->name)
                   ? part_head(fitter, tied->name, owner, owner)
                   : 0;
    is = fitter->is_changed[index] ? 0
                                   : checkpoint_names_is_copy(&fitter->names, index, fitter->err);
    if (is <= 0)
        return is;
    if (lora_tensor_add(&made, &fitter->weights->tensors[index], owner, NULL, 0,
                        &fitter->weights->arena, fitter->err))
        return -1;
    fitter_keep(fitter, index, &made);
    return 0;
}

static int leave_heads(struct fitter *fitter, const struct lora_whole *whole)
{
    size_t index = find_own(fitter, whole->name);
    const struct tied_name *tied;
    int is = fitter->is_tied && index != SIZE_MAX ? is_parted(fitter, whole) : 0;

    for (size_t i = 0; is > 0; i++) {
        tied = tensor_names_find_owned(fitter->names.plain[index], i);
        if (!tied)
            return 0;
        if (tied->is_head && leave_head(fitter, &fitter->weights->tensors[index], tied))
            return -1;
    }
    return is;
}

static int take_wholes(struct fitter *fitter)
{
    const struct lora_folder *lora = &fitter->adapter->lora;

    for (size_t i = 0; i < lora->n_wholes; i++)
        if (take_whole(fitter, &lora->wholes[i]))
            return -1;
    for (size_t i = 0; i < lora->n_wholes; i++)
        if (leave_heads(fitter, &lora->wholes[i]))
            return -1;
    return expert_fit_join(fitter);
}

/* ---- A and B ---- */

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

static int add_bias(struct fitter *fitter, const struct lora_module *module)
{
    char *name = memory_format("%s.bias", module->name);
    size_t index = find_own(fitter, name);
    const struct tensor *base;
    struct tensor made;

    if (index == SIZE_MAX)
        index = fitter_index(fitter, find_owner(fitter, name));
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

const struct model_layout *fitter_layout(struct fitter *fitter)
{
    return known_layout_find(&fitter->known, fitter->model, &fitter->names);
}

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

/* ---- what the adapter lacks ---- */

/* The name with "#" for each number between dots, in the arena. */
static const char *without_numbers(const char *name, size_t length, struct arena *arena)
{
    char *text = arena_copy(arena, name, length), *to = text;

    for (const char *from = name; from < name + length;) {
        size_t n = strspn(from, "0123456789");
        bool is_number = n > 0 && from != name && from[-1] == '.' &&
                         (from[n] == '.' || from + n == name + length);

        if (is_number) {
            *to++ = '#';
            from += n;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return text;
}

/* Its module, where the tensor is the weight of one that has a fellow in another layer. */
static char *fellow_module(const struct tensor *tensor, const struct hash_map *patterns,
                           struct arena *arena)
{
    size_t n = strlen(tensor->name), m = strlen(".weight");
    const char *pattern;

    if (tensor->n_dims != 2 || n <= m || strcmp(tensor->name + n - m, ".weight") != 0)
        return NULL;
    pattern = without_numbers(tensor->name, n - m, arena);
    return hash_map_find(patterns, pattern, strlen(pattern))
               ? memory_format("%.*s", (int)(n - m), tensor->name)
               : NULL;
}

int fitter_refuse_incomplete(const struct fitter *fitter, const char *module, const char *setting)
{
    return error_set(fitter->err, ERROR_FORMAT, "'%s': module '" ERROR_NAME "': is one of %s, and "
                     "the file has nothing for it; is it complete?", fitter->adapter->lora.name,
                     module, setting);
}

/* A parameter that has a fellow in another layer: 1, when it is one that the adapter says it changes, 0,
 * or -1. */
static int is_target_parameter(struct fitter *fitter, const char *name,
                               const struct hash_map *patterns, struct arena *arena)
{
    const char *pattern = without_numbers(name, strlen(name), arena), *dot = strrchr(name, '.');
    const char **names;
    size_t n = 0;
    char *module;

    if (!dot || !hash_map_find(patterns, pattern, strlen(pattern)))
        return 0;
    module = arena_copy(arena, name, (size_t)(dot - name));
    if (lora_config_parameters(&fitter->adapter->lora.config, module, true, &names, &n, arena,
                               fitter->err))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], dot + 1) == 0)
            return 1;
    return 0;
}

/* That the file does not lack the tensor: it has others like it, in other layers. */
static int check_there(struct fitter *fitter, const struct tensor *tensor,
                       const struct hash_map *patterns, struct arena *arena)
{
    struct lora_config *config = &fitter->adapter->lora.config;
    char *module = config->targets_all ? NULL : fellow_module(tensor, patterns, arena);
    int is = module ? lora_config_is_target(config, module, fitter->err) : 0;

    if (is > 0)
        fitter_refuse_incomplete(fitter, module, "target_modules");
    free(module);
    if (is == 0)
        is = is_target_parameter(fitter, tensor->name, patterns, arena);
    if (is > 0 && !fitter->err->code)
        fitter_refuse_incomplete(fitter, tensor->name, "target_parameters");
    return is ? -1 : 0;
}

/* A target that the file has in other layers and lacks in one: it is not all there. */
static int check_complete(struct fitter *fitter)
{
    const struct lora_folder *lora = &fitter->adapter->lora;
    struct hash_map patterns = {0};
    struct arena arena = {0};
    int rc = 0;

    for (size_t i = 0; i < lora->n_modules; i++) {
        const struct lora_module *module = &lora->modules[i];
        char *name = module->parameter ? memory_format("%s.%s", module->name, module->parameter)
                                       : memory_copy(module->name);
        const char *pattern = without_numbers(name, strlen(name), &arena);

        hash_map_add(&patterns, pattern, strlen(pattern), 0);
        free(name);
    }
    for (size_t i = 0; rc == 0 && i < fitter->weights->n_tensors; i++)
        if (!fitter->is_changed[i])
            rc = check_there(fitter, &fitter->weights->tensors[i], &patterns, &arena);
    hash_map_release(&patterns);
    arena_release(&arena);
    return rc;
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

    if (take_wholes(fitter))
        return -1;
    for (size_t i = 0; i < lora->n_modules; i++)
        if (add_module(fitter, i))
            return -1;
    if (expert_fit_finish(fitter) || check_complete(fitter) || follow_embedding(fitter) || drop_equal_heads(fitter))
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
