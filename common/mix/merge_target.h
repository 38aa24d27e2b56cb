/* merge_target.h - what --force may replace: a model, and nothing else that stands there. */
#ifndef COCKTAIL_MERGE_TARGET_H
#define COCKTAIL_MERGE_TARGET_H

#include <stdbool.h>

/* Whether the directory holds the weights of a model; and the file is a GGUF file. False when one
 * cannot be sure. */
bool merge_target_is_model(const char *path);
bool merge_target_is_gguf(const char *path);

#endif
