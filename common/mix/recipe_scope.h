/* recipe_scope.h - which value each parameter of a method has, for each tensor and each model.
 *
 * Looked for in the entry of the model (but for parameters of the whole tensor), the slice, the
 * module, the recipe: the first place that gives a value counts; else what the method's row says.
 * Source: docs/models.md, "Recipes". */
#ifndef COCKTAIL_RECIPE_SCOPE_H
#define COCKTAIL_RECIPE_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/notices.h"
#include "mix/combine_method.h"
#include "mix/recipe.h"

struct recipe_scope { /* all borrowed */
    const struct recipe *recipe;
    const struct recipe_module *module;
    const struct recipe_slice *slice;
    const struct combine_method *method;
};

struct recipe_value {
    double value;
    const char *place;     /* "model", "slice", "module", "recipe", "default" */
    size_t line;           /* of what gave it; 0: the default */
    const char *filter;    /* by which it matched; NULL: by none */
};

/* Whether the tensor is in the scope's module. */
bool recipe_scope_has(const struct recipe_scope *scope, const char *tensor);

/* Whether all parameters of the recipe are known, and their values such as the method takes.
 * Notices tell what has no effect: parameters of other methods, of a base, of the whole in an entry
 * of a model. ERROR_FORMAT with FILE:LINE. */
int recipe_scope_check(const struct recipe_scope *scope, struct notices *notices,
                       struct error *err);

/* The value of a row for a tensor of that name at place t of the layers. `source`: the input's entry;
 * NULL for a row of the whole, and for an input that has none (a base that is not listed).
 * ERROR_FORMAT when nobody gives a value that is required. */
int recipe_scope_value(const struct recipe_scope *scope, const struct combine_parameter *row,
                       const struct recipe_source *source, const char *tensor, double t,
                       struct recipe_value *value, struct error *err);

#endif
