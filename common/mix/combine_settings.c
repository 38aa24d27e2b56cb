#include "combine_settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/nearest.h"
#include "mix/combine.h"

const struct combine_parameter *combine_parameter_find(const struct combine_method *method,
                                                       const char *name, size_t *place)
{
    size_t places[] = {[COMBINE_WEIGHT] = 0, [COMBINE_EACH] = 0, [COMBINE_ALL] = 0};

    for (size_t i = 0; i < method->n_parameters; i++) {
        const struct combine_parameter *parameter = &method->parameters[i];

        if (strcmp(parameter->name, name) == 0) {
            if (place)
                *place = places[parameter->scope];
            return parameter;
        }
        places[parameter->scope]++;
    }
    return NULL;
}

bool combine_parameter_is_known(const char *name)
{
    size_t n;
    const struct combine_method *const *methods = combine_methods(&n);

    for (size_t i = 0; i < n; i++)
        if (combine_parameter_find(methods[i], name, NULL))
            return true;
    return false;
}

static void consider_parameters(struct nearest *nearest, const struct combine_method *method)
{
    for (size_t i = 0; i < method->n_parameters; i++)
        nearest_consider(nearest, method->parameters[i].name);
}

const char *combine_parameter_nearest(const struct combine_method *method, const char *typed)
{
    struct nearest nearest = {.typed = typed};
    size_t n;
    const struct combine_method *const *methods = combine_methods(&n);

    consider_parameters(&nearest, method);
    for (size_t i = 0; !nearest.word && i < n; i++)
        consider_parameters(&nearest, methods[i]);
    return nearest.word;
}

const char *combine_method_nearest(const char *typed)
{
    struct nearest nearest = {.typed = typed};
    size_t n;
    const struct combine_method *const *methods = combine_methods(&n);

    for (size_t i = 0; i < n; i++)
        nearest_consider(&nearest, methods[i]->name);
    return nearest.word;
}

size_t combine_n_settings(const struct combine_method *method, enum combine_scope scope)
{
    size_t n = 0;

    for (size_t i = 0; i < method->n_parameters; i++)
        n += method->parameters[i].scope == scope;
    return n;
}

bool combine_takes_weights(const struct combine_method *method)
{
    return combine_n_settings(method, COMBINE_WEIGHT) > 0;
}

void combine_standard_settings(const struct combine_method *method, enum combine_scope scope,
                               double *settings)
{
    for (size_t i = 0; i < method->n_parameters; i++) {
        const struct combine_parameter *parameter = &method->parameters[i];

        if (parameter->scope == scope)
            *settings++ = parameter->is_required ? NAN : parameter->standard;
    }
}

/* ---- values ---- */

static bool has_limits(const struct combine_parameter *parameter)
{
    return parameter->least != 0 || parameter->most != 0;
}

/* "from 0 to 1", "above 0", "at least 0, and below 1". */
static void describe_limits(const struct combine_parameter *parameter, char *out, size_t size)
{
    char most[64] = "";

    if (!parameter->is_above && !parameter->is_below && isfinite(parameter->least) &&
        isfinite(parameter->most)) {
        snprintf(out, size, "from %.10g to %.10g", parameter->least, parameter->most);
        return;
    }
    if (isfinite(parameter->most))
        snprintf(most, sizeof most, "%s%s %.10g", isfinite(parameter->least) ? ", and " : "",
                 parameter->is_below ? "below" : "at most", parameter->most);
    if (isfinite(parameter->least))
        snprintf(out, size, "%s %.10g%s", parameter->is_above ? "above" : "at least",
                 parameter->least, most);
    else
        snprintf(out, size, "%s", most);
}

static bool is_within(const struct combine_parameter *parameter, double value)
{
    if (!has_limits(parameter))
        return true;
    return (parameter->is_above ? value > parameter->least : value >= parameter->least) &&
           (parameter->is_below ? value < parameter->most : value <= parameter->most);
}

int combine_parameter_check(const struct combine_parameter *parameter, double value,
                            struct error *err)
{
    char limits[128];

    if (!isfinite(value))
        return error_set(err, ERROR_USAGE, "'%s' must be a finite number", parameter->name);
    if (parameter->kind == COMBINE_BOOLEAN && value != 0 && value != 1)
        return error_set(err, ERROR_USAGE, "'%s' must be true or false, not %.10g", parameter->name,
                         value);
    if (parameter->kind == COMBINE_WHOLE && (value < 0 || value > 0x1p53 || value != floor(value)))
        return error_set(err, ERROR_USAGE, "'%s' must be a whole number, not %.10g",
                         parameter->name, value);
    if (is_within(parameter, value))
        return 0;
    describe_limits(parameter, limits, sizeof limits);
    return error_set(err, ERROR_USAGE, "'%s' must be %s, not %.10g", parameter->name, limits,
                     value);
}

static bool parse_boolean(const char *text, double *value)
{
    static const char *const words[2][6] = {{"false", "no", "off", "f", "n", "0"},
                                            {"true", "yes", "on", "t", "y", "1"}};

    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 6; k++)
            if (strcasecmp(text, words[i][k]) == 0) {
                *value = (double)i;
                return true;
            }
    return false;
}

int combine_parameter_parse(const struct combine_parameter *parameter, const char *text,
                            double *value, struct error *err)
{
    char *end;

    if (parameter->kind == COMBINE_BOOLEAN)
        return parse_boolean(text, value)
                   ? 0
                   : error_set(err, ERROR_USAGE, "'%s' must be true or false, not '%s'",
                               parameter->name, text);
    *value = strtod(text, &end);
    if (end == text || *end || strpbrk(text, "xXpP \t\n"))
        return error_set(err, ERROR_USAGE, "'%s' must be a number, not '%s'", parameter->name, text);
    return combine_parameter_check(parameter, *value, err);
}

const char *combine_parameter_text(const struct combine_parameter *parameter, double value,
                                   char *buffer, size_t size)
{
    if (parameter->kind == COMBINE_BOOLEAN)
        return value != 0 ? "true" : "false";
    snprintf(buffer, size, "%.10g", value);
    return buffer;
}

/* ---- models ---- */

static int check_base(const struct combine_method *method, bool has_base, struct error *err)
{
    if (method->base == COMBINE_BASE_NONE && has_base)
        return error_set(err, ERROR_USAGE, "method '%s' takes no base", method->name);
    if ((method->base == COMBINE_BASE_REQUIRED || method->base == COMBINE_BASE_ONE) && !has_base)
        return error_set(err, ERROR_USAGE, "method '%s' needs a base", method->name);
    return 0;
}

int combine_check_models(const struct combine_method *method, size_t n_models, bool has_base,
                         struct error *err)
{
    const char *besides = method->base == COMBINE_BASE_NONE || method->base == COMBINE_BASE_INPUT
                              ? ""
                              : " besides the base";
    bool is_exact = method->min_inputs == method->max_inputs;
    size_t limit = n_models < method->min_inputs ? method->min_inputs : method->max_inputs;

    if (check_base(method, has_base, err))
        return -1;
    if (n_models >= method->min_inputs && (!method->max_inputs || n_models <= method->max_inputs))
        return 0;
    return error_set(err, ERROR_USAGE, "method '%s' takes %s%zu model%s%s, not %zu", method->name,
                     is_exact                         ? ""
                     : n_models < method->min_inputs ? "at least "
                                                     : "at most ",
                     limit, limit == 1 ? "" : "s", besides, n_models);
}
