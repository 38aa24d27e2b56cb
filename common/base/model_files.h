/* model_files.h - what the files of a model directory are, judged by their names.
 *
 * One set of rules for all who choose: which weights are read, what a merge leaves out of the
 * directory that it takes over, what is fetched from the Hub. */
#ifndef COCKTAIL_MODEL_FILES_H
#define COCKTAIL_MODEL_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* Where weights are looked for, in this order (that of transformers, then Mistral's and Llama's own
 * files); an index names files beside it, and model_files_numbered those that follow a numbered
 * one. */
struct model_weights_name {
    const char *name;
    bool is_index, is_numbered;
};
enum { MODEL_WEIGHTS_NAMES = 9, MODEL_NUMBERED_MAX = 100 };
extern const struct model_weights_name model_weights_names[MODEL_WEIGHTS_NAMES];

bool model_files_is_consolidated(const char *name); /* or an index of such */
/* The number of a file like consolidated.07.pth; -1: it has none. */
int model_files_number(const char *name);
/* "consolidated.07.pth" for a `path` that ends with consolidated.00.pth, and 7, which is below 100.
 * Freed by the caller. */
char *model_files_numbered(const char *path, unsigned number);

/* Whether it is weights, or an index of weights, in any format that a model directory may hold,
 * also ones that are not read. */
bool model_files_is_weights(const char *name);
/* A head that a model keeps in a file of its own beside its weights, as BGE-M3 does. */
bool model_files_is_head(const char *name);
/* A *.pt or *.pth that is a model and neither such a head nor the state of a training run: the
 * weights of a directory that has no others and one such file. */
bool model_files_is_lone_weights(const char *name);
/* The state of a training run, adapters, and what is hidden: no part of the model. */
bool model_files_is_stale(const char *name);
bool model_files_is_stale_folder(const char *name);

/* Whether fnmatch finds `name` in a list that ends with NULL. */
bool model_files_match(const char *const *patterns, const char *name);

#endif
