/* checkpoint_names.h - the tensors of a checkpoint by what they are, whatever prefix they carry: by
 * their plain names (tensor_names.h). */
#ifndef COCKTAIL_CHECKPOINT_NAMES_H
#define COCKTAIL_CHECKPOINT_NAMES_H

#include "arch/tensor_names.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "format/checkpoint.h"

struct checkpoint_names {
    const struct checkpoint *checkpoint; /* borrowed */
    const char **plain;                  /* [n_tensors] */
    struct hash_map by_plain;
    struct arena arena;
};

void checkpoint_names_init(struct checkpoint_names *names, const struct checkpoint *checkpoint);
void checkpoint_names_release(struct checkpoint_names *names);

/* NULL when there is none, or more than one of that plain name. */
const struct tensor *checkpoint_names_find_plain(const struct checkpoint_names *names,
                                                 const char *plain);
/* The tensor of `other` that goes with tensor `index` of `names`: the one of its very name, else
 * the one of its plain name, where that is the name of one tensor on each side. NULL when there is
 * none. */
const struct tensor *checkpoint_names_match(const struct checkpoint_names *names, size_t index,
                                            const struct checkpoint_names *other);
/* The tensor that one of this tied name would be equal to, or NULL. */
const struct tensor *checkpoint_names_find_owner(const struct checkpoint_names *names,
                                                 const struct tied_name *tied);
/* The tensor that stands for the one of that plain name under another: its owner, or one that it
 * owns; an output head only where the head `is_tied`. NULL when there is none. */
const struct tensor *checkpoint_names_find_alias(const struct checkpoint_names *names,
                                                 const char *plain, bool is_tied);
/* Whether tensor `index` holds the values of its owner once more: 1, 0 (also when it has no owner),
 * or -1 on a read error. Reads both. */
int checkpoint_names_is_copy(const struct checkpoint_names *names, size_t index,
                             struct error *err);
/* Whether it has a tensor of the same module as the one of that plain name, or of the one around that: its
 * class then has a place for it. */
bool checkpoint_names_has_fellow(const struct checkpoint_names *names, const char *plain);

#endif
