/* plan_match.h - a plan from whole models: which tensor of each goes into which of the result.
 *
 * The first model decides names, shapes and dtypes. The others must have the same tensors, under
 * the same names but for known prefixes, or, where the architecture is known, the same parts in any
 * way that it is read. Nothing is read here but what is needed to tell whether a stored output head
 * is the embedding. Rules: docs/models.md, "Output heads", "What fits together". */
#ifndef COCKTAIL_PLAN_MATCH_H
#define COCKTAIL_PLAN_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_layout.h"
#include "base/error.h"
#include "base/notices.h"
#include "format/checkpoint.h"
#include "mix/plan.h"

struct plan_model {
    const char *name; /* for messages */
    const struct checkpoint *checkpoint;
    bool is_tied;     /* its config, or family, ties the head to the embedding */
    const struct model_layout *layout; /* of one spec for all that have it, checked; or NULL */
};

struct plan_options {
    const struct combine_method *method;
    const struct checkpoint_writer_kind *format;
    bool has_base;      /* the first is what the method compares the others with, and no input */
    bool has_dtype;     /* store every floating tensor in `dtype`; else each in the base's */
    enum dtype dtype;
    enum dtype dequantised; /* else in this what the base has quantised */
    bool promotes;      /* else each as its sources together have it: F32 for F16 with BF16 */
    bool copies_same;   /* of one model: what keeps its dtype is copied as it is stored */
    bool drops_heads;   /* an encoder: a head or pooler that not all have is left out */
    struct name_style style; /* of the names to write */
    size_t n_layers;    /* those behind predict further tokens; SIZE_MAX: not known */
};

/* Source `input` is the place in models[]. What is no floating parameter is copied from the first,
 * models[0]. ERROR_INCOMPATIBLE when they do not fit, ERROR_UNSUPPORTED for dtypes
 * that cannot be averaged. Released with plan_release. Everything in the plan borrows from
 * the checkpoints and the names. */
int plan_match(struct plan *plan, const struct plan_model *models, size_t n_models,
               const struct plan_options *options, struct notices *notices, struct error *err);

#endif
