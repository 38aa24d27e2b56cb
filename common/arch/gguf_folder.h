/* gguf_folder.h - a GGUF file presented as the folder of a model that transformers would have.
 *
 * Source: docs/models.md, "GGUF". */
#ifndef COCKTAIL_GGUF_FOLDER_H
#define COCKTAIL_GGUF_FOLDER_H

#include <stdbool.h>

#include "base/error.h"
#include "base/folder.h"
#include "format/checkpoint.h"

/* Whether it is a GGUF file (no directory), by its name or else by its content. */
bool gguf_folder_is(const char *path);

/* The GGUF file of a directory that holds no other weights, or the first part of one that is split;
 * to be freed. NULL when there is none (no error), or with ERROR_FORMAT when there are several. */
char *gguf_folder_find(const struct folder *folder, struct error *err);

/* Opens the file `name` of the folder, which from here on has no files but it, its other parts, and
 * those of the model: config.json, tokenizer.json and so on. The tensors have the names and the
 * layout of transformers. NULL with ERROR_FORMAT (malformed), ERROR_UNSUPPORTED (what we cannot
 * run, by name) and what checkpoint_open says. */
struct checkpoint *gguf_folder_open(struct folder *folder, const char *name, struct error *err);

/* Of a checkpoint that was opened so: "GGUF Q4_K, Q6_K", to be freed; NULL when nothing in it is
 * quantised, or it is no GGUF file. */
char *gguf_folder_formats(const struct checkpoint *checkpoint);

#endif
