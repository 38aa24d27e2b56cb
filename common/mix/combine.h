/* combine.h - the ways of mixing, by name. */
#ifndef COCKTAIL_COMBINE_H
#define COCKTAIL_COMBINE_H

#include "mix/combine_method.h"

/* All of them, the usual one first. */
const struct combine_method *const *combine_methods(size_t *n_methods);
/* NULL: none is called so. */
const struct combine_method *combine_method_find(const char *name);

#endif
