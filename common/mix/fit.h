/* fit.h - do two models belong together, apart from their tensors. */
#ifndef COCKTAIL_FIT_H
#define COCKTAIL_FIT_H

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"

/* Settings that change what the same weights mean (rotary base, window, activation, pooling …):
 * each that differs becomes a notice with both values; the base's are kept. */
void fit_compare_configs(const struct model_folder *base, const struct model_folder *other,
                         struct notices *notices);

/* The tokenizers of models[n_models] must map the same tokens to the same ids; models without one
 * are not compared. ERROR_INCOMPATIBLE names the first difference; with `ignore` it is a notice. */
int fit_compare_tokenizers(const struct model_folder *models, size_t n_models, bool ignore,
                           struct notices *notices, struct error *err);

#endif
