#include "task_chance.h"

#include <string.h>

#include "mix/blocks.h"
#include "mix/coin.h"
#include "mix/combine_floats.h"
#include "mix/rank_keep.h"

enum { BLOCK = COMBINE_BLOCK_ITEMS };

/* ---- sums of magnitudes ---- */

static bool is_needed(const struct combine_call *call)
{
    return task_rescales(call) && task_drops(call);
}

static void size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_counts;
    *n_sums = 2 * call->n_inputs; /* of all, of what is kept */
}

struct measured {
    task_keep *keep;
    void *context;
    double *sums;
};

static void add_magnitudes(const struct combine_call *call, void *context, size_t input,
                           size_t first, size_t n, const float *difference)
{
    const struct measured *measured = context;
    double *sums = measured->sums + 2 * input;
    int32_t kept[BLOCK];

    measured->keep(call, measured->context, input, first, n, difference, kept);
    blocks_magnitudes(difference, kept, &sums[0], &sums[1]);
}

static void measure_with(const struct combine_call *call, task_keep *keep, void *context,
                         double *sums)
{
    task_look(call, add_magnitudes, &(struct measured){keep, context, sums});
}

/* Sums become the factors of what stays. */
static void conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)counts;
    for (size_t i = 0; i < call->n_inputs; i++)
        sums[i] = task_scale(sums[2 * i], sums[2 * i + 1]);
}

static void combine_with(const struct combine_call *call, task_keep *keep, void *context,
                         bool votes, void *out)
{
    task_combine(&(struct task_rules){.keep = keep, .context = context,
                                      .scales = is_needed(call) ? call->facts[0].sums : NULL,
                                      .votes = votes},
                 call, out);
}

/* ---- all with one probability ---- */

static void keep_even(const struct combine_call *call, void *context, size_t input, size_t first,
                      size_t n, const float *difference, int32_t *kept)
{
    struct coin *coin = (struct coin *)context + input;
    int32_t limit = coin_limit(call->inputs[input].settings[TASK_DENSITY]), draws[BLOCK];

    (void)n;
    (void)difference;
    if (first == 0)
        *coin = coin_of(call->seed, call->out->name, input);
    coin_toss(coin, call->first + first, BLOCK, draws);
    blocks_within(draws, 0, limit - 1, kept);
}

static void measure_even(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)counts;
    measure_with(call, keep_even, call->input_scratch, sums);
}

void task_chance_combine(const struct combine_call *call, bool votes, void *out)
{
    combine_with(call, keep_even, call->input_scratch, votes, out);
}

const struct combine_pass task_chance_even[] = {
    {.size = size, .measure = measure_even, .conclude = conclude, .is_needed = is_needed},
};

/* ---- by rank ---- */

/* What the scratch holds: for each item of a call one bit for each input that keeps it; for those
 * of a row what rank_keep needs. */
struct ranked {
    uint64_t *keepers;
    struct rank_room room;
};

static struct ranked ranked_of(const struct combine_call *call)
{
    uint64_t *words = call->scratch;
    int32_t *halves = (int32_t *)(words + 3 * call->n);

    return (struct ranked){words, {words + call->n, words + 2 * call->n, halves, halves + call->n}};
}

static void rank_row(const struct combine_call *call, size_t input, size_t first, size_t n,
                     const struct ranked *ranked)
{
    struct coin coin = coin_of(call->seed, call->out->name, input);
    double density = call->inputs[input].settings[TASK_DENSITY];
    float x[BLOCK], base[BLOCK];
    int32_t bits[BLOCK];

    for (size_t i = 0; i < n; i += BLOCK) {
        size_t some = n - i < BLOCK ? n - i : BLOCK;

        combine_read_floats(call->base, first + i, some, base);
        combine_read_floats(&call->inputs[input], first + i, some, x);
        blocks_subtract(x, base, x);
        blocks_sizes(x, bits);
        memcpy(ranked->room.sizes + i, bits, some * sizeof *bits);
    }
    coin_toss(&coin, call->first + first, n, ranked->room.draws);
    rank_keep(&ranked->room, n, density, call->inputs[input].settings[TASK_EPSILON],
              ranked->keepers + first, (uint64_t)1 << input);
}

static struct ranked rank_all(const struct combine_call *call)
{
    struct ranked ranked = ranked_of(call);
    size_t row = call->out->n_dims ? call->out->shape[call->out->n_dims - 1] : 1;

    memset(ranked.keepers, 0, call->n * sizeof *ranked.keepers);
    for (size_t i = 0; i < call->n_inputs; i++)
        for (size_t first = 0; first < call->n; first += row)
            if (task_share(&call->inputs[i]) == TASK_SOME)
                rank_row(call, i, first, row, &ranked);
    return ranked;
}

static void keep_ranked(const struct combine_call *call, void *context, size_t input, size_t first,
                        size_t n, const float *difference, int32_t *kept)
{
    const uint64_t *keepers = (const uint64_t *)context + first;

    (void)call;
    (void)difference;
    for (size_t k = 0; k < n; k++)
        kept[k] = -(int32_t)(keepers[k] >> input & 1);
    for (size_t k = n; k < BLOCK; k++)
        kept[k] = 0;
}

static void measure_by_rank(const struct combine_call *call, double *sums, size_t *counts)
{
    struct ranked ranked = rank_all(call);

    (void)counts;
    measure_with(call, keep_ranked, ranked.keepers, sums);
}

void task_chance_combine_by_rank(const struct combine_call *call, bool votes, void *out)
{
    struct ranked ranked = rank_all(call);

    combine_with(call, keep_ranked, ranked.keepers, votes, out);
}

const struct combine_pass task_chance_by_rank[] = {
    {.size = size, .measure = measure_by_rank, .conclude = conclude, .is_needed = is_needed},
};

int task_chance_check_ranks(const struct combine_call *call, struct error *err)
{
    for (size_t i = 0; i < call->n_inputs; i++) {
        double density = call->inputs[i].settings[TASK_DENSITY];
        double epsilon = call->inputs[i].settings[TASK_EPSILON];

        if (task_share(&call->inputs[i]) == TASK_SOME &&
            !(density - epsilon > 0 && density + epsilon < 1))
            return error_set(err, ERROR_USAGE, "'density' %.10g with 'epsilon' %.10g: density - "
                             "epsilon must be above 0 and density + epsilon below 1, or density 0 "
                             "or 1", density, epsilon);
    }
    return 0;
}
