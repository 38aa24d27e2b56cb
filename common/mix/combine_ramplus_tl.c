/* combine_ramplus_tl.c - reinforced agent merging, where what a model alone has changed is made
 * larger: by 1 + r times what it shares with others over what it has alone (at least epsilon), at
 * most alpha, counted in each tensor. */
#include <math.h>

#include "mix/reinforced.h"

enum { R, ALPHA, EPSILON };

static void size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    *n_sums = call->n_inputs;
    *n_counts = 2 * call->n_inputs;
}

static void measure(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)sums;
    reinforced_count(call, call->settings[EPSILON], counts, counts + call->n_inputs);
}

static void conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    const double *settings = call->settings;

    for (size_t i = 0; i < call->n_inputs; i++) {
        double alone = fmax((double)counts[call->n_inputs + i], settings[EPSILON]);
        double shared = (double)counts[i];
        double ratio = shared == 0 ? 0 : shared / alone;

        sums[i] = 1 + settings[R] * fmin(ratio, settings[ALPHA]);
    }
}

static void ramplus_tl(const struct combine_call *call, void *out)
{
    reinforced_combine(call, call->settings[EPSILON], call->facts[0].sums, out);
}

static const struct combine_pass passes[] = {
    {.size = size, .measure = measure, .conclude = conclude},
};

static const struct combine_parameter parameters[] = {
    {"r", COMBINE_ALL, COMBINE_NUMBER, .standard = 0.1,
     .meaning = "how much larger what a model alone has changed is made"},
    {"alpha", COMBINE_ALL, COMBINE_NUMBER, .standard = 0.2, .most = INFINITY,
     .meaning = "limit of the ratio of shared to own changes"},
    {"epsilon", COMBINE_ALL, COMBINE_NUMBER, .standard = 1e-5, .most = INFINITY,
     .meaning = "differences up to this count as none"},
};

const struct combine_method combine_ramplus_tl = {
    .name = "ramplus_tl",
    .summary = "ram, with what one model alone has changed made larger, tensor by tensor",
    .combine = ramplus_tl,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 1,
    .scratch_input_bytes = REINFORCED_INPUT_BYTES,
    .passes = passes,
    .n_passes = sizeof passes / sizeof *passes,
};
