#include "whole_fit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/expert_fit.h"
#include "arch/architecture.h"
#include "base/memory.h"

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

/* What the base ties to its embedding, a head or a stack's own table, and which from now on is a tensor of its
 * own. */
static int part(struct fitter *fitter, const char *name, const struct tensor *owner,
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

static int add_tied(struct fitter *fitter, const struct lora_whole *whole)
{
    struct buffer plain = {0};
    const struct tied_name *tied;
    const struct tensor *owner = NULL;

    tensor_names_plain(whole->name, &plain);
    tied = tensor_names_find_tied(plain.data);
    if (tied)
        owner = checkpoint_names_find_owner(&fitter->names, tied);
    buffer_release(&plain);
    if (!owner || !tensor_same_shape(owner, whole->tensor))
        return error_set(fitter->err, ERROR_INCOMPATIBLE, "'%s': tensor '" ERROR_NAME "': '%s' has "
                         "none of that name%s; is the adapter for another model?",
                         fitter->adapter->lora.name, whole->name, fitter->model->name,
                         owner ? " and shape" : "");
    return part(fitter, whole->name, owner, whole->tensor);
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
        if (fitter_find_own(fitter, lora->wholes[i].name) == index)
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
    const struct tensor *owner = fitter_find_owner(fitter, whole->name);
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
    size_t index = fitter_find_own(fitter, whole->name);
    int taken = take_tied(fitter, whole, index);

    if (taken == 0 && index == SIZE_MAX)
        taken = take_elsewhere(fitter, whole);
    if (taken)
        return taken < 0 ? -1 : 0;
    return index == SIZE_MAX ? add_tied(fitter, whole) : replace(fitter, index, whole);
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
    size_t index = fitter_find_own(fitter, tied->name);
    struct tensor made;
    int is;

    if (checkpoint_names_find_owner(&fitter->names, tied) != owner)
        return 0;
    if (index == SIZE_MAX)
        return fitter_find_parted(fitter, tied->name) == SIZE_MAX && has_head(fitter, tied->name)
                   ? part(fitter, tied->name, owner, owner)
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
    size_t index = fitter_find_own(fitter, whole->name);
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

int whole_fit(struct fitter *fitter)
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
