/* adapter_path.h - MODEL+ADAPTER: one argument for a model and what is added to it. */
#ifndef COCKTAIL_ADAPTER_PATH_H
#define COCKTAIL_ADAPTER_PATH_H

#include <stdbool.h>

/* Whether `text` names a model and an adapter: then *base and *adapter are what stands before and behind
 * a "+", each to be freed. A path that exists is no such thing, whatever its name; of several "+" the
 * first counts that has paths on both sides, else one with a path before it, else the first. */
bool adapter_path_split(const char *text, char **base, char **adapter);

#endif
