/* config_keys.h - which settings of config.json are obeyed, which do not matter, which are refused.
 *
 * One table for all families. What a family does not know by it is not read either, so that a
 * setting of another family (a window in a Llama) changes nothing here where it changes nothing in
 * transformers. `make parity ONLY=keys` compares it with the classes of transformers. */
#ifndef COCKTAIL_CONFIG_KEYS_H
#define COCKTAIL_CONFIG_KEYS_H

#include <stdbool.h>

#include "arch/config.h"
#include "arch/families.h"
#include "base/error.h"
#include "base/notices.h"

/* Whether models of the family obey the setting. */
bool config_keys_obeyed(const struct family *family, const char *name);

/* ERROR_UNSUPPORTED for a setting that changes what the model computes and that we cannot obey,
 * ERROR_FORMAT for one that is obeyed but of another type. `json` describes the text model. */
int config_keys_check(const struct family *family, const cJSON *json, struct error *err);

/* One notice that names all settings that are neither known nor obeyed, those in text_config and
 * in the parameters of rotary embeddings included. None for an architecture that we do not know. */
void config_keys_tell(const struct config *config, const char *where, struct notices *notices);

#endif
