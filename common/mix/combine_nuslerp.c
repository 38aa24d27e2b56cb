/* combine_nuslerp.c - spherical interpolation of two models, or of their differences from a base, by
 * weights; each tensor as one vector, or each row or column of it.
 *
 * t = w1 / (w0 + w1), or 1/2 where that sum vanishes. The angle comes from the vectors made one long,
 * the result from the vectors as they are. Where they point the same way, or opposite ways, it is (1
 * - t) x0 + t x1. nuslerp_row_wise swaps the first and the last dimension before, so that the vectors
 * are what is stored as columns, whatever the name says; a tensor of one dimension is one vector. */
#include <math.h>

#include "mix/blocks.h"
#include "mix/combine_floats.h"
#include "mix/combine_linear.h"
#include "mix/gram.h"

enum { ROW_WISE, FLATTEN };

static const double shortest = 1e-7; /* as long is a shorter vector taken to be */
static const double flat = 1e-12;    /* square of the sine of an angle too small for the formula */

static double share(const struct combine_call *call)
{
    double sum = call->inputs[0].weight + call->inputs[1].weight;

    return fabs(sum) < 1e-6 ? 0.5 : call->inputs[1].weight / sum;
}

/* From three dot products: what goes in of either. */
static void find_weights(double t, double square0, double product, double square1,
                         double weights[2])
{
    double cosine = product / (fmax(sqrt(square0), shortest) * fmax(sqrt(square1), shortest));
    double angle;

    cosine = cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
    if (1 - cosine * cosine <= flat) {
        weights[0] = 1 - t;
        weights[1] = t;
        return;
    }
    angle = acos(cosine);
    weights[0] = sin((1 - t) * angle) / sin(angle);
    weights[1] = sin(t * angle) / sin(angle);
}

static double base_weight(const struct combine_call *call, const double weights[2])
{
    return call->base ? 1 - weights[0] - weights[1] : 0;
}

/* ---- which vectors ---- */

enum vectors { WHOLE, ROWS, COLUMNS };

static enum vectors vectors(const double *settings)
{
    return settings[FLATTEN] != 0 ? WHOLE : settings[ROW_WISE] != 0 ? COLUMNS : ROWS;
}

static bool wants_rows(const double *settings)
{
    return vectors(settings) == ROWS;
}

/* The items that differ in the first index alone are one vector: this many there are. */
static size_t n_columns(const struct combine_call *call)
{
    const struct output_tensor *out = call->out;

    return out->n_dims > 1 && out->shape[0] ? out->n_items / out->shape[0] : 1;
}

static size_t row_items(const struct combine_call *call)
{
    const struct output_tensor *out = call->out;

    return out->n_dims ? out->shape[out->n_dims - 1] : 1;
}

/* ---- passes ---- */

static bool is_needed(const struct combine_call *call)
{
    return vectors(call->settings) == WHOLE;
}

static void size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    if (is_needed(call))
        gram_size(call, n_sums, n_counts);
}

/* The difference from the base, of one block. */
static void read_input(const struct combine_call *call, size_t input, size_t first, size_t n,
                       float *out)
{
    float base[COMBINE_BLOCK_ITEMS];

    combine_read_floats(&call->inputs[input], first, n, out);
    if (!call->base)
        return;
    combine_read_floats(call->base, first, n, base);
    blocks_subtract(out, base, out);
}

static void conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    double weights[2];

    (void)counts;
    find_weights(share(call), sums[0], sums[1], sums[2], weights);
    sums[0] = weights[0];
    sums[1] = weights[1];
}

/* ---- long rows, and columns ---- */

/* Three dot products of each column, or of the row; then what goes in. */
struct vectors_found {
    size_t first; /* column */
    double sums[COMBINE_COLUMNS][3];
};

static size_t columns_wanted(const struct combine_call *call)
{
    return vectors(call->settings) == COLUMNS ? n_columns(call) : 0;
}

static size_t state_bytes(const struct combine_call *call)
{
    (void)call;
    return sizeof(struct vectors_found);
}

static void look_at_columns(const struct combine_call *call, struct vectors_found *found)
{
    float x[2][COMBINE_BLOCK_ITEMS];
    size_t columns = n_columns(call), column = call->first % columns, k;

    found->first = columns > COMBINE_COLUMNS ? column : 0;
    for (size_t first = 0; first < call->n; first += COMBINE_BLOCK_ITEMS) {
        size_t left = call->n - first;
        size_t n = left < COMBINE_BLOCK_ITEMS ? left : COMBINE_BLOCK_ITEMS;

        read_input(call, 0, first, n, x[0]);
        read_input(call, 1, first, n, x[1]);
        for (k = 0; k < n; k++) {
            double *sums = found->sums[column - found->first];

            sums[0] += (double)x[0][k] * (double)x[0][k];
            sums[1] += (double)x[0][k] * (double)x[1][k];
            sums[2] += (double)x[1][k] * (double)x[1][k];
            column = column + 1 < columns ? column + 1 : 0;
        }
    }
}

static void look(const struct combine_call *call, void *state)
{
    struct vectors_found *found = state;

    if (vectors(call->settings) == COLUMNS)
        look_at_columns(call, found);
    else
        gram_add(call->inputs, 2, call->base, 0, call->n, found->sums[0]);
}

static bool turn(const struct combine_call *call, void *state)
{
    struct vectors_found *found = state;

    for (size_t i = 0; i < COMBINE_COLUMNS; i++) {
        double *sums = found->sums[i], weights[2];

        find_weights(share(call), sums[0], sums[1], sums[2], weights);
        sums[0] = weights[0];
        sums[1] = weights[1];
    }
    return false;
}

static const struct combine_stages stages = {.n_columns = columns_wanted,
                                             .state_bytes = state_bytes, .look = look,
                                             .turn = turn};

/* ---- the result ---- */

static void combine_rows(const struct combine_call *call, char *out)
{
    size_t row = row_items(call), out_bytes = combine_item_bytes(call->out->dtype);
    size_t n_vectors = 2 + (call->base != NULL);

    if (call->state) {
        const double *weights = ((const struct vectors_found *)call->state)->sums[0];

        combine_linear_weighted(call, weights, base_weight(call, weights), out);
        return;
    }
    for (size_t first = 0; first < call->n; first += row) {
        double sums[3] = {0}, weights[2];

        gram_add(call->inputs, 2, call->base, first, row, sums);
        find_weights(share(call), sums[0], sums[1], sums[2], weights);
        call->spare[0] = call->inputs[0];
        call->spare[0].weight = weights[0];
        call->spare[1] = call->inputs[1];
        call->spare[1].weight = weights[1];
        if (call->base) {
            call->spare[2] = *call->base;
            call->spare[2].weight = base_weight(call, weights);
        }
        for (size_t i = 0; i < n_vectors; i++)
            call->spare[i].values = (const char *)call->spare[i].values +
                                    first * combine_item_bytes(call->spare[i].dtype);
        combine_linear_run(call->spare, n_vectors, row, call->out->dtype, out + first * out_bytes);
    }
}

static void combine_columns(const struct combine_call *call, void *out)
{
    double x[3][COMBINE_BLOCK_ITEMS] = {{0}};
    const struct vectors_found *found = call->state;
    size_t columns = n_columns(call), column = call->first % columns;

    for (size_t first = 0; first < call->n; first += COMBINE_BLOCK_ITEMS) {
        size_t left = call->n - first;
        size_t n = left < COMBINE_BLOCK_ITEMS ? left : COMBINE_BLOCK_ITEMS;

        combine_read(&call->inputs[0], first, x[0], n);
        combine_read(&call->inputs[1], first, x[1], n);
        if (call->base)
            combine_read(call->base, first, x[2], n);
        for (size_t k = 0; k < n; k++) {
            const double *own = found->sums[column - found->first];

            x[0][k] = own[0] * x[0][k] + own[1] * x[1][k] + base_weight(call, own) * x[2][k];
            column = column + 1 < columns ? column + 1 : 0;
        }
        combine_write(call->out->dtype, x[0], out, first, n);
    }
}

static void nuslerp(const struct combine_call *call, void *out)
{
    const double *weights;

    switch (vectors(call->settings)) {
    case ROWS: combine_rows(call, out); break;
    case COLUMNS: combine_columns(call, out); break;
    default:
        weights = call->facts[0].sums;
        combine_linear_weighted(call, weights, base_weight(call, weights), out);
    }
}

static const struct combine_pass passes[] = {
    {.size = size, .measure = gram_measure, .conclude = conclude, .is_needed = is_needed},
};

static const struct combine_parameter parameters[] = {
    {"weight", COMBINE_WEIGHT, COMBINE_NUMBER, .is_required = true,
     .meaning = "share of the model on the way from one to the other"},
    {"nuslerp_row_wise", COMBINE_ALL, COMBINE_BOOLEAN,
     .meaning = "with nuslerp_flatten false: each column is a vector, not each row"},
    {"nuslerp_flatten", COMBINE_ALL, COMBINE_BOOLEAN, .standard = 1,
     .meaning = "each tensor is one vector"},
};

const struct combine_method combine_nuslerp = {
    .name = "nuslerp",
    .summary = "along the arc between two models, or their differences from a base",
    .combine = nuslerp,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_OPTIONAL,
    .min_inputs = 2,
    .max_inputs = 2,
    .sum = COMBINE_SUM_ANY,
    .wants_rows = wants_rows,
    .stages = &stages,
    .passes = passes,
    .n_passes = sizeof passes / sizeof *passes,
};
