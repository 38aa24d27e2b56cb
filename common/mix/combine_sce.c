/* combine_sce.c - SCE (Wan and others, 2024): select the items on which the models differ most, count
 * for each model how much it has changed, erase what is against the majority's sign.
 *
 * d = model - base. With select_topk below 1 only the items with the largest variance of d over the
 * models stay, select_topk of those where it is not 0, of equal ones those that come first. The
 * weight of a model is its mean d^2 over all, or 1 / n where these are below 1e-6 together. Then the
 * weighted mean of what has the sign of the sum of all d is added to the base. */
#include <math.h>
#include <string.h>

#include "mix/blocks.h"
#include "mix/combine_floats.h"
#include "mix/rank_select.h"

enum { INT8_MASK, SELECT_TOPK };
enum { HIGH, LOW, EQUAL, SQUARES }; /* the passes */
enum { BLOCK = COMBINE_BLOCK_ITEMS };

/* What LOW is concluded to. */
enum { THRESHOLD, N_KEPT_EQUAL, N_EQUAL };

/* A block: the base, and the differences of all inputs one behind the other, in the scratch. */
struct block {
    float base[BLOCK], *differences;
    size_t first, n;
};

static void read_block(const struct combine_call *call, size_t first, struct block *block)
{
    block->first = first;
    block->n = call->n - first < BLOCK ? call->n - first : BLOCK;
    block->differences = call->input_scratch;
    combine_read_floats(call->base, first, block->n, block->base);
    for (size_t i = 0; i < call->n_inputs; i++) {
        float *x = block->differences + i * BLOCK;

        combine_read_difference(&call->inputs[i], first, block->n, block->base, x);
    }
}

/* ---- selecting ---- */

static bool selects(const struct combine_call *call)
{
    return call->settings[SELECT_TOPK] < 1;
}

static void high_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_sums;
    (void)call;
    *n_counts = RANK_HIGH_COUNTS + 1;
}

static void low_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_sums;
    (void)call;
    *n_counts = RANK_LOW_COUNTS;
}

/* The last count is that of the items without variance. */
static void high_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    struct block block;
    float spread[BLOCK];

    (void)sums;
    for (size_t first = 0; first < call->n; first += BLOCK) {
        read_block(call, first, &block);
        blocks_variances(block.differences, call->n_inputs, spread);
        rank_count_high(spread, block.n, counts);
        counts[RANK_HIGH_COUNTS] += blocks_count_equal(spread, 0) - (BLOCK - block.n);
    }
}

/* How many stay; the product is a float's, as mergekit has it. */
static size_t n_selected(const struct combine_call *call, size_t n_varying)
{
    return (size_t)((float)n_varying * (float)call->settings[SELECT_TOPK]);
}

enum { BUCKET, REST, N_SELECTED }; /* what HIGH is concluded to */

static void high_conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    size_t n = call->out->n_items, k = n_selected(call, n - counts[RANK_HIGH_COUNTS]);
    struct rank_place place = rank_find(counts, RANK_HIGH_COUNTS, n - k);

    (void)sums;
    counts[BUCKET] = place.bucket;
    counts[REST] = n - k - place.before;
    counts[N_SELECTED] = k;
}

static bool selects_some(const struct combine_call *call)
{
    return selects(call) && call->facts[HIGH].counts[N_SELECTED] > 0;
}

static void low_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    struct block block;
    float spread[BLOCK];

    (void)sums;
    for (size_t first = 0; first < call->n; first += BLOCK) {
        read_block(call, first, &block);
        blocks_variances(block.differences, call->n_inputs, spread);
        rank_count_low(spread, block.n, call->facts[HIGH].counts[BUCKET], counts);
    }
}

static void low_conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    const size_t *high = call->facts[HIGH].counts;
    struct rank_place place = rank_find(counts, RANK_LOW_COUNTS, high[REST]);
    size_t n_equal = counts[place.bucket];

    (void)sums;
    counts[THRESHOLD] = high[BUCKET] << RANK_LOW_BITS | place.bucket;
    counts[N_KEPT_EQUAL] = n_equal - (high[REST] - place.before);
    counts[N_EQUAL] = n_equal;
}

static void equal_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)call;
    (void)n_counts;
    *n_sums = 1;
}

static bool equal_is_needed(const struct combine_call *call)
{
    const size_t *found = call->facts[LOW].counts;

    return selects_some(call) && found[N_KEPT_EQUAL] < found[N_EQUAL];
}

/* Among n items of a block, with 0 behind them. */
static size_t count_equal(const float *spread, size_t n, int32_t value)
{
    return blocks_count_equal(spread, value) - (value == 0 ? BLOCK - n : 0);
}

static void equal_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    int32_t threshold = (int32_t)call->facts[LOW].counts[THRESHOLD];
    struct block block;
    float spread[BLOCK];

    (void)counts;
    for (size_t first = 0; first < call->n; first += BLOCK) {
        read_block(call, first, &block);
        blocks_variances(block.differences, call->n_inputs, spread);
        *sums += (double)count_equal(spread, block.n, threshold);
    }
}

/* Which items of a block stay; *n_equal of those at the threshold have come before. */
static void find_selected(const struct combine_call *call, const struct block *block,
                          size_t *n_equal, uint64_t *selected)
{
    const size_t *found = call->facts[LOW].counts;
    int32_t threshold = (int32_t)found[THRESHOLD];
    size_t n_left = found[N_KEPT_EQUAL] > *n_equal ? found[N_KEPT_EQUAL] - *n_equal : 0, n_here;
    uint64_t equal[BLOCKS_WORDS];
    float spread[BLOCK];

    if (!selects_some(call)) {
        memset(selected, selects(call) ? 0 : -1, BLOCKS_WORDS * sizeof *selected);
        return;
    }
    blocks_variances(block->differences, call->n_inputs, spread);
    if (n_left == 0 && threshold < INT32_MAX) {
        blocks_within(spread, threshold + 1, INT32_MAX, selected);
        return;
    }
    blocks_within(spread, threshold, INT32_MAX, selected);
    if (!equal_is_needed(call))
        return;
    n_here = count_equal(spread, block->n, threshold);
    if (n_here > n_left) {
        blocks_within(spread, threshold, threshold, equal);
        rank_drop_late(equal, n_left, selected);
    }
    *n_equal += n_here;
}

/* ---- weighing ---- */

static void squares_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_counts;
    *n_sums = call->n_inputs;
}

static size_t n_equal_before(const struct combine_call *call)
{
    return equal_is_needed(call) ? (size_t)*call->facts[EQUAL].before : 0;
}

static void squares_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    uint64_t selected[BLOCKS_WORDS];
    size_t n_equal = n_equal_before(call);
    struct block block;

    (void)counts;
    for (size_t first = 0; first < call->n; first += BLOCK) {
        read_block(call, first, &block);
        find_selected(call, &block, &n_equal, selected);
        for (size_t i = 0; i < call->n_inputs; i++)
            sums[i] += blocks_kept_squares(block.differences + i * BLOCK, selected);
    }
}

static void squares_conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    double sum = 0;

    (void)counts;
    for (size_t i = 0; i < call->n_inputs; i++) {
        sums[i] /= (double)call->out->n_items;
        sum += sums[i];
    }
    for (size_t i = 0; i < call->n_inputs; i++)
        sums[i] = sum < 1e-6 ? 1 / (double)call->n_inputs : sums[i] / sum;
}

/* ---- the result ---- */

static void sce(const struct combine_call *call, void *out)
{
    struct block_term *terms = (struct block_term *)((float *)call->input_scratch +
                                                     call->n_inputs * BLOCK);
    uint64_t selected[BLOCKS_WORDS];
    size_t n_equal = n_equal_before(call);
    struct block block;
    float sum[BLOCK];

    for (size_t first = 0; first < call->n; first += BLOCK) {
        read_block(call, first, &block);
        find_selected(call, &block, &n_equal, selected);
        for (size_t i = 0; i < call->n_inputs; i++)
            terms[i] = (struct block_term){.x = block.differences + i * BLOCK, .kept = selected,
                                           .factor = 1, .vote = 1,
                                           .weight = (float)call->facts[SQUARES].sums[i]};
        blocks_vote(terms, call->n_inputs, 1e-6f, 1e-6f, sum);
        blocks_add(sum, block.base);
        combine_write_floats(call->out->dtype, block.base, out, first, block.n);
    }
}

static const struct combine_pass passes[] = {
    [HIGH] = {.size = high_size, .measure = high_measure, .conclude = high_conclude,
              .is_needed = selects},
    [LOW] = {.size = low_size, .measure = low_measure, .conclude = low_conclude,
             .is_needed = selects_some},
    [EQUAL] = {.size = equal_size, .measure = equal_measure, .is_needed = equal_is_needed,
               .keeps_before = true},
    [SQUARES] = {.size = squares_size, .measure = squares_measure, .conclude = squares_conclude},
};

static const struct combine_parameter parameters[] = {
    {"int8_mask", COMBINE_ALL, COMBINE_BOOLEAN, .meaning = "accepted, changes nothing"},
    {"select_topk", COMBINE_ALL, COMBINE_NUMBER, .standard = 1, .most = 1,
     .meaning = "which part of the items stays, those on which the models differ most"},
};

const struct combine_method combine_sce = {
    .name = "sce",
    .summary = "what models differ on most, by how much each has changed, signs voted on",
    .combine = sce,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 1,
    .scratch_input_bytes = BLOCK * sizeof(float) + sizeof(struct block_term),
    .passes = passes,
    .n_passes = sizeof passes / sizeof *passes,
};
