/* combine_arcee_fusion.c - Arcee Fusion: of one model's changes the most important, whole; the others
 * not at all.
 *
 * The importance of an item is its difference from the base times the Kullback-Leibler divergence of
 * its row, both rows made distributions by softmax, with 1e-8 added. An item stays whose importance
 * reaches the median + 1.5 times the distance of the quartiles, all without interpolation, of all
 * items of the tensor (mergekit looks at a random million of them). Divergences are in double, as they
 * are what is left when larger terms cancel, or are made of terms that do not. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "math/vector.h"
#include "mix/blocks.h"
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

/* A block of a row, less what its largest item is. */
static void read_block(const struct combine_input *input, size_t first, size_t n, double max,
                       double *out)
{
    float x[BLOCK];

    if (input->dtype != DTYPE_F64) {
        combine_read_floats(input, first, n, x);
        blocks_widen_less(x, max, out);
        return;
    }
    combine_read(input, first, out, n);
    for (size_t k = 0; k < n; k++)
        out[k] -= max;
}

/* A NaN may be overlooked: what follows from it is NaN, whatever the largest. */
static double row_max(const struct combine_input *input, size_t first, size_t n)
{
    double x[BLOCK], max = -INFINITY;
    float floats[BLOCK];

    for (size_t i = 0; i < n; i += BLOCK) {
        size_t some = n - i < BLOCK ? n - i : BLOCK;

        if (input->dtype != DTYPE_F64) {
            combine_read_floats(input, first + i, some, floats);
            max = fmax(max, (double)vector_max(floats, some));
            continue;
        }
        combine_read(input, first + i, x, some);
        for (size_t k = 0; k < some; k++)
            max = x[k] > max ? x[k] : max;
    }
    return max;
}

/* exp(x - max) of a block, 0 behind it. Returns their sum. */
static double exponentials(const struct combine_input *input, size_t first, size_t n, double max,
                           double *x)
{
    read_block(input, first, n, max, x);
    memset(x + n, 0, (BLOCK - n) * sizeof *x);
    blocks_exp(x);
    memset(x + n, 0, (BLOCK - n) * sizeof *x);
    return blocks_sum(x);
}

/* Of a row, to whole blocks of out. */
static double row_exponentials(const struct combine_input *input, size_t first, size_t n,
                               double *out)
{
    double max = row_max(input, first, n), sum = 0;

    for (size_t i = 0; i < n; i += BLOCK)
        sum += exponentials(input, first + i, n - i < BLOCK ? n - i : BLOCK, max, out + i);
    return sum;
}

/* What a block adds to it, exponentials with 0 behind them: there p and q are equal, and add nothing. */
static double block_divergence(const double *model, double model_sum, const double *base,
                               double base_sum)
{
    double p[BLOCK], z[BLOCK];

    if (blocks_ratios(model, 1 / model_sum, base, 1 / base_sum, p, z) < 0.0625)
        blocks_log1p(z);
    else
        for (size_t k = 0; k < BLOCK; k++)
            z[k] = log1p(z[k]);
    return blocks_sum_products(p, z);
}

static double exact_divergence(const struct combine_call *call, size_t first, size_t n)
{
    double *model = call->scratch, *base = model + call->n + BLOCK, sum = 0;
    double model_sum = row_exponentials(&call->inputs[0], first, n, model);
    double base_sum = row_exponentials(call->base, first, n, base);

    for (size_t i = 0; i < n; i += BLOCK)
        sum += block_divergence(model + i, model_sum, base + i, base_sum);
    return sum;
}

/* Of rows that differ little, in floats (see blocks_diverge). False: of these it is not exact. Of one
 * item nothing may be left, which is not so if things are rounded. */
static bool find_close(const struct combine_call *call, size_t first, size_t n, double *found)
{
    float *shares = call->scratch, *growths = shares + call->n + BLOCK, base[BLOCK], x[BLOCK];
    double share_sum = 0, growth_sum = 0;

    if (call->base->dtype == DTYPE_F64 || call->inputs[0].dtype == DTYPE_F64 || n == 1)
        return false;
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t some = n - i < BLOCK ? n - i : BLOCK;

        combine_read_floats(call->base, first + i, some, base);
        combine_read_difference(&call->inputs[0], first + i, some, base, x);
        share_sum += (double)vector_exp(base, 0, some, shares + i);
        memset(shares + i + some, 0, (BLOCK - some) * sizeof *shares);
        if (!blocks_grow(shares + i, x, growths + i, &growth_sum))
            return false;
    }
    if (!(share_sum > 1e-20 && share_sum < 1e30))
        return false;
    *found = 0;
    for (size_t i = 0; i < n; i += BLOCK)
        *found += blocks_diverge(shares + i, growths + i, share_sum, growth_sum / share_sum);
    return true;
}

static double divergence(const struct combine_call *call, size_t first, size_t n)
{
    double close;

    return find_close(call, first, n, &close) ? close : exact_divergence(call, first, n);
}

/* ---- of long rows: the largest items, then the sums, then what pieces add ---- */

enum { MODEL, BASE, N_ROWS };

struct row_facts {
    bool has_max;
    double max[N_ROWS], sum[N_ROWS];
};

static size_t state_bytes(const struct combine_call *call)
{
    (void)call;
    return sizeof(struct row_facts);
}

static bool stage_is_needed(const struct combine_call *call, size_t pass)
{
    (void)call;
    return pass == DIVERGENCE;
}

static const struct combine_input *row_of(const struct combine_call *call, size_t which)
{
    return which == MODEL ? &call->inputs[0] : call->base;
}

static void look(const struct combine_call *call, void *state)
{
    struct row_facts *facts = state;
    double x[BLOCK];

    for (size_t r = 0; r < N_ROWS; r++) {
        if (!facts->has_max) {
            double max = row_max(row_of(call, r), 0, call->n);

            if (call->first % row_items(call) == 0 || max > facts->max[r])
                facts->max[r] = max;
            continue;
        }
        for (size_t i = 0; i < call->n; i += BLOCK)
            facts->sum[r] += exponentials(row_of(call, r), i,
                                          call->n - i < BLOCK ? call->n - i : BLOCK,
                                          facts->max[r], x);
    }
}

static bool turn(const struct combine_call *call, void *state)
{
    struct row_facts *facts = state;
    bool goes_on = !facts->has_max;

    (void)call;
    facts->has_max = true;
    return goes_on;
}

static void measure_piece(const struct combine_call *call, const struct row_facts *facts,
                          double *sum)
{
    double model[BLOCK], base[BLOCK];

    for (size_t i = 0; i < call->n; i += BLOCK) {
        size_t n = call->n - i < BLOCK ? call->n - i : BLOCK;

        exponentials(&call->inputs[0], i, n, facts->max[MODEL], model);
        exponentials(call->base, i, n, facts->max[BASE], base);
        *sum += block_divergence(model, facts->sum[MODEL], base, facts->sum[BASE]);
    }
}

static const struct combine_stages stages = {.state_bytes = state_bytes,
                                             .is_needed = stage_is_needed, .look = look,
                                             .turn = turn};

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
    if (call->state) {
        measure_piece(call, call->state, sums);
        return;
    }
    for (size_t first = 0; first < call->n; first += row)
        *sums++ = divergence(call, first, row);
}

/* ---- importances ---- */

struct items {
    float base[BLOCK], difference[BLOCK];
    float importance[BLOCK]; /* with the sign of the difference */
};

static void read_items(const struct combine_call *call, size_t first, size_t n,
                       struct items *items)
{
    const double *divergences = call->facts[DIVERGENCE].before;
    size_t row = row_items(call), place = first / row, left = row - first % row;

    combine_read_floats(call->base, first, n, items->base);
    combine_read_difference(&call->inputs[0], first, n, items->base, items->difference);
    for (size_t k = 0; k < n; place++, left = row) {
        size_t some = n - k < left ? n - k : left;
        double own = divergences[place] < 0 ? 0 : divergences[place]; /* of like rows, perhaps */

        vector_scale(items->difference + k, (float)own, some, items->importance + k);
        k += some;
    }
    memset(items->importance + n, 0, (BLOCK - n) * sizeof *items->importance);
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

    (void)sums;
    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        read_items(call, first, n, &items);
        rank_count_high(items.importance, n, counts);
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

    (void)sums;
    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        read_items(call, first, n, &items);
        for (size_t i = 0; i < N_QUARTILES; i++)
            rank_count_low(items.importance, n, call->facts[HIGH].counts[2 * i], counts + i * RANK_LOW_COUNTS);
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

static void arcee_fusion(const struct combine_call *call, void *out)
{
    struct items items;

    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        read_items(call, first, n, &items);
        blocks_add_large(items.importance, (float)call->facts[LOW].sums[0], items.difference,
                         items.base);
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
    .stages = &stages,
    .scratch_item_bytes = 2 * sizeof(double),
    .scratch_bytes = 2 * BLOCK * sizeof(double),
    .passes = passes,
    .n_passes = sizeof passes / sizeof *passes,
};
