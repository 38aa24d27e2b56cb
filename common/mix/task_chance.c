#include "task_chance.h"

#include <assert.h>
#include <string.h>

#include "mix/blocks.h"
#include "mix/coin.h"
#include "mix/combine_floats.h"
#include "mix/rank_cells.h"
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
    uint64_t kept[BLOCKS_WORDS];

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

/* ---- what is known to be kept: words with a bit for each item of a call, whole blocks, for each
 * input ---- */

static size_t n_words(size_t n)
{
    return (n + BLOCK - 1) / BLOCK * BLOCKS_WORDS;
}

static void keep_known(const struct combine_call *call, void *context, size_t input, size_t first,
                       size_t n, const float *difference, uint64_t *kept)
{
    const uint64_t *words = context;

    (void)n;
    (void)difference;
    memcpy(kept, words + input * n_words(call->n) + first / 64, BLOCKS_WORDS * sizeof *kept);
}

/* Decides once, if what is kept of the tensor is not too much. */
static size_t kept_bytes(const struct combine_call *call, size_t n)
{
    static const size_t most = 32 * 1024 * 1024;
    size_t bytes = call->n_inputs * n_words(n) * sizeof(uint64_t);

    return task_rescales(call) && call->out->n_items / n < most / bytes ? bytes : 0;
}

/* ---- all with one probability ---- */

static void keep_even(const struct combine_call *call, void *context, size_t input, size_t first,
                      size_t n, const float *difference, uint64_t *kept)
{
    struct coin *coin = (struct coin *)context + input;
    int32_t limit = coin_limit(call->inputs[input].settings[TASK_DENSITY]), draws[BLOCK];

    (void)n;
    (void)difference;
    if (first == 0)
        *coin = coin_of(call->seed, call->out->name, input);
    coin_toss(coin, call->first + first, BLOCK, draws);
    blocks_below(draws, limit, kept);
}

static void toss_all(const struct combine_call *call, uint64_t *words)
{
    for (size_t i = 0; i < call->n_inputs; i++)
        for (size_t first = 0; first < call->n; first += BLOCK)
            keep_even(call, task_scratch(call), i, first, BLOCK, NULL,
                      words + i * n_words(call->n) + first / 64);
}

static void measure_even(const struct combine_call *call, double *sums, size_t *counts)
{
    uint64_t *words = call->facts[0].kept;

    (void)counts;
    if (!words) {
        measure_with(call, keep_even, task_scratch(call), sums);
        return;
    }
    toss_all(call, words);
    measure_with(call, keep_known, words, sums);
}

void task_chance_combine(const struct combine_call *call, bool votes, void *out)
{
    uint64_t *words = is_needed(call) ? call->facts[0].kept : NULL;

    combine_with(call, words ? keep_known : keep_even, words ? words : task_scratch(call), votes,
                 out);
}

const struct combine_pass task_chance_even[] = {
    {.size = size, .measure = measure_even, .conclude = conclude, .is_needed = is_needed,
     .kept_bytes = kept_bytes},
};

/* ---- by rank ---- */

/* The scratch: words for all inputs, then the room. */
static_assert(TASK_RANK_ITEM_BYTES == 8 + 8 + 8 + 2 * sizeof(int32_t) + 1, "words and room");
static_assert(TASK_RANK_BYTES == (TASK_RANK_INPUTS_MAX + 1) * BLOCKS_WORDS * 8, "of the last blocks");

static uint64_t *words_of(const struct combine_call *call)
{
    return call->scratch;
}

static struct rank_room room_of(const struct combine_call *call)
{
    uint64_t *open = words_of(call) + call->n_inputs * n_words(call->n);
    uint64_t *order = open + n_words(call->n), *left = order + call->n;
    int32_t *sizes = (int32_t *)(left + call->n);

    return (struct rank_room){.sizes = sizes, .draws = sizes + call->n, .open = open,
                              .order = order, .left = left};
}

static void rank_input(const struct combine_call *call, size_t input, const struct rank_room *room,
                       uint64_t *keepers)
{
    struct coin coin = coin_of(call->seed, call->out->name, input);
    const double *settings = call->inputs[input].settings;
    size_t row = call->out->n_dims ? call->out->shape[call->out->n_dims - 1] : 1;
    float x[BLOCK], base[BLOCK];
    int32_t bits[BLOCK];

    for (size_t i = 0; i < call->n; i += BLOCK) {
        size_t some = call->n - i < BLOCK ? call->n - i : BLOCK;

        combine_read_floats(call->base, i, some, base);
        combine_read_difference(&call->inputs[input], i, some, base, x);
        blocks_sizes(x, bits);
        memcpy(room->sizes + i, bits, some * sizeof *bits);
    }
    coin_toss(&coin, call->first, call->n, room->draws);
    rank_keep(room, call->n, row, settings[TASK_DENSITY], settings[TASK_EPSILON], keepers);
}

static void rank_all(const struct combine_call *call, uint64_t *words)
{
    struct rank_room room = room_of(call);

    for (size_t i = 0; i < call->n_inputs; i++)
        if (task_share(&call->inputs[i]) == TASK_SOME)
            rank_input(call, i, &room, words + i * n_words(call->n));
}

static void keep_staged(const struct combine_call *call, void *context, size_t input, size_t first,
                        size_t n, const float *difference, uint64_t *kept);

static void measure_by_rank(const struct combine_call *call, double *sums, size_t *counts)
{
    uint64_t *words = call->facts[0].kept ? call->facts[0].kept : words_of(call);

    (void)counts;
    if (call->state) {
        measure_with(call, keep_staged, call->state, sums);
        return;
    }
    rank_all(call, words);
    measure_with(call, keep_known, words, sums);
}

void task_chance_combine_by_rank(const struct combine_call *call, bool votes, void *out)
{
    uint64_t *words = is_needed(call) ? call->facts[0].kept : NULL;

    if (call->state) {
        combine_with(call, keep_staged, call->state, votes, out);
        return;
    }
    if (!words)
        rank_all(call, words = words_of(call));
    combine_with(call, keep_known, words, votes, out);
}

/* ---- by rank, long rows: the state has cells for each input ---- */

static size_t state_bytes(const struct combine_call *call)
{
    return call->n_inputs * rank_cells_bytes();
}

static struct rank_cells *cells_of(void *state, size_t input)
{
    return (struct rank_cells *)((char *)state + input * rank_cells_bytes());
}

static void find_draws(const struct combine_call *call, size_t input, size_t first, int32_t *draws)
{
    struct coin coin = coin_of(call->seed, call->out->name, input);

    coin_toss(&coin, call->first + first, BLOCK, draws);
}

static void look_at_cells(const struct combine_call *call, void *context, size_t input,
                          size_t first, size_t n, const float *difference)
{
    int32_t bits[BLOCK], draws[BLOCK];

    blocks_sizes(difference, bits);
    find_draws(call, input, first, draws);
    rank_cells_look(cells_of(context, input), bits, draws, n);
}

static void keep_staged(const struct combine_call *call, void *context, size_t input, size_t first,
                        size_t n, const float *difference, uint64_t *kept)
{
    int32_t bits[BLOCK], draws[BLOCK];

    blocks_sizes(difference, bits);
    find_draws(call, input, first, draws);
    memset(kept, 0, BLOCKS_WORDS * sizeof *kept);
    rank_cells_keep(cells_of(context, input), bits, draws, n, kept);
}

static void look(const struct combine_call *call, void *state)
{
    size_t row = call->out->shape[call->out->n_dims - 1];

    for (size_t i = 0; i < call->n_inputs; i++) {
        const double *settings = call->inputs[i].settings;

        if (rank_cells_is_new(cells_of(state, i)))
            rank_cells_init(cells_of(state, i), row, settings[TASK_DENSITY],
                            settings[TASK_EPSILON]);
    }
    task_look(call, look_at_cells, state);
}

static bool turn(const struct combine_call *call, void *state)
{
    bool goes_on = false;

    for (size_t i = 0; i < call->n_inputs; i++)
        if (task_share(&call->inputs[i]) == TASK_SOME)
            goes_on |= rank_cells_turn(cells_of(state, i));
    return goes_on;
}

const struct combine_stages task_chance_stages = {.state_bytes = state_bytes, .look = look,
                                                  .turn = turn};

const struct combine_pass task_chance_by_rank[] = {
    {.size = size, .measure = measure_by_rank, .conclude = conclude, .is_needed = is_needed,
     .kept_bytes = kept_bytes},
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
