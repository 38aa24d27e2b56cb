/* weights.h - the shares of the models in a mix. */
#ifndef COCKTAIL_WEIGHTS_H
#define COCKTAIL_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum weights_rule {
    WEIGHTS_SUM_TO_ONE, /* within 1e-3, then divided by the sum */
    WEIGHTS_NORMALIZE,  /* any sum but 0, divided by it */
    WEIGHTS_AS_GIVEN,   /* within 1e-3, not divided: the arithmetic of LM_Cocktail */
};

/* Reads "0.7,0.3" into weights[n_models]. ERROR_USAGE when there are more or fewer numbers than
 * models, or one is not finite. */
int weights_parse(const char *text, double *weights, size_t n_models, struct error *err);
/* Checks the sum and scales. ERROR_USAGE names the sum and the way out. */
int weights_scale(double *weights, size_t n_models, enum weights_rule rule, struct error *err);

#endif
