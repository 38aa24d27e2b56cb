/* merge.h - a whole merge: models opened and checked, then written as one new model.
 *
 * merge_open reads headers, configs and tokenizers and refuses what does not fit, before anything
 * is written. merge_write streams the weights, copies the base's other files, and puts the
 * result in place in one step. The weights are needed for the second only: whoever computes
 * them by running the models does so in between. */
#ifndef COCKTAIL_MERGE_H
#define COCKTAIL_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "adapter/shared_bases.h"
#include "arch/architecture.h"
#include "arch/model_components.h"
#include "arch/model_folder.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/notices.h"
#include "base/progress.h"
#include "base/threads.h"
#include "format/gguf_metadata.h"
#include "mix/base_files.h"
#include "mix/combine_method.h"
#include "mix/fit.h"
#include "mix/mixer.h"
#include "mix/plan_match.h"
#include "mix/plan_settings.h"

struct merge_options {
    const char *const *names;  /* [n_models] what the user calls them; NULL: by their paths */
    const char *output;        /* path of the target, a GGUF file if it ends in .gguf; NULL: merge_write
                                * is not going to be called */
    const char *type;          /* as --type, or NULL: from the base's config.json */
    const char *dtype;         /* "f32", "f16", "bf16", "f64", "q8_0" (of a GGUF file), or NULL: as
                                * the base has it */
    const char *pooling;       /* a name of --pooling, or NULL: that of the models, or cls or
                                * lasttoken with a notice, where it is needed */
    size_t shard_bytes;
    const struct combine_method *method;
    bool has_base;             /* the first model is what the method compares the others with */
    bool force, ignore_tokenizer, follow_symlinks;
    const char *tokenizer;  /* merge_open: "union", "base", or the model whose tokenizer all are given;
                             * NULL: they must have the same one */
    const char *tokenizer_path; /* of such a model, where its name is not its path */
    bool has_one_tokenizer; /* the models have been given one (join.h): nothing is compared */
    bool copies;    /* of one model: all goes through as it is */
    bool promotes;  /* without a dtype: as the models of a tensor together have it, which may be more
                     * than the base has */
    bool converts; /* one model in another form: nothing is added to it, and what is written does not
                    * depend on what the output is called */
    const struct model_folder *donor; /* whose tokenizer a model that is converted has got; NULL: it
                                       * has its own */
};

/* One set of weights: the model itself, a module, or a head. */
struct merge_component {
    const struct model_component *base; /* says where it stands in the result, too */
    struct plan plan;
    struct plan from; /* of a GGUF file: the plan in the layout of transformers, which is made first */
};

struct merge_origin {
    char *label, *hub_id; /* as model_folder_label and model_folder_hub_id have them */
};

/* What the architecture makes of a model's tensors. */
struct merge_layout {
    bool is_known; /* the layout is, and the tensors are as it says */
    struct checkpoint_names names;
    struct model_layout layout;
};

struct merge {
    struct merge_options options;
    struct shared_bases bases;   /* of models with adapters */
    struct model_folder *models; /* [n_models], the first is the base */
    size_t n_models;
    struct model_components *weights; /* [n_models], all that they have */
    bool has_type;               /* false when the base is a single weights file without --type */
    enum model_type type;
    struct fit_spec *specs;       /* [n_models] */
    struct merge_layout *layouts; /* [n_models] of the transformer */
    struct merge_component *components;
    size_t n_components;
    struct base_files base_files;
    bool makes_sentence_folder;  /* an encoder that has none */
    struct buffer card_terms;    /* lines of front matter */
    struct merge_origin *origins; /* [n_inputs of the plan] what the card says of them, where they are
                                   * not the models: of a recipe; NULL: they are */
    struct notices notices;
    bool makes_gguf;             /* the output is a GGUF file, with this metadata */
    struct gguf_metadata metadata;
    size_t n_tensors, n_parameters, weights_bytes, disk_bytes;
};

/* Opens the models at paths[n_models] and checks that they fit and that the output may be written.
 * `options` and what it points to must stay. merge->notices is filled, also on failure. Released
 * with merge_release in every case. */
int merge_open(struct merge *merge, const char *const *paths, size_t n_models,
               const struct merge_options *options, struct error *err);
/* The same of models that are open, whose names they have; they become the merge's own, also on
 * failure, and models[n_models] is left zeroed. */
int merge_open_models(struct merge *merge, struct model_folder *models, size_t n_models,
                      const struct merge_options *options, struct error *err);
void merge_release(struct merge *merge);

/* The output as a merge has it whose result is only an input of the one that is written there: it must
 * not be replaced together with one of its models. NULL where that cannot be. */
const char *merge_inner_output(const char *output);
/* The plan in the layout of transformers, which weights and settings belong to. */
struct plan *merge_plan(struct merge *merge, size_t component);
/* What all that is mixed takes of each model: weights[n_models]; before merge_write. */
void merge_set_weights(struct merge *merge, const double *weights);
/* Then what else the method wants to know; borrowed until merge_release. ERROR_USAGE. */
int merge_set_settings(struct merge *merge, const struct plan_settings *settings,
                       struct error *err);
/* What a writer of the plan is told. */
struct checkpoint_output merge_output(const struct merge *merge, const struct plan *plan);

#endif
