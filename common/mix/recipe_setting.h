/* recipe_setting.h - a parameter as a recipe gives it: a value, values over the layers, values by the
 * names of tensors. Source: mergekit's evaluate_setting. */
#ifndef COCKTAIL_RECIPE_SETTING_H
#define COCKTAIL_RECIPE_SETTING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/yaml.h"
#include "mix/combine_method.h"

struct recipe_condition {
    const char *filter;   /* part of the name of a tensor; NULL: any */
    bool is_gradient;     /* a list, from the first layer to the last */
    const struct yaml_node *const *values; /* [n_values], scalars; 1 where it is no gradient */
    size_t n_values, line;
};

struct recipe_setting {
    const char *name;
    size_t line;
    const struct recipe_condition *conditions; /* [n_conditions]: the first that matches counts */
    size_t n_conditions;
};

struct recipe_settings { /* a zeroed struct has none */
    const struct recipe_setting *items;
    size_t n_items;
};

/* Reads a map of parameters; everything is in the arena, and borrows the nodes. ERROR_FORMAT with
 * "FILE:LINE: …". */
int recipe_settings_read(struct recipe_settings *settings, const struct yaml_node *map,
                         const char *file, struct arena *arena, struct error *err);
const struct recipe_setting *recipe_settings_find(const struct recipe_settings *settings,
                                                  const char *name);

/* A scalar as a value of the kind: numbers may be booleans, and text that Python's float() reads;
 * booleans 0, 1, and words (yes, no, on, off, true, false, t, f, y, n); whole numbers 2.0. False
 * when it is none. */
bool recipe_scalar(const struct yaml_node *node, enum combine_kind kind, double *value);
/* Whether all its values are such as the parameter takes. ERROR_FORMAT with "FILE:LINE: …". */
int recipe_setting_check(const struct recipe_setting *setting,
                         const struct combine_parameter *parameter, const char *file,
                         struct error *err);
/* Its value for a tensor at place t (0 … 1) of the layers, once it is checked; NULL, or the condition
 * that gave it. */
const struct recipe_condition *recipe_setting_value(const struct recipe_setting *setting,
                                                    enum combine_kind kind, const char *tensor,
                                                    double t, double *value);

#endif
