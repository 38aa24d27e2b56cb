#include "weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* 0.999 and 1.001 are within 1e-3, though their distance to 1 in double is a little more. */
static const double sum_tolerance = 1e-3 + 1e-12;

static size_t count_numbers(const char *text)
{
    size_t n = 1;

    for (; *text; text++)
        n += *text == ',';
    return n;
}

/* The first weight that something else than a comma divides from the next, as in "0.7 0.3", and how
 * many bytes of it there are up to the next comma. */
static const char *find_undivided(const char *text, size_t *length)
{
    static const char others[] = " \t\n;:/|";

    for (; *text; text += *length + (text[*length] == ',')) {
        size_t start = strspn(text, others), end = start + strcspn(text + start, " \t\n;:/|,");

        *length = strcspn(text, ",");
        if (end > start && end + strspn(text + end, others) < *length)
            return text;
    }
    return NULL;
}

int weights_parse(const char *text, double *weights, size_t n_models, struct error *err)
{
    size_t n = count_numbers(text), length;
    const char *undivided = find_undivided(text, &length);

    if (undivided)
        return error_set(err, ERROR_USAGE, "--weights: commas separate weights, as in 0.7,0.3, not "
                         "'%.*s'", (int)(length < 100 ? length : 100), undivided);
    if (n == 1 && n_models > 1)
        return error_set(err, ERROR_USAGE, "--weights: 1 weight for %zu models; commas separate "
                         "weights, as in 0.7,0.3", n_models);
    if (n != n_models)
        return error_set(err, ERROR_USAGE, "--weights: %zu weight%s for %zu model%s", n,
                         n == 1 ? "" : "s", n_models, n_models == 1 ? "" : "s");
    for (size_t i = 0; i < n; i++) {
        char *end;

        length = strcspn(text, ",");
        weights[i] = strtod(text, &end);
        if (length == 0 || end != text + length)
            return error_set(err, ERROR_USAGE, "--weights: '%.*s' is not a number",
                             (int)(length < 100 ? length : 100), text);
        if (!isfinite(weights[i]))
            return error_set(err, ERROR_USAGE, "--weights: '%.*s' is not finite",
                             (int)(length < 100 ? length : 100), text);
        text += length + (i + 1 < n);
    }
    return 0;
}

int weights_scale(double *weights, size_t n_models, enum weights_rule rule, struct error *err)
{
    double sum = 0;

    for (size_t i = 0; i < n_models; i++)
        sum += weights[i];
    if (rule == WEIGHTS_NORMALIZE && (sum == 0 || !isfinite(sum)))
        return error_set(err, ERROR_USAGE, "--weights: they sum to %.10g, which --normalize cannot "
                         "divide by", sum);
    if (rule != WEIGHTS_NORMALIZE && !(fabs(sum - 1) <= sum_tolerance))
        return error_set(err, ERROR_USAGE, "--weights: they sum to %.10g, not 1; give weights that "
                         "sum to 1, or divide them by their sum with --normalize", sum);
    if (rule != WEIGHTS_AS_GIVEN)
        for (size_t i = 0; i < n_models; i++) {
            weights[i] /= sum;
            if (!isfinite(weights[i]))
                return error_set(err, ERROR_USAGE, "--weights: divided by their sum %.10g they are "
                                 "not finite", sum);
        }
    return 0;
}
