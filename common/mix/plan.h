/* plan.h - what a merge makes: a list of tensors, each with what goes into it and how.
 *
 * Whoever knows which tensors belong together builds one (plan_match.h does, from the names in
 * whole models); what reads, combines and writes needs nothing else. */
#ifndef COCKTAIL_PLAN_H
#define COCKTAIL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "format/checkpoint_writer.h"
#include "mix/combine_method.h"
#include "tensor/output_tensor.h"
#include "tensor/tensor.h"

/* One of the models that are mixed, say. */
struct plan_input {
    const char *name; /* borrowed */
    double weight;    /* of each source that is its own; NAN: none, or not always the same */
};

/* One tensor that goes into an item. All is borrowed. */
struct plan_source {
    const struct tensor *tensor;
    const char *owner;      /* whose it is, for messages; NULL: nobody's */
    size_t input;           /* which of the plan's is its own */
    double weight;
    const double *settings; /* as the method wants them; NULL: it wants none */
};

struct plan_item {
    struct output_tensor out;
    const struct combine_method *method; /* NULL: the one source is copied as it is stored */
    struct plan_source base;             /* its tensor is NULL where the method needs none */
    struct plan_source *sources;         /* [n_sources] */
    size_t n_sources;
    const double *settings;              /* of the method; NULL: it wants none */
    uint64_t seed;                       /* of a method that draws */
    bool is_parameter;
};

/* A zeroed struct is an empty plan. */
struct plan {
    const struct combine_method *method; /* of the items that are mixed, for whoever tells of it */
    struct plan_input *inputs;           /* [n_inputs], in the arena, likewise */
    size_t n_inputs;
    bool has_base;                       /* the first of them is what the others are compared with */
    const struct plan_settings *settings; /* of all items alike; NULL: the method has none here */
    struct plan_item *items; /* [n_items] */
    size_t n_items, n_parameters, size_bytes;
    const struct checkpoint_writer_kind *format;
    const struct output_tensor **outputs; /* [n_items] of the items, for the writer */
    bool has_untied_head;    /* the base is tied by its config, but stores another head */
    bool lacks_head;         /* an embedding that could be the head is written, but no head */
    struct arena arena;      /* for whatever the items borrow */
};

/* Adds one with room for n_sources, zeroed. `out` says name, dtype and shape. Items move when
 * further ones are added, and in plan_finish. ERROR_FORMAT when there is no such tensor. */
struct plan_item *plan_add_item(struct plan *plan, const struct output_tensor *out,
                                size_t n_sources, struct error *err);
/* Once all are there: puts them into the order of the format and counts them. ERROR_FORMAT when
 * their sizes overflow. */
int plan_finish(struct plan *plan, const struct checkpoint_writer_kind *format,
                struct error *err);
/* Gives every input, and every source that is its own, one of weights[n_inputs]; at any time before
 * the plan is run. */
void plan_set_weights(struct plan *plan, const double *weights);
/* Whether one of its inputs has one weight. */
bool plan_has_weights(const struct plan *plan);
void plan_release(struct plan *plan);

#endif
