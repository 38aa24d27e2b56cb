/* model_argument.h - what the user typed for MODEL -> a path. */
#ifndef COCKTAIL_MODEL_ARGUMENT_H
#define COCKTAIL_MODEL_ARGUMENT_H

#include "base/error.h"

/* Checks that `argument` is an existing path. ERROR_NETWORK for what has the form of a Hub id
 * (org/name[@revision]) and is no path, ERROR_USAGE for anything else. */
int model_argument_check(const char *argument, struct error *err);

#endif
