/* whole_fit.h - tensors that an adapter stores whole: modules that were saved, embeddings and heads that were
 * tied, biases. Source: docs/adapters.md. */
#ifndef COCKTAIL_WHOLE_FIT_H
#define COCKTAIL_WHOLE_FIT_H

#include "adapter/fitter.h"

/* Puts all of them in place of the base's. ERROR_INCOMPATIBLE, with its name, for one that the base does not
 * have, or of another shape. */
int whole_fit(struct fitter *fitter);

#endif
