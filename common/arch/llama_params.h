/* llama_params.h - Llama's own params.json, which leaves some of its numbers to be computed.
 *
 * Mistral's file of that name states hidden_dim; Llama's has multiple_of and a factor, from which the
 * program that came with the weights makes it. Source: docs/models.md,
 * "Consolidated files". */
#ifndef COCKTAIL_LLAMA_PARAMS_H
#define COCKTAIL_LLAMA_PARAMS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"

/* By its keys. */
bool llama_params_is(const cJSON *params);
/* Adds hidden_dim, and where they are not stated rope_theta and rope_scaling, as Mistral's and
 * config.json would have them. Does nothing with another's file. ERROR_FORMAT for numbers that
 * cannot be. */
int llama_params_complete(cJSON *params, struct error *err);
/* ERROR_UNSUPPORTED for a key that we do not know. */
int llama_params_check(const cJSON *params, struct error *err);

#endif
