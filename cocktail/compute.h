/* compute.h - --compute: by what matrix products are done. */
#ifndef COCKTAIL_COMPUTE_H
#define COCKTAIL_COMPUTE_H

#include "options.h"

/* Obeys --compute and says what it means on this processor; before a model is loaded. */
void compute_choose(const struct common_options *common);

#endif
