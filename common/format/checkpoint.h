/* checkpoint.h - the one door to the formats.
 *
 * A checkpoint is a set of logical tensors: name, dtype, shape, and a way to read any range of
 * values. Nobody above asks whether a file is safetensors or a PyTorch pickle, whole or sharded,
 * strided or plain. */
#ifndef COCKTAIL_CHECKPOINT_H
#define COCKTAIL_CHECKPOINT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/folder.h"
#include "base/notices.h"
#include "format/checkpoint_tensors.h"

/* Opens the weights in `directory` (a relative path in the folder, "" for the folder itself),
 * found in the order of transformers: model.safetensors, its index, pytorch_model.bin, its index,
 * then Mistral's and Llama's consolidated files (slices in numbered ones: rank_slices.h), then a single
 * *.pt or *.pth. `file` names one weights file instead, or one part of a GGUF model that is split;
 * NULL to search.
 * NULL with ERROR_FORMAT (malformed, or no weights), ERROR_UNSUPPORTED, ERROR_RESOURCES or ERROR_IO. Closed with
 * checkpoint_close. */
struct checkpoint *checkpoint_open(const struct folder *folder, const char *directory,
                                   const char *file, struct notices *notices, struct error *err);
void checkpoint_close(struct checkpoint *checkpoint);
/* The same once more, for whoever replaces its tensors: files, and tensors until they are replaced,
 * stay those of `of`, which must outlive it. */
struct checkpoint *checkpoint_reopen(const struct checkpoint *of);
/* Gives back the memory of tensors that were read where they lie: their views end. The checkpoint
 * stays open. */
void checkpoint_unmap(const struct checkpoint *checkpoint);

/* Whether there are weights for checkpoint_open to find. */
int checkpoint_look(const struct folder *folder, const char *directory, bool *is_there,
                    struct error *err);
/* Whether those weights would be Mistral's consolidated files; and whether these are. */
bool checkpoint_look_consolidated(const struct folder *folder, const char *directory);
bool checkpoint_is_consolidated(const struct checkpoint *checkpoint);

#endif
