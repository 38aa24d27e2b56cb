/* model_components.h - all sets of weights that a model consists of.
 *
 * First the model itself (of a sentence-transformers folder: its transformer), then the modules that
 * have weights of their own (2_Dense), then heads in files of their own beside the weights (BGE-M3's
 * colbert_linear.pt). One list for all who ask: what is mixed is what is compared and counted. */
#ifndef COCKTAIL_MODEL_COMPONENTS_H
#define COCKTAIL_MODEL_COMPONENTS_H

#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "format/checkpoint.h"

enum model_component_kind { COMPONENT_MODEL, COMPONENT_MODULE, COMPONENT_HEAD };

struct model_component {
    enum model_component_kind kind;
    /* What tells it from the others of a model, and stands in front of the names of its tensors: ""
     * for the model, the path of a module's folder, the name of a head's file. */
    const char *path;
    const char *directory; /* where its weights lie, relative to the model's folder */
    const char *module;    /* "Dense"; NULL for what is no module */
    const struct checkpoint *checkpoint; /* borrowed from the folder */
};

struct model_components {
    struct model_component *items; /* [n_items], the model first */
    size_t n_items;
};

/* Opens them all; the folder keeps what it has opened, and must stay. A head is a file by one of the known names, or another *.pt or
 * *.pth with tensors that the model has not under the same names; a notice says which such files are
 * none. Errors as checkpoint_open has them. Released with model_components_release in every case. */
int model_components_open(struct model_components *components, struct model_folder *model,
                          struct notices *notices, struct error *err);
void model_components_release(struct model_components *components);

/* NULL means absent. */
const struct model_component *model_components_find(const struct model_components *components,
                                                    const char *path);

/* Tensors and files of all together. */
size_t model_components_n_tensors(const struct model_components *components);
size_t model_components_n_files(const struct model_components *components);

/* Its name among those of all components, "2_Dense/linear.weight"; freed by the caller. */
char *model_component_tensor_name(const struct model_component *component,
                                  const struct tensor *tensor);

#endif
