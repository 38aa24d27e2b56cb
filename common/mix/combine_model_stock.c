/* combine_model_stock.c - Model Stock (Jang and others, 2024): between the base and the mean of the
 * models, as far as the mean angle between their differences from the base says.
 *
 * c = the mean cosine over all pairs; t = n c / (1 + (n - 1) c); t mean + (1 - t) base. The product
 * of two lengths is taken to be at least 1e-6, which pulls tensors that hardly differ to the base.
 * Each tensor is one vector, or each row. Where the divisor vanishes it is the base. */
#include <math.h>

#include "mix/combine_floats.h"
#include "mix/combine_linear.h"
#include "mix/gram.h"

enum { FILTER_WISE };
enum { INPUTS_MAX = 64, SUMS_MAX = INPUTS_MAX * (INPUTS_MAX + 1) / 2 };

static double clamp(double x)
{
    return x > 1 ? 1 : x < -1 ? -1 : x;
}

/* t, from the dot products of n >= 2 differences. */
static double find_share(const double *gram, size_t n)
{
    double sum = 0, cosine, divisor;

    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            sum += clamp(gram[gram_place(n, i, k)] /
                         fmax(sqrt(gram[gram_place(n, i, i)]) * sqrt(gram[gram_place(n, k, k)]),
                              1e-6));
    cosine = sum / ((double)n * (double)(n - 1) / 2);
    divisor = 1 + (double)(n - 1) * cosine;
    return fabs(divisor) < 1e-6 ? 0 : (double)n * cosine / divisor;
}

static bool wants_rows(const double *settings)
{
    return settings[FILTER_WISE] != 0;
}

static bool is_needed(const struct combine_call *call)
{
    return !wants_rows(call->settings);
}

static void size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    if (is_needed(call))
        gram_size(call, n_sums, n_counts);
}

static void conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)counts;
    sums[0] = find_share(sums, call->n_inputs);
}

/* Items first … first + n - 1 with this share of the mean. */
static void mix(const struct combine_call *call, double share, size_t first, size_t n, char *out)
{
    struct combine_input *spare = call->spare;

    spare[0] = *call->base;
    spare[0].weight = 1 - share;
    for (size_t i = 0; i < call->n_inputs; i++) {
        spare[1 + i] = call->inputs[i];
        spare[1 + i].weight = share / (double)call->n_inputs;
    }
    for (size_t i = 0; i <= call->n_inputs; i++)
        spare[i].values = (const char *)spare[i].values + first * combine_item_bytes(spare[i].dtype);
    combine_linear_run(spare, 1 + call->n_inputs, n, call->out->dtype,
                       out + first * combine_item_bytes(call->out->dtype));
}

static void model_stock(const struct combine_call *call, void *out)
{
    size_t row = call->out->n_dims ? call->out->shape[call->out->n_dims - 1] : 1;

    if (!wants_rows(call->settings) || call->state) {
        const double *share = call->state ? call->state : call->facts[0].sums;

        mix(call, *share, 0, call->n, out);
        return;
    }
    for (size_t first = 0; first < call->n; first += row) {
        double gram[SUMS_MAX] = {0};

        gram_add(call->inputs, call->n_inputs, call->base, first, row, gram);
        mix(call, find_share(gram, call->n_inputs), first, row, out);
    }
}

/* ---- long rows ---- */

static size_t state_bytes(const struct combine_call *call)
{
    (void)call;
    return SUMS_MAX * sizeof(double);
}

static void look(const struct combine_call *call, void *state)
{
    gram_add(call->inputs, call->n_inputs, call->base, 0, call->n, state);
}

static bool turn(const struct combine_call *call, void *state)
{
    double *sums = state;

    sums[0] = find_share(sums, call->n_inputs);
    return false;
}

static const struct combine_stages stages = {.state_bytes = state_bytes, .look = look,
                                             .turn = turn};

static const struct combine_pass passes[] = {
    {.size = size, .measure = gram_measure, .conclude = conclude, .is_needed = is_needed},
};

static const struct combine_parameter parameters[] = {
    {"filter_wise", COMBINE_ALL, COMBINE_BOOLEAN,
     .meaning = "each row is a vector of its own, not each tensor"},
};

const struct combine_method combine_model_stock = {
    .name = "model_stock",
    .summary = "between the base and the mean, as the angles between the models say",
    .combine = model_stock,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 2,
    .max_inputs = INPUTS_MAX,
    .wants_rows = wants_rows,
    .stages = &stages,
    .passes = passes,
    .n_passes = sizeof passes / sizeof *passes,
};
