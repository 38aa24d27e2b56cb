/* combine_arcee_fusion.c - Arcee Fusion: of one model's changes the most important, whole; the others
 * not at all.
 *
 * The importance of an item is its difference from the base times the Kullback-Leibler divergence of
 * its row, both rows made distributions by softmax, with 1e-8 added. An item stays whose importance
 * reaches the median + 1.5 times the distance of the quartiles, all without interpolation, of all
 * items of the tensor (mergekit looks at a random million of them). Divergences are in double: they
 * are what is left when larger terms cancel. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "mix/combine_floats.h"
#include "mix/rank_select.h"

enum { DIVERGENCE, HIGH, LOW }; /* the passes */
enum { BLOCK = COMBINE_BLOCK_ITEMS, N_QUARTILES = 3 };

static size_t row_items(const struct combine_call *call)
{
    size_t n = call->out->n_dims ? call->out->shape[call->out->n_dims - 1] : 1;

    return n ? n : 1;
}

/* ---- divergences of rows ---- */

/* y = exp(x), x <= 0, to some 1e-14: 2^n exp(r) with n the nearest integer to x / ln 2. */
static void exponential(const double *restrict x, double *restrict y)
{
    static const double to_integer = 0x1.8p52; /* added, it leaves no bits for fractions */

    for (size_t k = 0; k < BLOCK; k++) {
        double at = x[k] < -700 ? -700 : x[k];
        double n = at * 1.4426950408889634 + to_integer, r, p;
        uint64_t bits;

        memcpy(&bits, &n, sizeof bits);
        bits = (bits + 1023) << 52;
        n -= to_integer;
        r = (at - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
        p = 1 / 39916800.0;
        p = p * r + 1 / 3628800.0;
        p = p * r + 1 / 362880.0;
        p = p * r + 1 / 40320.0;
        p = p * r + 1 / 5040.0;
        p = p * r + 1 / 720.0;
        p = p * r + 1 / 120.0;
        p = p * r + 1 / 24.0;
        p = p * r + 1 / 6.0;
        p = p * r + 0.5;
        p = p * r + 1;
        p = p * r + 1;
        memcpy(&n, &bits, sizeof n);
        y[k] = p * n;
    }
}

/* z = ln(1 + z) for |z| < 1/16. */
static void log_near_1(double *z)
{
    for (size_t k = 0; k < BLOCK; k++) {
        double x = z[k], p = -1 / 14.0;

        p = p * x + 1 / 13.0;
        p = p * x - 1 / 12.0;
        p = p * x + 1 / 11.0;
        p = p * x - 1 / 10.0;
        p = p * x + 1 / 9.0;
        p = p * x - 1 / 8.0;
        p = p * x + 1 / 7.0;
        p = p * x - 1 / 6.0;
        p = p * x + 1 / 5.0;
        p = p * x - 1 / 4.0;
        p = p * x + 1 / 3.0;
        p = p * x - 1 / 2.0;
        p = p * x + 1;
        z[k] = p * x;
    }
}

static double sum_of(const double *x)
{
    double lanes[8] = {0};

    for (size_t k = 0; k < BLOCK; k += 8)
        for (size_t l = 0; l < 8; l++)
            lanes[l] += x[k + l];
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

struct row {
    const struct combine_input *input;
    size_t first, n;
    double max, sum; /* of the items; of their exponentials */
};

/* exp(item - max) of a block, 0 behind the row's end. */
static void read_exponentials(const struct row *row, size_t first, size_t n, double *out)
{
    double x[BLOCK];

    combine_read(row->input, row->first + first, x, n);
    for (size_t k = 0; k < n; k++)
        x[k] -= row->max;
    for (size_t k = n; k < BLOCK; k++)
        x[k] = -INFINITY;
    exponential(x, out);
    for (size_t k = n; k < BLOCK; k++)
        out[k] = 0;
}

static struct row read_row(const struct combine_input *input, size_t first, size_t n)
{
    struct row row = {input, first, n, -INFINITY, 0};
    double x[BLOCK];

    for (size_t i = 0; i < n; i += BLOCK) {
        size_t some = n - i < BLOCK ? n - i : BLOCK;

        combine_read(input, first + i, x, some);
        for (size_t k = 0; k < some; k++)
            row.max = x[k] > row.max ? x[k] : row.max;
    }
    for (size_t i = 0; i < n; i += BLOCK) {
        read_exponentials(&row, i, n - i < BLOCK ? n - i : BLOCK, x);
        row.sum += sum_of(x);
    }
    return row;
}

/* p ln(p / q) of a block, to p. */
static void find_terms(double *restrict p, const double *restrict q)
{
    double z[BLOCK], largest = 0;

    for (size_t k = 0; k < BLOCK; k++)
        z[k] = (p[k] - q[k]) / q[k];
    for (size_t k = 0; k < BLOCK; k++)
        largest = fabs(z[k]) > largest ? fabs(z[k]) : largest;
    if (largest < 0.0625)
        log_near_1(z);
    else
        for (size_t k = 0; k < BLOCK; k++)
            z[k] = log1p(z[k]);
    for (size_t k = 0; k < BLOCK; k++)
        p[k] *= z[k];
}

static void make_probable(double *p, double sum)
{
    for (size_t k = 0; k < BLOCK; k++)
        p[k] = p[k] / sum + 1e-8;
}

static double divergence(const struct combine_call *call, size_t first, size_t n)
{
    struct row model = read_row(&call->inputs[0], first, n), base = read_row(call->base, first, n);
    double p[BLOCK], q[BLOCK], sum = 0;

    for (size_t i = 0; i < n; i += BLOCK) {
        size_t some = n - i < BLOCK ? n - i : BLOCK;

        read_exponentials(&model, i, some, p);
        read_exponentials(&base, i, some, q);
        make_probable(p, model.sum);
        make_probable(q, base.sum);
        find_terms(p, q);
        for (size_t k = some; k < BLOCK; k++)
            p[k] = 0;
        sum += sum_of(p);
    }
    return sum;
}

/* One for each row of a grain. */
static void divergence_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_counts;
    *n_sums = row_items(call) < COMBINE_GRAIN_ITEMS ? COMBINE_GRAIN_ITEMS / row_items(call) : 1;
}

static void divergence_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    size_t row = row_items(call);

    (void)counts;
    for (size_t first = 0; first < call->n; first += row) {
        double found = divergence(call, first, row);

        *sums++ = found < 0 ? 0 : found; /* of like rows a little below, perhaps */
    }
}

/* ---- importances ---- */

struct items {
    float base[BLOCK], difference[BLOCK], importance[BLOCK];
};

static void measure_difference(const float *restrict x, struct items *restrict items)
{
    for (size_t k = 0; k < BLOCK; k++) {
        items->difference[k] = x[k] - items->base[k];
        items->importance[k] = fabsf(items->difference[k]);
    }
}

static void read_items(const struct combine_call *call, size_t first, size_t n,
                       struct items *items)
{
    const double *divergences = call->facts[DIVERGENCE].before;
    size_t row = row_items(call), place = first / row, left = row - first % row;
    float x[BLOCK];

    combine_read_floats(call->base, first, n, items->base);
    combine_read_floats(&call->inputs[0], first, n, x);
    measure_difference(x, items);
    for (size_t k = 0; k < n; place++, left = row) {
        size_t end = n - k < left ? n : k + left;
        float factor = (float)divergences[place];

        for (; k < end; k++)
            items->importance[k] *= factor;
    }
}

/* ---- the quartiles ---- */

/* The rank of each; the product is a float's, as mergekit has it where it looks at all items. */
static size_t quartile_rank(size_t n, size_t which)
{
    static const size_t n_exact = 1000000;
    double part = (double)(which + 1) / 4;

    if (n == 0)
        return 0;
    return n <= n_exact ? (size_t)((float)part * (float)(n - 1)) : (size_t)(part * (double)(n - 1));
}

static void high_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)call;
    (void)n_sums;
    *n_counts = RANK_HIGH_COUNTS;
}

static void high_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    struct items items;
    int32_t bits[BLOCK];

    (void)sums;
    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        read_items(call, first, n, &items);
        rank_bits(items.importance, BLOCK, bits);
        rank_count_high(bits, n, counts);
    }
}

/* To the bucket of each quartile, and its rank in there. */
static void high_conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    size_t found[2 * N_QUARTILES];

    (void)sums;
    for (size_t i = 0; i < N_QUARTILES; i++) {
        size_t rank = quartile_rank(call->out->n_items, i);
        struct rank_place place = rank_find(counts, RANK_HIGH_COUNTS, rank);

        found[2 * i] = place.bucket;
        found[2 * i + 1] = rank - place.before;
    }
    memcpy(counts, found, sizeof found);
}

static void low_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)call;
    *n_sums = 1;
    *n_counts = N_QUARTILES * RANK_LOW_COUNTS;
}

static void low_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    struct items items;
    int32_t bits[BLOCK];

    (void)sums;
    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        read_items(call, first, n, &items);
        rank_bits(items.importance, BLOCK, bits);
        for (size_t i = 0; i < N_QUARTILES; i++)
            rank_count_low(bits, n, call->facts[HIGH].counts[2 * i], counts + i * RANK_LOW_COUNTS);
    }
}

/* To the importance that must be reached. */
static void low_conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    float quartiles[N_QUARTILES];

    for (size_t i = 0; i < N_QUARTILES; i++) {
        const size_t *high = call->facts[HIGH].counts + 2 * i;
        struct rank_place place = rank_find(counts + i * RANK_LOW_COUNTS, RANK_LOW_COUNTS, high[1]);

        quartiles[i] = rank_value(high[0] << RANK_LOW_BITS | place.bucket);
    }
    sums[0] = quartiles[1] + 1.5f * (quartiles[2] - quartiles[0]);
}

/* ---- the result ---- */

static void add_important(struct items *items, float threshold)
{
    for (size_t k = 0; k < BLOCK; k++)
        if (!(items->importance[k] < threshold)) /* NaN stays */
            items->base[k] += items->difference[k];
}

static void arcee_fusion(const struct combine_call *call, void *out)
{
    struct items items;

    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        read_items(call, first, n, &items);
        add_important(&items, (float)call->facts[LOW].sums[0]);
        combine_write_floats(call->out->dtype, items.base, out, first, n);
    }
}

static const struct combine_pass passes[] = {
    [DIVERGENCE] = {.size = divergence_size, .measure = divergence_measure, .keeps_own = true},
    [HIGH] = {.size = high_size, .measure = high_measure, .conclude = high_conclude},
    [LOW] = {.size = low_size, .measure = low_measure, .conclude = low_conclude},
};

const struct combine_method combine_arcee_fusion = {
    .name = "arcee_fusion",
    .summary = "the most important changes of one model, whole",
    .combine = arcee_fusion,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 1,
    .max_inputs = 1,
    .unit = COMBINE_ROWS,
    .passes = passes,
    .n_passes = sizeof passes / sizeof *passes,
};
