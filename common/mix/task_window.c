#include "task_window.h"

#include <assert.h>
#include <string.h>

#include "mix/blocks.h"
#include "mix/combine_floats.h"
#include "mix/rank_select.h"

enum { HIGH, LOW, EQUAL };
enum { BLOCK = COMBINE_BLOCK_ITEMS };

/* Ranks first … end - 1 stay. */
struct window {
    size_t first, end;
};

static struct window largest(const struct combine_input *input, size_t n)
{
    double product = input->settings[TASK_DENSITY] * (double)n;
    size_t k = product < 1 ? 1 : (size_t)product;

    return (struct window){n < k ? 0 : n - k, n};
}

static struct window middle(const struct combine_input *input, size_t n)
{
    size_t target = (size_t)(input->settings[TASK_DENSITY] * (double)n);
    size_t top = (size_t)(input->settings[TASK_GAMMA] * (double)n);
    size_t first = n - target > top ? n - target - top : 0;

    return (struct window){first, first + target};
}

/* ---- the upper bits of the ends ---- */

/* What the pass is concluded to, for each input in front of its counts. */
struct high {
    size_t first, end;                /* of the window */
    size_t first_bucket, first_rank;  /* the smallest that stays: its bucket, its rank in there */
    size_t last_bucket, last_rank;    /* the largest; no bucket is so high: nothing is cut there */
};

static void high_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    *n_sums = call->n_inputs; /* magnitudes */
    *n_counts = call->n_inputs * RANK_HIGH_COUNTS;
}

/* What a pass fills. */
struct found {
    double *sums;
    size_t *counts;
};

static void high_look(const struct combine_call *call, void *context, size_t input, size_t first,
                      size_t n, const float *x)
{
    const struct found *found = context;

    (void)first;
    rank_count_high(x, n, found->counts + input * RANK_HIGH_COUNTS);
    if (task_rescales(call))
        found->sums[input] += blocks_size_sum(x);
}

static void high_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    task_look(call, high_look, &(struct found){sums, counts});
}

static struct high find_high(const size_t *counts, struct window window, size_t n)
{
    struct rank_place place = rank_find(counts, RANK_HIGH_COUNTS, window.first);
    struct high high = {.first = window.first, .end = window.end,
                        .first_bucket = place.bucket, .first_rank = window.first - place.before,
                        .last_bucket = RANK_HIGH_COUNTS};

    if (window.end < n && window.end > window.first) {
        place = rank_find(counts, RANK_HIGH_COUNTS, window.end - 1);
        high.last_bucket = place.bucket;
        high.last_rank = window.end - 1 - place.before;
    }
    return high;
}

static void high_conclude(const struct combine_call *call, size_t *counts,
                          struct window (*find)(const struct combine_input *, size_t))
{
    size_t n = call->out->n_items;

    for (size_t i = 0; i < call->n_inputs; i++) {
        size_t *own = counts + i * RANK_HIGH_COUNTS;
        struct high high;

        if (task_share(&call->inputs[i]) != TASK_SOME)
            continue;
        high = find_high(own, find(&call->inputs[i], n), n);
        memcpy(own, &high, sizeof high);
    }
}

static void high_conclude_largest(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)sums;
    high_conclude(call, counts, largest);
}

static void high_conclude_middle(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)sums;
    high_conclude(call, counts, middle);
}

static struct high high_of(const struct combine_call *call, size_t input)
{
    struct high high;

    memcpy(&high, call->facts[HIGH].counts + input * RANK_HIGH_COUNTS, sizeof high);
    return high;
}

/* ---- the lower bits ---- */

/* What the pass is concluded to, for each input in front of its counts. */
struct limits {
    size_t low, high;               /* bits of the smallest and the largest that stay */
    size_t n_low, n_high;           /* how many of those equal to one stay */
    bool cuts_low, cuts_high;       /* and whether that is not all */
    bool has_none;
};

/* Those of the upper ends stand behind all of the lower ends. */
static size_t *low_counts(const struct combine_call *call, size_t *counts, size_t input,
                          bool is_upper)
{
    return counts + (input + (is_upper ? call->n_inputs : 0)) * RANK_LOW_COUNTS;
}

static void low_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    *n_sums = call->n_inputs; /* magnitudes of what is sure to stay */
    *n_counts = call->n_inputs * RANK_LOW_COUNTS;
}

static void low_size_middle(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    *n_sums = call->n_inputs;
    *n_counts = 2 * call->n_inputs * RANK_LOW_COUNTS;
}

/* Magnitudes in the buckets between the two. */
static void add_between(const float *x, const struct high *high, double *sum)
{
    uint64_t kept[BLOCKS_WORDS];
    size_t first = (high->first_bucket + 1) << RANK_LOW_BITS;
    size_t end = high->last_bucket << RANK_LOW_BITS;
    double all = 0;

    if (first >= end)
        return;
    blocks_within(x, (int32_t)first, (int32_t)(end - 1), kept);
    blocks_magnitudes(x, kept, &all, sum);
}

static void low_look(const struct combine_call *call, void *context, size_t input, size_t first,
                     size_t n, const float *x)
{
    const struct found *found = context;
    struct high high = high_of(call, input);

    (void)first;
    rank_count_low(x, n, high.first_bucket, low_counts(call, found->counts, input, false));
    if (high.last_bucket < RANK_HIGH_COUNTS)
        rank_count_low(x, n, high.last_bucket, low_counts(call, found->counts, input, true));
    if (task_rescales(call))
        add_between(x, &high, &found->sums[input]);
}

static void low_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    task_look(call, low_look, &(struct found){sums, counts});
}

static struct limits find_limits(const size_t *lower, const size_t *upper, const struct high *high)
{
    struct rank_place place = rank_find(lower, RANK_LOW_COUNTS, high->first_rank);
    size_t n_equal = lower[place.bucket];
    struct limits limits = {
        .low = high->first_bucket << RANK_LOW_BITS | place.bucket,
        .high = INT32_MAX,
        .n_low = n_equal - (high->first_rank - place.before),
        .has_none = high->first == high->end,
    };

    limits.cuts_low = limits.n_low < n_equal;
    if (high->last_bucket == RANK_HIGH_COUNTS || limits.has_none)
        return limits;
    place = rank_find(upper, RANK_LOW_COUNTS, high->last_rank);
    limits.high = high->last_bucket << RANK_LOW_BITS | place.bucket;
    limits.n_high = high->last_rank - place.before + 1;
    limits.cuts_high = limits.n_high < upper[place.bucket];
    if (limits.high == limits.low) { /* some of the equal ones, and nothing else */
        limits.n_low = limits.n_high = high->end - high->first;
        limits.cuts_low = limits.n_low < n_equal;
        limits.cuts_high = false;
    }
    return limits;
}

/* Magnitudes that a histogram of lower bits knows of, first … end - 1. */
static double sum_counted(const size_t *counts, size_t bucket, size_t first, size_t end)
{
    double sum = 0;

    for (size_t v = first; v < end; v++)
        if (counts[v])
            sum += (double)counts[v] * (double)rank_value(bucket << RANK_LOW_BITS | v);
    return sum;
}

/* What stays of the buckets at the ends. */
static double sum_ends(const size_t *lower, const size_t *upper, const struct high *high,
                       const struct limits *limits)
{
    size_t low = limits->low % RANK_LOW_COUNTS, last = limits->high % RANK_LOW_COUNTS;
    double sum = (double)limits->n_low * (double)rank_value(limits->low);
    bool is_one = high->first_bucket == high->last_bucket;

    sum += sum_counted(lower, high->first_bucket, low + 1, is_one ? last : RANK_LOW_COUNTS);
    if (high->last_bucket == RANK_HIGH_COUNTS || limits->high == limits->low)
        return sum;
    if (!is_one)
        sum += sum_counted(upper, high->last_bucket, 0, last);
    return sum + (double)limits->n_high * (double)rank_value(limits->high);
}

/* Sums become the factors of what stays. */
static void low_conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    for (size_t i = 0; i < call->n_inputs; i++) {
        size_t *lower = low_counts(call, counts, i, false);
        size_t *upper = low_counts(call, counts, i, true);
        struct high high = high_of(call, i);
        struct limits limits;

        if (task_share(&call->inputs[i]) != TASK_SOME)
            continue;
        limits = find_limits(lower, upper, &high);
        sums[i] = task_rescales(call) && !limits.has_none
                      ? task_scale(call->facts[HIGH].sums[i],
                                   sums[i] + sum_ends(lower, upper, &high, &limits))
                      : 1;
        memcpy(lower, &limits, sizeof limits);
    }
}

static struct limits limits_of(const struct combine_call *call, size_t input)
{
    struct limits limits;

    memcpy(&limits, call->facts[LOW].counts + input * RANK_LOW_COUNTS, sizeof limits);
    return limits;
}

/* ---- where equal ones stand ---- */

static bool equal_is_needed(const struct combine_call *call)
{
    for (size_t i = 0; i < call->n_inputs; i++) {
        struct limits limits = limits_of(call, i);

        if (task_share(&call->inputs[i]) == TASK_SOME && (limits.cuts_low || limits.cuts_high))
            return true;
    }
    return false;
}

static void equal_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_counts;
    *n_sums = 2 * call->n_inputs;
}

/* Among n items of a block, with 0 behind them. */
static size_t count_equal(const float *x, size_t n, size_t value)
{
    return blocks_count_equal(x, (int32_t)value) - (value == 0 ? BLOCK - n : 0);
}

static void equal_look(const struct combine_call *call, void *context, size_t input, size_t first,
                       size_t n, const float *x)
{
    struct limits limits = limits_of(call, input);
    double *sums = (double *)context + 2 * input;

    (void)first;
    if (!limits.cuts_low && !limits.cuts_high)
        return;
    sums[0] += (double)count_equal(x, n, limits.low);
    if (limits.cuts_high)
        sums[1] += (double)count_equal(x, n, limits.high);
}

static void equal_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)counts;
    task_look(call, equal_look, sums);
}

/* ---- keeping ---- */

/* One end of a window on its way through a call. */
struct end {
    size_t value, n_kept, n_seen;
    bool cuts;
};

/* Whether no more of the items equal to the end are kept; so they are left out with what lies beyond.
 * INT32_MAX is a limit to which 1 is added nowhere. */
static bool is_full(const struct end *end)
{
    return end->cuts && end->n_seen >= end->n_kept && end->value < INT32_MAX;
}

/* Drops of the items equal to the end those that come too late. */
static void cut(struct end *end, const float *x, size_t n, uint64_t *kept)
{
    uint64_t equal[BLOCKS_WORDS];
    size_t n_equal;

    if (!end->cuts || is_full(end))
        return;
    n_equal = count_equal(x, n, end->value);
    if (end->n_seen + n_equal > end->n_kept) {
        blocks_within(x, (int32_t)end->value, (int32_t)end->value, equal);
        rank_drop_late(equal, end->n_kept > end->n_seen ? end->n_kept - end->n_seen : 0, kept);
    }
    end->n_seen += n_equal;
}

/* The ends of an input's window, low and high; set up at the first block of a call. */
static_assert(2 * sizeof(struct end) == TASK_WINDOW_INPUT_BYTES, "room for both");

static void keep(const struct combine_call *call, void *context, size_t input, size_t first,
                 size_t n, const float *difference, uint64_t *kept)
{
    struct limits limits = limits_of(call, input);
    struct end *ends = (struct end *)context + 2 * input;
    const double *before = call->facts[EQUAL].before;

    if (first == 0) {
        ends[0] = (struct end){limits.low, limits.n_low, (size_t)before[2 * input],
                               limits.cuts_low};
        ends[1] = (struct end){limits.high, limits.n_high, (size_t)before[2 * input + 1],
                               limits.cuts_high};
    }
    if (limits.has_none) {
        memset(kept, 0, BLOCKS_WORDS * sizeof *kept);
        return;
    }
    blocks_within(difference, (int32_t)limits.low + is_full(&ends[0]),
                  (int32_t)limits.high - is_full(&ends[1]), kept);
    cut(&ends[0], difference, n, kept);
    cut(&ends[1], difference, n, kept);
}

void task_window_combine(const struct combine_call *call, bool votes, void *out)
{
    task_combine(&(struct task_rules){.keep = keep, .context = task_scratch(call),
                                      .scales = call->facts[LOW].sums, .votes = votes},
                 call, out);
}

#define LATER_PASSES(size_of_low)                                                                 \
    [LOW] = {.size = (size_of_low), .measure = low_measure, .conclude = low_conclude,             \
             .is_needed = task_drops},                                                            \
    [EQUAL] = {.size = equal_size, .measure = equal_measure, .is_needed = equal_is_needed,        \
               .keeps_before = true}

const struct combine_pass task_window_largest[] = {
    [HIGH] = {.size = high_size, .measure = high_measure, .conclude = high_conclude_largest,
              .is_needed = task_drops},
    LATER_PASSES(low_size),
};

const struct combine_pass task_window_middle[] = {
    [HIGH] = {.size = high_size, .measure = high_measure, .conclude = high_conclude_middle,
              .is_needed = task_drops},
    LATER_PASSES(low_size_middle),
};
