/* model_ranks.h - whether ranks (ranks.h) that are about to run a model together have the same one. */
#ifndef COCKTAIL_MODEL_RANKS_H
#define COCKTAIL_MODEL_RANKS_H

#include "arch/model_folder.h"
#include "base/error.h"

/* Compares config.json, the sizes of the weights' files and what they say of their tensors, not the
 * values of these. ERROR_INCOMPATIBLE as ranks_compare has it; errors of model_folder_weights. */
int model_ranks_compare(struct model_folder *model, struct notices *notices, struct error *err);

#endif
