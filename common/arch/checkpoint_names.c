#include "checkpoint_names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const size_t ambiguous = SIZE_MAX; /* two tensors share this plain name */

void checkpoint_names_init(struct checkpoint_names *names, const struct checkpoint *checkpoint)
{
    struct buffer plain = {0};

    *names = (struct checkpoint_names){.checkpoint = checkpoint};
    names->plain = memory_zalloc(checkpoint->n_tensors, sizeof *names->plain);
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        tensor_names_plain(checkpoint->tensors[i].name, &plain);
        names->plain[i] = arena_copy(&names->arena, plain.data, plain.size);
        if (hash_map_add(&names->by_plain, names->plain[i], plain.size, i) != i)
            *hash_map_find(&names->by_plain, names->plain[i], plain.size) = ambiguous;
    }
    buffer_release(&plain);
}

void checkpoint_names_release(struct checkpoint_names *names)
{
    free(names->plain);
    hash_map_release(&names->by_plain);
    arena_release(&names->arena);
    *names = (struct checkpoint_names){0};
}

const struct tensor *checkpoint_names_find_plain(const struct checkpoint_names *names,
                                                 const char *plain)
{
    const size_t *index = hash_map_find(&names->by_plain, plain, strlen(plain));

    return index && *index != ambiguous ? &names->checkpoint->tensors[*index] : NULL;
}

const struct tensor *checkpoint_names_match(const struct checkpoint_names *names, size_t index,
                                            const struct checkpoint_names *other)
{
    const char *plain = names->plain[index];
    const struct tensor *tensor =
        checkpoint_find(other->checkpoint, names->checkpoint->tensors[index].name);

    if (tensor || !checkpoint_names_find_plain(names, plain))
        return tensor;
    return checkpoint_names_find_plain(other, plain);
}

const struct tensor *checkpoint_names_find_owner(const struct checkpoint_names *names,
                                                 const struct tied_name *tied)
{
    for (size_t i = 0; tied->owners[i]; i++) {
        const struct tensor *owner = checkpoint_names_find_plain(names, tied->owners[i]);

        if (owner)
            return owner;
    }
    return NULL;
}

const struct tensor *checkpoint_names_find_alias(const struct checkpoint_names *names,
                                                 const char *plain, bool is_tied)
{
    const struct tied_name *tied = tensor_names_find_tied(plain), *owned;
    const struct tensor *alias = tied ? checkpoint_names_find_owner(names, tied) : NULL;

    for (size_t i = 0; !alias && (owned = tensor_names_find_owned(plain, i)); i++)
        if (is_tied || !owned->is_head)
            alias = checkpoint_names_find_plain(names, owned->name);
    return alias;
}

int checkpoint_names_is_copy(const struct checkpoint_names *names, size_t index, struct error *err)
{
    const struct tensor *tensor = &names->checkpoint->tensors[index];
    const struct tied_name *tied = tensor_names_find_tied(names->plain[index]);
    const struct tensor *owner = tied ? checkpoint_names_find_owner(names, tied) : NULL;

    if (!owner || owner == tensor)
        return 0;
    return tensor_equal(tensor, owner, err);
}

bool checkpoint_names_has_fellow(const struct checkpoint_names *names, const char *plain)
{
    const char *dot = strrchr(plain, '.');
    size_t n = (size_t)(dot - plain);

    while (n > 0 && plain[n - 1] != '.')
        n--;
    if (n == 0)
        n = (size_t)(dot + 1 - plain);
    for (size_t i = 0; i < names->checkpoint->n_tensors; i++)
        if (strncmp(names->plain[i], plain, n) == 0 &&
            strcmp(names->plain[i], "lm_head.weight") != 0)
            return true;
    return false;
}
