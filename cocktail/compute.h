/* compute.h - by what matrix products are done: what all ranks have, and --compute. */
#ifndef COCKTAIL_COMPUTE_H
#define COCKTAIL_COMPUTE_H

#include "options.h"

/* Agrees with the other ranks, obeys --compute and says what it means on this processor; before a model is
 * loaded. */
int compute_choose(const struct common_options *common, struct error *err);

#endif
