/* checkpoint_tensors.h - the logical tensors of a checkpoint, and the files that they come from. */
#ifndef COCKTAIL_CHECKPOINT_TENSORS_H
#define COCKTAIL_CHECKPOINT_TENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "tensor/tensor_source.h"

struct checkpoint_file {
    struct file *file;
    const char *name; /* relative to the folder */
    const struct tensor_source *source; /* its bytes, for the tensors in it */
};

struct gguf;

struct checkpoint_metadata { /* from the headers of safetensors files */
    const char *key, *value;
};

struct checkpoint { /* read-only for its users; several threads may read tensors at once */
    struct checkpoint_file *files;
    size_t n_files;
    const char *index;      /* the index that names the files, relative to the folder, or NULL */
    struct tensor *tensors; /* in the order of the files */
    size_t n_tensors;
    struct checkpoint_metadata *metadata;
    size_t n_metadata;

    struct tensor **replaced; /* [n_replaced] lists that logical tensors took the place of */
    size_t n_replaced;
    const struct gguf *gguf;  /* what a GGUF file says, else NULL */

    struct hash_map by_name;
    struct hash_map weight_map; /* of an index: name -> file; empty without one */
    size_t n_unmapped;          /* tensors that a shard holds and the index does not name */
    bool has_ranks;             /* numbered files, in which one name may stand several times */
    bool is_joined;             /* and does: tensors are put together of slices */
    bool is_reopened;           /* files are another's, and so are tensors that were not replaced */
    struct arena arena;
};

/* NULL: there is none. */
const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name);

#endif
