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

int weights_parse(const char *text, double *weights, size_t n_models, struct error *err)
{
    size_t n = count_numbers(text);

    if (n != n_models)
        return error_set(err, ERROR_USAGE, "--weights: %zu weight%s for %zu model%s", n,
                         n == 1 ? "" : "s", n_models, n_models == 1 ? "" : "s");
    for (size_t i = 0; i < n; i++) {
        size_t length = strcspn(text, ",");
        char *end;

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
