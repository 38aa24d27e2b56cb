/* model_modules.h - a model of several modules, each from another one: an encoder-decoder whose
 * encoder and decoder were made apart. Nothing is copied.
 *
 * A module is named by the beginning of its tensors' names ("encoder", or "encoder.block" as
 * mergekit calls it where it does not know the architecture); "shared" and "default" are what is in
 * no other. */
#ifndef COCKTAIL_MODEL_MODULES_H
#define COCKTAIL_MODEL_MODULES_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"

struct model_module {
    const char *name;
    struct model_folder *model; /* opened: whose tensors it has */
};

/* "shared" or "default". */
bool model_module_is_rest(const char *name);

/* Of names[n_names], the one that a tensor belongs to; n_names: none. */
size_t model_modules_find(const char *const *names, size_t n_names, const char *tensor);

/* Makes `model`, opened and another one than theirs, what the modules make together; its config.json
 * gets their numbers of layers. They must outlive it. ERROR_FORMAT for a name that no tensor begins
 * with, and for a tensor that is in no module. */
int model_modules_join(struct model_folder *model, const struct model_module *modules,
                       size_t n_modules, struct notices *notices, struct error *err);

#endif
