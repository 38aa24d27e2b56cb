/* gguf_parts.h - GGUF models that are split into files NAME-00001-of-00003.gguf.
 *
 * The first part has the metadata of the model; each has its number (split.no, from 0), how many
 * there are (split.count), and how many tensors they have together (split.tensors.count). */
#ifndef COCKTAIL_GGUF_PARTS_H
#define COCKTAIL_GGUF_PARTS_H

#include <stdbool.h>

#include "base/error.h"
#include "format/checkpoint_tensors.h"
#include "format/gguf.h"

/* Whether a path ends like that: the number in it, and how many there are. */
bool gguf_parts_name(const char *path, unsigned *number, unsigned *n_parts);
/* The path of part `number` beside such a path. Freed by the caller. */
char *gguf_parts_path(const char *path, unsigned number);

/* What file `file` of the checkpoint, in the order of their numbers, says of itself. ERROR_FORMAT
 * when that contradicts its name, or the first. */
int gguf_parts_check(const struct gguf *gguf, size_t file, const struct checkpoint *checkpoint,
                     struct error *err);
/* When all were read: whether the tensors are as many as the first says. */
int gguf_parts_finish(const struct checkpoint *checkpoint, struct error *err);

#endif
