/* plan.h - which tensor of each model goes into which tensor of the result.
 *
 * The first model is the base: it decides names, shapes and dtypes. The others must have the same
 * tensors, under the same names but for known prefixes, or, where the architecture is known, the
 * same parts in any way that it is read. Nothing is read here but what is needed to tell whether a
 * stored output head is the embedding. Rules: docs/models.md, "Output heads", "What fits
 * together". */
#ifndef COCKTAIL_PLAN_H
#define COCKTAIL_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_layout.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/notices.h"
#include "format/checkpoint.h"

struct plan_model {
    const char *name; /* for messages */
    const struct checkpoint *checkpoint;
    bool is_tied;     /* its config, or family, ties the head to the embedding */
    const struct model_layout *layout; /* of one spec for all that have it, checked; or NULL */
};

struct plan_options {
    bool has_dtype;     /* store every floating tensor in `dtype`; else each in the base's */
    enum dtype dtype;
    bool drops_heads;   /* an encoder: a head or pooler that not all have is left out */
    struct name_style style; /* of the names to write */
    size_t n_layers;    /* those behind predict further tokens; SIZE_MAX: not known */
};

struct plan_item {
    struct tensor out;             /* name, dtype, shape, sizes of the tensor to write */
    /* [n_models]; only [0] when is_copied. Of the checkpoints, or put together in the arena. */
    const struct tensor **sources;
    bool is_copied;                /* as it is in the base: integers, booleans, buffers */
    bool is_parameter;
};

struct plan {
    struct plan_item *items; /* in the order of safetensors_compare */
    size_t n_items, n_models;
    size_t n_parameters, size_bytes;
    bool has_untied_head;    /* the base is tied by its config, but stores another head */
    bool lacks_head;         /* an embedding that could be the head is written, but no head */
    struct arena arena;
};

/* models[0] is the base. ERROR_INCOMPATIBLE when they do not fit, ERROR_UNSUPPORTED for dtypes and
 * packed weights that cannot be averaged. Released with plan_release. Everything in the plan
 * borrows from the checkpoints. */
int plan_make(struct plan *plan, const struct plan_model *models, size_t n_models,
              const struct plan_options *options, struct notices *notices, struct error *err);
void plan_release(struct plan *plan);

#endif
