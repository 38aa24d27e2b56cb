/* adapted_model.h - a model with an adapter on it, which from then on is a model like any other: its
 * weights are what PEFT's merge_and_unload would give. Source: docs/adapters.md, "Merging". */
#ifndef COCKTAIL_ADAPTED_MODEL_H
#define COCKTAIL_ADAPTED_MODEL_H

#include "adapter/lora_folder.h"
#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"

/* Opens what `path` says: as model_folder_open a MODEL, or MODEL+ADAPTER (adapter_path.h), whose weights it
 * opens, too. Of `name` likewise. Errors are those of model_folder_open and, of adapters, of
 * lora_folder_open; ERROR_INCOMPATIBLE when the adapter is for another model. Zeroed on error; released
 * with model_folder_release. */
int adapted_model_open(struct model_folder *model, const char *path, const char *name,
                       bool follow_symlinks, struct notices *notices, struct error *err);
/* The same on a base that is open, which is what the path names and must outlive it; NULL: opens one. */
int adapted_model_open_on(struct model_folder *model, struct model_folder *base, const char *path,
                          const char *name, bool follow_symlinks, struct notices *notices,
                          struct error *err);
/* Puts the adapter at `path`, which messages call `name`, on a model that is open. */
int adapted_model_add(struct model_folder *model, const char *path, const char *name,
                      bool follow_symlinks, struct notices *notices, struct error *err);
/* What was put on it, where that is one adapter; else NULL. */
const struct lora_folder *adapted_model_adapter(const struct model_folder *model);

#endif
