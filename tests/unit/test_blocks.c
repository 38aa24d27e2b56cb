#include "mix/blocks_kernels.h"

#include <math.h>
#include <string.h>

#include "test.h"

enum { BLOCK = COMBINE_BLOCK_ITEMS };

/* Numbers of all sizes; some 0, -0, equal to others, infinite or NaN. */
static void fill(float *x, uint64_t *state)
{
    static const float specials[] = {0, -0.0f, 1, -1, 1e-6f, -1e-6f, INFINITY, NAN};

    for (size_t k = 0; k < BLOCK; k++) {
        uint64_t bits;

        *state = *state * 6364136223846793005u + 1442695040888963407u;
        bits = *state >> 32;
        x[k] = bits % 4 == 0 ? specials[bits >> 8 & 7]
                             : ldexpf((float)(bits >> 8 & 0xFFFF) / 32768 - 1, (int)(bits & 31) - 24);
    }
}

struct state {
    float x[BLOCK], other[BLOCK], out[BLOCK];
    float changed[BLOCK], sum[BLOCK], alone[BLOCK];
    struct block_votes votes, counted, divided;
    int32_t bits[BLOCK], kept[BLOCK];
    size_t ranks[BLOCK];
    double powers[BLOCK], logs[BLOCK];
};

static void run(const struct blocks_version *version, struct state *state)
{
    uint64_t seed = 3;

    memset(state, 0, sizeof *state);
    for (int i = 0; i < 3; i++) {
        fill(state->x, &seed);
        version->vote(state->x, 0.75f, (float)i - 0.5f, &state->votes);
        version->drop_small(state->x, 1e-3f);
        version->tally(state->x, 1.25f, state->changed, state->sum, state->alone);
    }
    state->counted = state->divided = state->votes;
    version->count(&state->counted, 0, 1);
    version->count(&state->divided, 0.25f, 2);
    version->average(state->changed, state->alone, state->sum);
    fill(state->other, &seed);
    version->swap(state->x, state->other, 0.125f, state->out);
    version->add(state->sum, state->out);
    for (size_t k = 0; k < BLOCK; k++) {
        memcpy(&state->bits[k], &state->other[k], sizeof(float));
        state->bits[k] &= 0x7FFFFFFF;
    }
    version->within(state->bits, 0x3000000, 0x3F800000, state->kept);
    for (size_t k = 0; k < BLOCK; k++) {
        state->powers[k] = -(double)(k * k * k) / 1e5;
        state->logs[k] = ((double)k - 256) / 4200;
    }
    version->exp(state->powers);
    version->log1p(state->logs);
    for (size_t k = 0; k < BLOCK; k++)
        state->ranks[k] = version->rank(state->bits, BLOCK - k % 17, k < BLOCK - k % 17 ? k : 0);
}

static bool same_floats(const float *a, const float *b, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (memcmp(&a[k], &b[k], sizeof *a) != 0 && !(isnan(a[k]) && isnan(b[k])))
            return false;
    return true;
}

static void all_versions_give_the_same_bits(void)
{
    static struct state expected, found;
    const struct blocks_version *version;

    run(blocks_version(0), &expected);
    for (size_t i = 1; (version = blocks_version(i)); i++) {
        run(version, &found);
        CHECK(same_floats(expected.out, found.out, BLOCK));
        CHECK(same_floats(expected.sum, found.sum, BLOCK));
        CHECK(same_floats(expected.votes.sum, found.votes.sum, 5 * BLOCK));
        CHECK(same_floats(expected.counted.sum, found.counted.sum, BLOCK));
        CHECK(same_floats(expected.divided.sum, found.divided.sum, BLOCK));
        CHECK(memcmp(expected.kept, found.kept, sizeof found.kept) == 0);
        CHECK(memcmp(expected.ranks, found.ranks, sizeof found.ranks) == 0);
        CHECK(memcmp(expected.powers, found.powers, sizeof found.powers) == 0);
        CHECK(memcmp(expected.logs, found.logs, sizeof found.logs) == 0);
    }
}

/* What each does, item by item. */
static void they_choose_as_they_say(void)
{
    static struct block_votes votes;
    float x[BLOCK] = {2, -3, 0, NAN}, base[BLOCK] = {1, -0.0f, -0.0f}, zero[BLOCK] = {0};
    int32_t row[] = {5, 7, 5, 9, 5};

    blocks_vote(x, 0.5f, 0.5f, &votes);
    x[0] = -1;
    blocks_vote(x, 0.25f, 0.25f, &votes);
    CHECK(votes.sum[0] == 0.75f && votes.plus[0] == 1 && votes.minus[0] == -0.25f);
    CHECK(votes.plus_weights[0] == 0.5f && votes.minus_weights[1] == 0.75f);
    blocks_count(&votes, 1e-30f, 1);
    CHECK(votes.sum[0] == 2 && votes.sum[1] == -3 && votes.sum[2] == 0 && isnan(votes.sum[3]));
    blocks_add(zero, base);
    CHECK(base[0] == 1 && signbit(base[1]) && !signbit(base[3]));
    x[0] = 0.5f;
    blocks_drop_small(x, 0.5f);
    CHECK(x[0] == 0 && x[1] == -3 && isnan(x[3]));
    CHECK(blocks_rank(row, 5, 0) == 2 && blocks_rank(row, 5, 2) == 1 && blocks_rank(row, 5, 4) == 0);
    CHECK(blocks_rank(row, 5, 3) == 4);
}

static void functions_are_as_exact_as_they_say(void)
{
    double powers[BLOCK], logs[BLOCK], worst[2] = {0};

    for (size_t k = 0; k < BLOCK; k++) {
        powers[k] = -(double)(k * k) / 380;
        logs[k] = ((double)k - 256) / 4200;
    }
    blocks_exp(powers);
    blocks_log1p(logs);
    for (size_t k = 0; k < BLOCK; k++) {
        double x = ((double)k - 256) / 4200, power = exp(-(double)(k * k) / 380);

        worst[0] = fmax(worst[0], fabs(powers[k] / power - 1));
        worst[1] = fmax(worst[1], fabs(logs[k] - log1p(x)));
    }
    CHECK(worst[0] < 2e-14 && worst[1] < 2e-16);
}

TESTS(TEST(functions_are_as_exact_as_they_say), TEST(all_versions_give_the_same_bits), TEST(they_choose_as_they_say))
