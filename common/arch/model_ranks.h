/* model_ranks.h - whether ranks (ranks.h) that are about to read a model together have the same one. */
#ifndef COCKTAIL_MODEL_RANKS_H
#define COCKTAIL_MODEL_RANKS_H

#include "arch/model_folder.h"
#include "base/error.h"

/* Compares config.json, how it is pooled and what follows that, the sizes of the weights' files and what they
 * say of their tensors, not the values of these. ERROR_INCOMPATIBLE as ranks_compare has it; errors of
 * model_folder_weights. */
int model_ranks_compare(struct model_folder *model, struct notices *notices, struct error *err);
/* The same of weights[…] and of settings[n], which say the rest, in what messages call `what`. */
int model_ranks_compare_weights(const char *what, const struct checkpoint *weights,
                                const void *settings, size_t n, struct error *err);

#endif
