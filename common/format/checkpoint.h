/* checkpoint.h - the one door to the formats.
 *
 * A checkpoint is a set of logical tensors: name, dtype, shape, and a way to read any range of
 * values. Nobody above asks whether a file is safetensors or a PyTorch pickle, whole or sharded,
 * strided or plain. */
#ifndef COCKTAIL_CHECKPOINT_H
#define COCKTAIL_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/notices.h"
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
    struct arena arena;
};

/* Opens the weights in `directory` (a relative path in the folder, "" for the folder itself),
 * found in the order of transformers: model.safetensors, its index, pytorch_model.bin, its index,
 * then Mistral's and Llama's consolidated files (slices in numbered ones: ranks.h), then a single
 * *.pt or *.pth. `file` names one weights file instead, or one part of a GGUF model that is split;
 * NULL to search.
 * NULL with ERROR_FORMAT (malformed, or no weights), ERROR_UNSUPPORTED, ERROR_RESOURCES or ERROR_IO. Closed with
 * checkpoint_close. */
struct checkpoint *checkpoint_open(const struct folder *folder, const char *directory,
                                   const char *file, struct notices *notices, struct error *err);
void checkpoint_close(struct checkpoint *checkpoint);
/* Gives back the memory of tensors that were read where they lie: their views end. The checkpoint
 * stays open. */
void checkpoint_unmap(const struct checkpoint *checkpoint);

/* Whether there are weights for checkpoint_open to find. */
int checkpoint_look(const struct folder *folder, const char *directory, bool *is_there,
                    struct error *err);
/* Whether those weights would be Mistral's consolidated files; and whether these are. */
bool checkpoint_look_consolidated(const struct folder *folder, const char *directory);
bool checkpoint_is_consolidated(const struct checkpoint *checkpoint);

const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name);

#endif
