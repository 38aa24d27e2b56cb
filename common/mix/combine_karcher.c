/* combine_karcher.c - the Karcher mean: the direction from which the arcs to all models sum to nothing,
 * found step by step, as long as the models are on average. A base is one more model.
 *
 * All is in the span of the models: their dot products, in double, say how long every vector is that
 * comes up, and how much of each model is in it. In float the smallest angle other than 0 would be
 * 3.5e-4, as much as fine-tunes differ by. A model that points the opposite way has no direction to
 * pull in, and does not. */
#include <math.h>
#include <string.h>

#include "mix/combine_linear.h"
#include "mix/gram.h"

enum { MAX_ITER, TOL };

/* How much of each input is in the vectors that come up; all arrays have n items. */
struct search {
    const double *gram;
    size_t n;
    double tol;
    double *lengths, *shares; /* share 0: too short to have a direction */
    double *mean, *step;
};

static double dot(const struct search *search, const double *x, const double *y)
{
    double sum = 0;

    for (size_t i = 0; i < search->n; i++)
        for (size_t k = 0; k < search->n; k++)
            sum += x[i] * y[k] * search->gram[gram_place(search->n, i, k)];
    return sum;
}

static double length(const struct search *search, const double *x)
{
    return sqrt(fmax(dot(search, x, x), 0));
}

static void scale(const struct search *search, double factor, double *x)
{
    for (size_t i = 0; i < search->n; i++)
        x[i] *= factor;
}

/* The middle of the directions, or the first where they cancel out. */
static void start(const struct search *search)
{
    size_t first = 0;
    double size;

    for (size_t i = 0; i < search->n; i++)
        search->mean[i] = search->shares[i] > 0 ? search->shares[i] / search->lengths[i] : 0;
    size = length(search, search->mean);
    if (size >= search->tol) {
        scale(search, 1 / size, search->mean);
        return;
    }
    while (!(search->shares[first] > 0))
        first++;
    memset(search->mean, 0, search->n * sizeof *search->mean);
    search->mean[first] = 1 / search->lengths[first];
}

/* What pulls the mean: to step. */
static void find_step(const struct search *search)
{
    double back = 0;

    memset(search->step, 0, search->n * sizeof *search->step);
    for (size_t i = 0; i < search->n; i++) {
        double cosine = 0, angle, pull;

        if (!(search->shares[i] > 0))
            continue;
        for (size_t k = 0; k < search->n; k++)
            cosine += search->mean[k] * search->gram[gram_place(search->n, i, k)];
        cosine = fmin(fmax(cosine / search->lengths[i], -1), 1);
        angle = acos(cosine);
        if (angle < search->tol || angle > M_PI - 1e-6)
            continue;
        pull = search->shares[i] * angle / sin(angle);
        search->step[i] += pull / search->lengths[i];
        back += pull * cosine;
    }
    for (size_t i = 0; i < search->n; i++)
        search->step[i] -= back * search->mean[i];
}

static void iterate(const struct search *search, size_t max_steps)
{
    for (size_t s = 0; s < max_steps; s++) {
        double angle, size;

        find_step(search);
        angle = length(search, search->step);
        if (angle < search->tol)
            return;
        for (size_t i = 0; i < search->n; i++)
            search->mean[i] = cos(angle) * search->mean[i] + sin(angle) / angle * search->step[i];
        size = length(search, search->mean);
        if (size > search->tol)
            scale(search, 1 / size, search->mean);
    }
}

/* Lengths, and shares of those that are long enough; false: none is. */
static bool weigh(const struct search *search, double *mean_length)
{
    size_t n_valid = 0;

    *mean_length = 0;
    for (size_t i = 0; i < search->n; i++) {
        search->lengths[i] = sqrt(search->gram[gram_place(search->n, i, i)]);
        *mean_length += search->lengths[i] / (double)search->n;
        n_valid += search->lengths[i] > search->tol;
    }
    for (size_t i = 0; i < search->n; i++)
        search->shares[i] = search->lengths[i] > search->tol ? 1 / (double)n_valid : 0;
    return n_valid > 0;
}

static void size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_counts;
    *n_sums = gram_n_sums(call->n_inputs) + 4 * call->n_inputs;
}

static void conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    size_t n = call->n_inputs;
    double *room = sums + gram_n_sums(n), mean_length;
    struct search search = {.gram = sums, .n = n, .tol = call->settings[TOL], .lengths = room,
                            .shares = room + n, .mean = room + 2 * n, .step = room + 3 * n};
    bool has_any = weigh(&search, &mean_length);

    (void)counts;
    if (has_any) {
        start(&search);
        iterate(&search, (size_t)call->settings[MAX_ITER]);
    }
    for (size_t i = 0; i < n; i++)
        sums[i] = has_any ? mean_length * search.mean[i] : isnan(mean_length) ? NAN : 0;
}

static void karcher(const struct combine_call *call, void *out)
{
    combine_linear_weighted(call, call->facts[0].sums, 0, out);
}

static const struct combine_pass passes[] = {
    {.size = size, .measure = gram_measure, .conclude = conclude},
};

static const struct combine_parameter parameters[] = {
    {"max_iter", COMBINE_ALL, COMBINE_WHOLE, .standard = 10, .most = 1000000,
     .meaning = "steps at most"},
    {"tol", COMBINE_ALL, COMBINE_NUMBER, .standard = 1e-5, .most = INFINITY, .is_above = true,
     .meaning = "smaller angles and lengths count as 0"},
};

const struct combine_method combine_karcher = {
    .name = "karcher",
    .summary = "Karcher mean of the models on the sphere",
    .combine = karcher,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_INPUT,
    .min_inputs = 1,
    .passes = passes,
    .n_passes = sizeof passes / sizeof *passes,
};
