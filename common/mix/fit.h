/* fit.h - do two models belong together, apart from their tensors. */
#ifndef COCKTAIL_FIT_H
#define COCKTAIL_FIT_H

#include "arch/architecture.h"
#include "arch/model_folder.h"
#include "arch/model_spec.h"
#include "base/error.h"
#include "base/notices.h"

/* What the loader makes of a model's config. */
struct fit_spec {
    bool is_known;       /* it could be read by its meaning */
    struct model_spec spec;
    struct error reason; /* of a family that we know, when not */
};

/* Fills specs[n_models]. Models without config, and of architectures or with values that we cannot
 * run, are not known. ERROR_FORMAT for a config that the loader would refuse so. Released with
 * fit_release_specs, also after a failure. */
int fit_load_specs(struct fit_spec *specs, const struct model_folder *models, size_t n_models,
                   enum model_type type, struct error *err);
void fit_release_specs(struct fit_spec *specs, size_t n_models);

/* What config.json says of models[n_models] must mean models that compute alike (spec_compare.h):
 * ERROR_INCOMPATIBLE for other sizes and kinds; settings that differ from the first model's become
 * notices with both values, and so does another pooling. Models without config are not compared;
 * configs that are not known are compared by their texts. */
int fit_compare_configs(const struct model_folder *models, const struct fit_spec *specs,
                        size_t n_models, struct notices *notices, struct error *err);

/* The tokenizers of models[n_models] must map the same tokens to the same ids; models without one
 * are not compared. ERROR_INCOMPATIBLE names the first difference; with `ignore` it is a notice, as
 * are rules that differ (merges, normalizer …) where the tokens are the same. */
int fit_compare_tokenizers(const struct model_folder *models, size_t n_models, bool ignore,
                           struct notices *notices, struct error *err);

#endif
