#include "mix_method.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mix/combine.h"
#include "mix/combine_settings.h"
#include "mix/weights.h"

/* ---- the method ---- */

static int find_method(struct mix_method *read, const struct mix_method_options *options,
                       struct error *err)
{
    const char *name = options->method   ? options->method
                       : options->compat ? options->compat
                                         : "linear";
    const char *nearest;

    read->method = combine_method_find(name);
    if (read->method)
        return 0;
    nearest = combine_method_nearest(name);
    if (nearest)
        return error_set(err, ERROR_USAGE, "--method: there is no method '" ERROR_NAME "'; did you "
                         "mean '%s'?", name, nearest);
    return error_set(err, ERROR_USAGE, "--method: there is no method '" ERROR_NAME "'; "
                     "'cocktail help mix' lists them", name);
}

/* ---- the models ---- */

static bool wants_base(const struct combine_method *method)
{
    return method->base == COMBINE_BASE_REQUIRED || method->base == COMBINE_BASE_ONE ||
           method->base == COMBINE_BASE_OPTIONAL;
}

/* Of two models one is the base: the first, if nothing else is said. */
static int find_models(struct mix_method *read, const struct mix_method_options *options,
                       const char *const *operands, size_t n_operands, struct error *err)
{
    const char *base = options->base;

    if (base && !wants_base(read->method))
        return error_set(err, ERROR_USAGE, "--base: method '%s' takes no base%s",
                         read->method->name,
                         read->method->base == COMBINE_BASE_INPUT
                             ? "; give the model among the others, with a weight if it takes any"
                             : "");
    if (!base && read->method->base == COMBINE_BASE_ONE)
        base = operands[0];
    if (!base && read->method->base == COMBINE_BASE_REQUIRED)
        return error_set(err, ERROR_USAGE, "--base is missing: method '%s' compares the models "
                         "with one", read->method->name);
    read->has_base = base != NULL;
    read->names = memory_zalloc(n_operands + 1, sizeof *read->names);
    if (base)
        read->names[read->n_names++] = base;
    for (size_t i = 0; i < n_operands; i++)
        if (!base || strcmp(operands[i], base) != 0)
            read->names[read->n_names++] = operands[i];
    return combine_check_models(read->method, read->n_names - read->has_base, read->has_base, err);
}

/* ---- weights ---- */

static int scale_weights(const struct mix_method *read, const struct mix_method_options *options,
                         double *weights, size_t n, struct error *err)
{
    if (options->normalize)
        return weights_scale(weights, n, WEIGHTS_NORMALIZE, err);
    if (read->takes_any_sum)
        return 0;
    switch (read->method->sum) {
    case COMBINE_SUM_ONE: return weights_scale(weights, n, WEIGHTS_SUM_TO_ONE, err);
    case COMBINE_SUM_AS_GIVEN: return weights_scale(weights, n, WEIGHTS_AS_GIVEN, err);
    default: return 0;
    }
}

static int read_weights(const struct mix_method *read, const struct mix_method_options *options,
                        const char *text, double *weights, struct error *err)
{
    size_t n = read->n_names - read->has_base;

    weights += read->has_base;
    return weights_parse(text, weights, n, err) || scale_weights(read, options, weights, n, err)
               ? -1
               : 0;
}

static int read_part(struct mix_method *read, const struct mix_method_options *options,
                     const char *text, struct error *err)
{
    const char *equal = strchr(text, '=');
    struct part_weights *part = &read->parts[read->settings.n_parts];
    double *weights;

    if (!equal || equal == text)
        return error_set(err, ERROR_USAGE, "--weights-of: '" ERROR_NAME "' is not PART=W,..., like "
                         "self_attn=0.7,0.3", text);
    weights = memory_zalloc(read->n_names, sizeof *weights);
    *part = (struct part_weights){memory_format("%.*s", (int)(equal - text), text), weights};
    read->settings.n_parts++;
    return read_weights(read, options, equal + 1, weights, err)
               ? error_context(err, "--weights-of '%s'", part->part)
               : 0;
}

static int read_all_weights(struct mix_method *read, const struct mix_method_options *options,
                            struct error *err)
{
    read->weights = memory_zalloc(read->n_names, sizeof *read->weights);
    read->parts = memory_zalloc(options->weights_of.n_items, sizeof *read->parts);
    if (options->normalize && read->method->sum == COMBINE_SUM_ANY)
        return error_set(err, ERROR_USAGE, "--normalize is for linear mixes; method '%s' has "
                         "parameters: 'cocktail help mix' lists them", read->method->name);
    if (!combine_takes_weights(read->method))
        return options->weights || options->weights_of.n_items
                   ? error_set(err, ERROR_USAGE, "--weights: method '%s' takes none",
                               read->method->name)
                   : 0;
    if (!options->weights)
        return error_set(err, ERROR_USAGE, "--weights is missing: one number per model, like "
                         "--weights 0.7,0.3");
    if (read_weights(read, options, options->weights, read->weights, err))
        return -1;
    for (size_t i = 0; i < options->weights_of.n_items; i++)
        if (read_part(read, options, options->weights_of.items[i], err))
            return -1;
    return 0;
}

/* ---- parameters ---- */

static int refuse_parameter(const struct combine_method *method, const char *name,
                            struct error *err)
{
    const char *nearest = combine_parameter_nearest(method, name);

    if (nearest && combine_parameter_find(method, nearest, NULL) && strcmp(nearest, name) != 0)
        return error_set(err, ERROR_USAGE, "--param: method '%s' has no parameter '" ERROR_NAME
                         "'; did you mean '%s'?", method->name, name, nearest);
    return error_set(err, ERROR_USAGE, "--param: method '%s' has no parameter '" ERROR_NAME "'%s",
                     method->name, name,
                     combine_parameter_is_known(name) ? ", though others have"
                                                      : "; 'cocktail help mix' lists them");
}

/* One value for all models, or one for each. */
static int read_each(struct mix_method *read, const struct combine_parameter *parameter,
                     size_t place, char *text, struct error *err)
{
    size_t n_given = 0, n = read->n_names - read->has_base;
    double value = 0;

    for (char *word; (word = strsep(&text, ",")); n_given++) {
        if (combine_parameter_parse(parameter, word, &value, err))
            return -1;
        for (size_t i = 0; i < n; i++)
            if (n_given == 0 || i == n_given)
                read->each[(read->has_base + i) * read->settings.n_each + place] = value;
    }
    if (n_given != 1 && n_given != n)
        return error_set(err, ERROR_USAGE, "'%s': %zu values for %zu model%s", parameter->name,
                         n_given, n, n == 1 ? "" : "s");
    return 0;
}

static int read_parameter(struct mix_method *read, const char *name, char *value,
                          struct error *err)
{
    size_t place;
    const struct combine_parameter *parameter = combine_parameter_find(read->method, name, &place);

    if (!parameter)
        return refuse_parameter(read->method, name, err);
    if (parameter->scope == COMBINE_WEIGHT)
        return error_set(err, ERROR_USAGE, "--param: weights are given with --weights");
    if (parameter->scope == COMBINE_EACH)
        return read_each(read, parameter, place, value, err);
    return combine_parameter_parse(parameter, value, &read->all[place], err);
}

static int read_param(struct mix_method *read, const char *text, struct error *err)
{
    char *copy = memory_copy(text), *equal = strchr(copy, '=');
    int rc;

    if (equal && equal > copy) {
        *equal = '\0';
        rc = read_parameter(read, copy, equal + 1, err);
        if (rc && strncmp(err->text, "--param", 7) != 0)
            error_context(err, "--param");
    } else {
        rc = error_set(err, ERROR_USAGE, "--param: '" ERROR_NAME "' is not NAME=VALUE, like "
                       "density=0.5", text);
    }
    free(copy);
    return rc;
}

static int check_required(const struct mix_method *read, struct error *err)
{
    for (size_t i = 0; i < read->method->n_parameters; i++) {
        const struct combine_parameter *parameter = &read->method->parameters[i];
        size_t place;

        combine_parameter_find(read->method, parameter->name, &place);
        if (parameter->scope == COMBINE_ALL && isnan(read->all[place]))
            return error_set(err, ERROR_USAGE, "--param %s=... is missing: %s", parameter->name,
                             parameter->meaning);
    }
    return 0;
}

static int read_parameters(struct mix_method *read, const struct mix_method_options *options,
                           struct error *err)
{
    struct plan_settings *settings = &read->settings;

    settings->n_each = combine_n_settings(read->method, COMBINE_EACH);
    read->all = memory_zalloc(combine_n_settings(read->method, COMBINE_ALL), sizeof *read->all);
    read->each = memory_zalloc(read->n_names * settings->n_each, sizeof *read->each);
    combine_standard_settings(read->method, COMBINE_ALL, read->all);
    for (size_t i = 0; i < read->n_names; i++)
        combine_standard_settings(read->method, COMBINE_EACH, read->each + i * settings->n_each);
    for (size_t i = 0; i < options->params.n_items; i++)
        if (read_param(read, options->params.items[i], err))
            return -1;
    settings->is_told = options->method != NULL;
    settings->each = read->each;
    settings->parts = read->parts;
    if (options->seed && !read->method->is_random)
        return error_set(err, ERROR_USAGE, "--seed: method '%s' draws nothing",
                         read->method->name);
    settings->seed = options->seed ? options->seed : 1;
    /* A linear mix has divided its weights by their sum, or not, already. */
    settings->all = read->method == &combine_linear ? NULL : read->all;
    return check_required(read, err);
}

/* As plan_check_settings does for each tensor, for the weights and settings that all have. */
static int check_together(const struct mix_method *read, const double *weights, struct error *err)
{
    size_t n = read->n_names - read->has_base;
    struct combine_input *inputs = memory_zalloc(n, sizeof *inputs);
    struct combine_call call = {.inputs = inputs, .n_inputs = n, .settings = read->settings.all};
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        size_t place = read->has_base + i;

        inputs[i].weight = weights[place];
        inputs[i].settings = read->each + place * read->settings.n_each;
    }
    if (read->method->check)
        rc = read->method->check(&call, err);
    free(inputs);
    return rc;
}

static int check_all(const struct mix_method *read, struct error *err)
{
    if (check_together(read, read->weights, err))
        return -1;
    for (size_t i = 0; i < read->settings.n_parts; i++)
        if (check_together(read, read->settings.parts[i].weights, err))
            return error_context(err, "--weights-of '%s'", read->settings.parts[i].part);
    return 0;
}

/* ---- all ---- */

/* `--param normalize` of a linear mix says what --normalize does, or that any sum will do. */
static int read_linear(struct mix_method_options *options, const struct combine_method *method,
                       bool *takes_any_sum, struct error *err)
{
    double value;

    *takes_any_sum = false;
    for (size_t i = 0; method == &combine_linear && i < options->params.n_items; i++) {
        const char *text = options->params.items[i];

        if (strncmp(text, "normalize=", 10) != 0)
            continue;
        if (combine_parameter_parse(combine_parameter_find(method, "normalize", NULL), text + 10,
                                    &value, err))
            return error_context(err, "--param");
        options->normalize = value != 0;
        *takes_any_sum = value == 0;
    }
    return 0;
}

int mix_method_read(struct mix_method *read, const struct mix_method_options *options,
                    const char *const *operands, size_t n_operands, struct error *err)
{
    struct mix_method_options own = *options;

    *read = (struct mix_method){.has_settings = options->method || options->params.n_items ||
                                                options->weights_of.n_items || options->base ||
                                                options->seed};
    return find_method(read, &own, err) ||
                   read_linear(&own, read->method, &read->takes_any_sum, err) ||
                   find_models(read, &own, operands, n_operands, err) ||
                   read_all_weights(read, &own, err) || read_parameters(read, &own, err) ||
                   check_all(read, err)
               ? -1
               : 0;
}

void mix_method_release(struct mix_method *read)
{
    for (size_t i = 0; i < read->settings.n_parts; i++) {
        free((char *)read->parts[i].part);
        free((double *)read->parts[i].weights);
    }
    free(read->parts);
    free(read->names);
    free(read->weights);
    free(read->all);
    free(read->each);
    *read = (struct mix_method){0};
}

/* ---- help ---- */

static void print_parameter(const struct combine_parameter *parameter, FILE *out)
{
    char value[32];

    if (parameter->is_required)
        fprintf(out, " %s", parameter->name);
    else
        fprintf(out, " %s=%s", parameter->name,
                combine_parameter_text(parameter, parameter->standard, value, sizeof value));
}

static void print_method(const struct combine_method *method, FILE *out)
{
    size_t n_weights = combine_n_settings(method, COMBINE_WEIGHT);

    fprintf(out, "  %s%s%s\n    %s\n", method->name, wants_base(method) ? ", with a base" : "",
            n_weights ? ", by weights" : "", method->summary);
    if (method->n_parameters == n_weights)
        return;
    fputs("   ", out);
    for (size_t i = 0; i < method->n_parameters; i++)
        if (method->parameters[i].scope != COMBINE_WEIGHT)
            print_parameter(&method->parameters[i], out);
    fputc('\n', out);
}

void mix_method_print_help(FILE *out)
{
    size_t n;
    const struct combine_method *const *methods = combine_methods(&n);

    fputs("\nmethods, with their parameters and what these are when not given:\n", out);
    for (size_t i = 0; i < n; i++)
        print_method(methods[i], out);
}
