/* model_files.h - what the files of a model directory are, judged by their names.
 *
 * One set of rules for all who choose: which weights are read, what a merge leaves out of the
 * directory that it takes over, what is fetched from the Hub. */
#ifndef COCKTAIL_MODEL_FILES_H
#define COCKTAIL_MODEL_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* Where weights are looked for, in this order (that of transformers); an index names files beside
 * it. */
struct model_weights_name {
    const char *name;
    bool is_index;
};
enum { MODEL_WEIGHTS_NAMES = 4 };
extern const struct model_weights_name model_weights_names[MODEL_WEIGHTS_NAMES];

/* Whether it is weights, or an index of weights, in any format that a model directory may hold,
 * also ones that are not read. */
bool model_files_is_weights(const char *name);
/* A *.pt or *.pth that is a model and not the state of a training run: the weights of a directory
 * that has no others and one such file. */
bool model_files_is_lone_weights(const char *name);
/* The state of a training run, adapters, and what is hidden: no part of the model. */
bool model_files_is_stale(const char *name);
bool model_files_is_stale_folder(const char *name);

/* Whether fnmatch finds `name` in a list that ends with NULL. */
bool model_files_match(const char *const *patterns, const char *name);

#endif
