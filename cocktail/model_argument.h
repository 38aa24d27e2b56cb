/* model_argument.h - what the user typed for MODEL -> a path.
 *
 * A path that exists wins; else org/name[@revision] is fetched from the Hub into its cache. Likewise both
 * parts of MODEL+ADAPTER (adapter_path.h). */
#ifndef COCKTAIL_MODEL_ARGUMENT_H
#define COCKTAIL_MODEL_ARGUMENT_H

#include <stddef.h>

#include "base/error.h"
#include "hub/hub_choose.h"

#include "options.h"

/* The path, or both with a "+" between them, to be freed; NULL with ERROR_USAGE for what is neither a path nor an id, and as
 * hub_fetch says for an id. A name without an organisation is one when it is in the cache. Shows
 * progress and notices. Before any thread is started. */
char *model_argument_find(const char *argument, enum hub_need need,
                          const struct common_options *common, struct error *err);

/* ERROR_USAGE for what is no path and cannot be the name of a model: says what such names look
 * like, and what may be meant. Returns -1. */
int model_argument_refuse(const char *argument, struct error *err);

/* All of them, in order, each and the array to be freed with model_arguments_free; NULL on error. */
char **model_arguments_find(const char *const *arguments, size_t n, enum hub_need need,
                            const struct common_options *common, struct error *err);
void model_arguments_free(char **paths, size_t n);

#endif
