/* plan_settings.h - what the items of a plan do with the parameters of its method. */
#ifndef COCKTAIL_PLAN_SETTINGS_H
#define COCKTAIL_PLAN_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "mix/plan.h"

/* Other weights for some tensors: those whose names hold `part`. */
struct part_weights {
    const char *part;
    const double *weights; /* [n_inputs] */
};

/* For all items alike; borrowed, and kept by the plan. n_inputs is the plan's: where the method has
 * a base, that is the first, and what stands here for it is not looked at. */
struct plan_settings {
    const double *all;  /* of the scope COMBINE_ALL; NULL: the method does without */
    const double *each; /* [n_inputs][of the scope COMBINE_EACH] */
    size_t n_each;
    uint64_t seed;
    const struct part_weights *parts; /* [n_parts], the first that fits counts */
    size_t n_parts;
    bool is_told;       /* reports tell of method, base and parameters */
};

/* After plan_set_weights. */
void plan_set_settings(struct plan *plan, const struct plan_settings *settings);

/* Then: whether some item that is mixed has the weights of settings->parts[part]. */
bool plan_settings_use_part(const struct plan *plan, size_t part);

/* Whether the method of each item takes its weights and settings. ERROR_USAGE, naming the tensor. */
int plan_check_settings(const struct plan *plan, struct error *err);

#endif
