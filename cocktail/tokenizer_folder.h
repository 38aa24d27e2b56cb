/* tokenizer_folder.h - a model of which only the tokenizer files are asked for. */
#ifndef COCKTAIL_TOKENIZER_FOLDER_H
#define COCKTAIL_TOKENIZER_FOLDER_H

#include <stdbool.h>

#include "arch/model_folder.h"
#include "base/error.h"

/* Of a GGUF file, by itself or in a directory without a tokenizer, the model; else the folder at
 * `path`, which the user called `name`. Released with model_folder_release, also when it fails. */
int tokenizer_folder_open(struct model_folder *model, const char *path, const char *name,
                          bool follow_symlinks, struct error *err);
/* Where in the folder these files lie; "": at its top. */
const char *tokenizer_folder_directory(const struct model_folder *model);

#endif
