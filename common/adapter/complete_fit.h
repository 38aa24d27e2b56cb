/* complete_fit.h - that an adapter's file lacks nothing that its configuration says. Source: docs/adapters.md. */
#ifndef COCKTAIL_COMPLETE_FIT_H
#define COCKTAIL_COMPLETE_FIT_H

#include "adapter/fitter.h"

/* ERROR_FORMAT for a module that the file has in other layers and lacks in one; a notice of a target that
 * neither the file nor the base has a module for. After everything else has found its place. */
int complete_fit(struct fitter *fitter, struct notices *notices);

#endif
