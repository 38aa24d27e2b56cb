/* expert_fit.h - adapters of routers and experts for bases that spell or store them in another way than the
 * adapter does: one by one, or all of a layer in one tensor. Source: docs/adapters.md, "Experts". */
#ifndef COCKTAIL_EXPERT_FIT_H
#define COCKTAIL_EXPERT_FIT_H

#include "adapter/fitter.h"

/* Modules and whole tensors whose names the base has no tensor of: 1 when it was done, 0 when they are no
 * router or expert that the base has, or -1. What changes a part of a tensor is done at the end. */
int expert_fit_module(struct fitter *fitter, const struct lora_change *change);
int expert_fit_whole(struct fitter *fitter, const struct lora_whole *whole);
/* The parts of tensors that whole tensors have taken. */
int expert_fit_join(struct fitter *fitter);
/* The modules that were left for the end; then, that the adapter has all experts that it says it has. */
int expert_fit_finish(struct fitter *fitter);
void expert_fit_release(struct fitter *fitter);

#endif
