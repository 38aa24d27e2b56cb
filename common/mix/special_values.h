/* special_values.h - how many values are not finite. */
#ifndef COCKTAIL_SPECIAL_VALUES_H
#define COCKTAIL_SPECIAL_VALUES_H

#include <stddef.h>

#include "tensor/dtype.h"

/* Sets *n_nan and *n_inf: what is not finite in n values of a mixable dtype. Fast when nothing
 * is. */
void special_values_count(enum dtype dtype, const void *values, size_t n, size_t *n_nan,
                          size_t *n_inf);

#endif
