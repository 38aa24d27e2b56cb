/* combine_settings.h - the parameters of a method: their places, and what values they may have. */
#ifndef COCKTAIL_COMBINE_SETTINGS_H
#define COCKTAIL_COMBINE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "mix/combine_method.h"

/* The row, and in *place, unless that is NULL, where its value stands in the settings of its scope
 * (0 for COMBINE_WEIGHT). NULL: the method has no parameter of that name. */
const struct combine_parameter *combine_parameter_find(const struct combine_method *method,
                                                       const char *name, size_t *place);
/* Whether some method has a parameter of that name: then it is one that others take. */
bool combine_parameter_is_known(const char *name);
/* The name that was probably meant, of the method's, or of another's; NULL: none is near. */
const char *combine_parameter_nearest(const struct combine_method *method, const char *typed);
const char *combine_method_nearest(const char *typed);

/* Whether it has a row of scope COMBINE_WEIGHT. */
bool combine_takes_weights(const struct combine_method *method);
/* How many rows have the scope: the length of the settings. */
size_t combine_n_settings(const struct combine_method *method, enum combine_scope scope);
/* What they are when nothing is given, NAN where that is an error: to settings[n_settings]. */
void combine_standard_settings(const struct combine_method *method, enum combine_scope scope,
                               double *settings);

/* ERROR_USAGE: "'density' must be from 0 to 1, not 1.5". */
int combine_parameter_check(const struct combine_parameter *parameter, double value,
                            struct error *err);
/* What a person wrote: a number, or true, false, yes, no, on, off. Checked. ERROR_USAGE. */
int combine_parameter_parse(const struct combine_parameter *parameter, const char *text,
                            double *value, struct error *err);
/* The word for a value: "0.5", "true". */
const char *combine_parameter_text(const struct combine_parameter *parameter, double value,
                                   char *buffer, size_t size);

/* Whether so many models, the base not among them, and a base or none are what the method takes
 * (with COMBINE_BASE_INPUT the base is counted, and has_base says nothing). ERROR_USAGE. */
int combine_check_models(const struct combine_method *method, size_t n_models, bool has_base,
                         struct error *err);

#endif
