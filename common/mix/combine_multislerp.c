/* combine_multislerp.c - spherical mean of any number of models, or of their differences from a base:
 * from the middle m of their directions one step along the sphere, by the weighted sum of what leads
 * from m to each; then made as long as they are on average.
 *
 * All is in the span of the models, so their dot products say how much of each goes in. One model is
 * itself, whatever its weight. Where the directions cancel out there is no middle, and the result is
 * the weighted sum (mergekit refuses that of three and more). */
#include <math.h>

#include "mix/combine_items.h"
#include "mix/combine_linear.h"
#include "mix/gram.h"

enum { NORMALIZE_WEIGHTS, EPS };

/* y[n] of a vector that is the sum of y[i] times input i. */
static double dot(const double *gram, size_t n, const double *x, const double *y)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            sum += x[i] * y[k] * gram[gram_place(n, i, k)];
    return sum;
}

static double weight_divisor(const struct combine_call *call)
{
    double sum = 0;

    if (call->settings[NORMALIZE_WEIGHTS] == 0)
        return 1;
    for (size_t i = 0; i < call->n_inputs; i++)
        sum += call->inputs[i].weight;
    return sum;
}

/* Room for the results and what leads to them, behind the dot products. */
static void size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_counts;
    *n_sums = gram_n_sums(call->n_inputs) + 4 * call->n_inputs;
}

static bool is_needed(const struct combine_call *call)
{
    return call->n_inputs > 1;
}

/* What leads from m along the sphere: to tangent[n], all as sums of inputs. Returns its length. */
static double find_tangent(const double *gram, size_t n, const double *weights,
                           const double *scales, const double *middle, double *tangent)
{
    double back = 0;

    for (size_t i = 0; i < n; i++) {
        double along = 0;

        for (size_t k = 0; k < n; k++)
            along += middle[k] * gram[gram_place(n, i, k)];
        back += weights[i] * along * scales[i];
        tangent[i] = weights[i] * scales[i];
    }
    for (size_t i = 0; i < n; i++)
        tangent[i] -= back * middle[i];
    return sqrt(fmax(dot(gram, n, tangent, tangent), 0));
}

static void conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    size_t n = call->n_inputs;
    double *weights = sums + gram_n_sums(n), *scales = weights + n, *middle = scales + n;
    double *tangent = middle + n, eps = call->settings[EPS], length, angle, mean = 0;

    (void)counts;
    for (size_t i = 0; i < n; i++) {
        double own = sqrt(sums[gram_place(n, i, i)]);

        weights[i] = call->inputs[i].weight / weight_divisor(call);
        scales[i] = own + eps > 0 ? 1 / (own + eps) : 0;
        middle[i] = weights[i] * scales[i];
        mean += weights[i] * own;
    }
    length = sqrt(fmax(dot(sums, n, middle, middle), 0));
    if (length > 0 && length >= eps) {
        for (size_t i = 0; i < n; i++)
            middle[i] /= length;
        angle = find_tangent(sums, n, weights, scales, middle, tangent) + eps;
        for (size_t i = 0; i < n; i++)
            weights[i] = mean * (middle[i] * cos(angle) +
                                 (angle > 0 ? tangent[i] * sin(angle) / angle : 0));
    }
    for (size_t i = 0; i < n; i++)
        sums[i] = weights[i];
}

static void multislerp(const struct combine_call *call, void *out)
{
    const double one = 1, *weights = call->n_inputs > 1 ? call->facts[0].sums : &one;
    double left = 1;

    for (size_t i = 0; i < call->n_inputs; i++)
        left -= weights[i];
    combine_linear_weighted(call, weights, left, out);
}

static int check(const struct combine_call *call, struct error *err)
{
    return call->n_inputs > 1 && call->settings[NORMALIZE_WEIGHTS] != 0
               ? combine_check_sum(call, err)
               : 0;
}

static const struct combine_pass passes[] = {
    {.size = size, .measure = gram_measure, .conclude = conclude, .is_needed = is_needed},
};

static const struct combine_parameter parameters[] = {
    {"weight", COMBINE_WEIGHT, COMBINE_NUMBER, .is_required = true,
     .meaning = "how much of the model goes in"},
    {"normalize_weights", COMBINE_ALL, COMBINE_BOOLEAN, .standard = 1,
     .meaning = "divide the weights by their sum"},
    {"eps", COMBINE_ALL, COMBINE_NUMBER, .standard = 1e-8, .most = INFINITY,
     .meaning = "what lengths are taken to be at least"},
};

const struct combine_method combine_multislerp = {
    .name = "multislerp",
    .summary = "spherical mean of models, or of their differences from a base",
    .combine = multislerp,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_OPTIONAL,
    .min_inputs = 1,
    .sum = COMBINE_SUM_ANY,
    .check = check,
    .passes = passes,
    .n_passes = sizeof passes / sizeof *passes,
};
