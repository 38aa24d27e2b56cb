/* combine_slerp.c - spherical linear interpolation between the base and the other model.
 *
 * Each tensor is one vector. The angle comes from the vectors made one long, the result from the
 * vectors as they are: at t = 0 it is the base, at t = 1 the other, bit for bit. Where they point
 * nearly the same way, or opposite ways, it is (1 - t) base + t other. */
#include <math.h>

#include "mix/combine_linear.h"
#include "mix/gram.h"

enum { T };
enum { OF_BASE, OF_OTHER }; /* what the pass is concluded to: the weights */

static const double shortest = 1e-8; /* a shorter vector is not made one long */
static const double parallel = 0.9995;

static void size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)call;
    (void)n_counts;
    *n_sums = gram_n_sums(2);
}

static void measure(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)counts;
    call->spare[0] = *call->base;
    call->spare[1] = call->inputs[0];
    gram_add(call->spare, 2, NULL, 0, call->n, sums);
}

static double divisor(double square)
{
    double length = sqrt(square);

    return length <= shortest ? 1 : length;
}

static void conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    double cosine = sums[gram_place(2, 0, 1)] /
                    (divisor(sums[gram_place(2, 0, 0)]) * divisor(sums[gram_place(2, 1, 1)]));
    double t = call->settings[T], angle;

    (void)counts;
    if (fabs(cosine) > parallel) {
        sums[OF_BASE] = 1 - t;
        sums[OF_OTHER] = t;
        return;
    }
    angle = acos(cosine);
    sums[OF_BASE] = sin(angle - angle * t) / sin(angle);
    sums[OF_OTHER] = sin(angle * t) / sin(angle);
}

static void slerp(const struct combine_call *call, void *out)
{
    const double *weights = call->facts[0].sums;

    combine_linear_weighted(call, &weights[OF_OTHER], weights[OF_BASE], out);
}

static const struct combine_pass passes[] = {
    {.size = size, .measure = measure, .conclude = conclude},
};

static const struct combine_parameter parameters[] = {
    {"t", COMBINE_ALL, COMBINE_NUMBER, .is_required = true,
     .meaning = "how far from the base to the other model: 0 is the base, 1 the other"},
};

const struct combine_method combine_slerp = {
    .name = "slerp",
    .summary = "from the base to another model along the arc between them",
    .combine = slerp,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_ONE,
    .min_inputs = 1,
    .max_inputs = 1,
    .passes = passes,
    .n_passes = sizeof passes / sizeof *passes,
};
