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
    float voted[BLOCK], divided[BLOCK];
    int32_t bits[BLOCK];
    size_t ranks[BLOCK];
    double powers[BLOCK], logs[BLOCK];
    float growths[BLOCK];
    double divergence;
};

static void run(const struct blocks_version *version, struct state *state)
{
    static float terms[3][BLOCK];
    struct block_term each[3];
    uint64_t seed = 3;

    memset(state, 0, sizeof *state);
    for (int i = 0; i < 3; i++) {
        fill(terms[i], &seed);
        each[i] = (struct block_term){terms[i], NULL, 1, (float)i - 0.5f, 0.75f};
        memcpy(state->x, terms[i], sizeof state->x);
        version->drop_small(state->x, 1e-3f);
        version->tally(state->x, 1.25f, state->changed, state->sum, state->alone);
    }
    version->vote(each, 3, 0, 1, state->voted);
    version->vote(each, 3, 0.25f, 2, state->divided);
    version->average(state->changed, state->alone, state->sum);
    fill(state->other, &seed);
    version->swap(state->x, state->other, 0.125f, state->out);
    version->add(state->sum, state->out);
    for (size_t k = 0; k < BLOCK; k++) {
        memcpy(&state->bits[k], &state->other[k], sizeof(float));
        state->bits[k] &= 0x7FFFFFFF;
    }
    for (size_t k = 0; k < BLOCK; k++) {
        state->powers[k] = -(double)(k * k * k) / 1e5;
        state->logs[k] = ((double)k - 256) / 4200;
    }
    version->exp(state->powers);
    version->log1p(state->logs);
    for (size_t k = 0; k < BLOCK; k++) {
        state->alone[k] = (float)k / 5000 - 0.05f;
        state->changed[k] = 1 + (float)(k % 7);
    }
    version->grow(state->changed, state->alone, state->growths, &state->divergence);
    state->divergence += version->diverge(state->changed, state->growths, 2048, 0.001);
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
        CHECK(same_floats(expected.voted, found.voted, BLOCK));
        CHECK(same_floats(expected.divided, found.divided, BLOCK));
        CHECK(memcmp(expected.ranks, found.ranks, sizeof found.ranks) == 0);
        CHECK(memcmp(expected.powers, found.powers, sizeof found.powers) == 0);
        CHECK(memcmp(expected.logs, found.logs, sizeof found.logs) == 0);
        CHECK(same_floats(expected.growths, found.growths, BLOCK));
        CHECK(expected.divergence == found.divergence);
    }
}

/* What each does, item by item. */
static void they_choose_as_they_say(void)
{
    static float x[BLOCK] = {2, -3, 0, NAN, 4}, other[BLOCK] = {-1, -3, 0, 1, 8};
    float base[BLOCK] = {1, -0.0f, -0.0f}, zero[BLOCK] = {0}, out[BLOCK];
    uint64_t kept[BLOCKS_WORDS] = {1 << 4};
    struct block_term terms[] = {{x, NULL, 1, 0.5f, 0.5f}, {other, NULL, 1, 0.25f, 0.25f}};
    int32_t row[] = {5, 7, 5, 9, 5};

    blocks_vote(terms, 2, 1e-30f, 1, out);
    CHECK(out[0] == 2 && out[1] == -3 && out[2] == 0 && !signbit(out[2]) && isnan(out[3]));
    blocks_vote(terms, 2, 0, 1, out);
    CHECK(out[0] == 1 && out[1] == -2.25f);
    terms[0].vote = 0.1f; /* the second decides, but not with what weight */
    blocks_vote(terms, 2, 0, 1, out);
    CHECK(out[0] == -0.25f && out[1] == -2.25f);
    blocks_vote(terms, 2, 0.3f, 4, out); /* 0.25 is too little */
    CHECK(out[0] == -0.0625f && out[1] == -3);
    terms[1] = (struct block_term){other, kept, 3, 0.25f, 0.25f};
    blocks_weigh(terms, 2, out);
    CHECK(out[0] == 1 && out[1] == -1.5f && isnan(out[3]) && out[4] == 8);
    blocks_add(zero, base);
    CHECK(base[0] == 1 && signbit(base[1]) && !signbit(base[3]));
    x[0] = 0.5f;
    blocks_drop_small(x, 0.5f);
    CHECK(x[0] == 0 && x[1] == -3 && isnan(x[3]));
    CHECK(blocks_rank(row, 5, 0) == 2 && blocks_rank(row, 5, 2) == 1 && blocks_rank(row, 5, 4) == 0);
    CHECK(blocks_rank(row, 5, 3) == 4);
}

/* ---- each against what it says, item by item ---- */

static double tree(const double *each)
{
    return ((each[0] + each[4]) + (each[2] + each[6])) + ((each[1] + each[5]) + (each[3] + each[7]));
}

/* Sums of products in eight lanes. */
static double plain_dot(const float *a, const float *b)
{
    double each[8] = {0};

    for (size_t k = 0; k < BLOCK; k++)
        each[k % 8] += (double)a[k] * (double)b[k];
    return tree(each);
}

static bool is_set(const uint64_t *words, size_t k)
{
    return words[k / 64] >> k % 64 & 1;
}

static double plain_sizes(const float *x, const uint64_t *kept)
{
    double each[8] = {0};

    for (size_t k = 0; k < BLOCK; k++)
        each[k % 8] += is_set(kept, k) ? (double)fabsf(x[k]) : 0;
    return tree(each);
}

/* Which differ in each word. */
static void fill_words(uint64_t *words, uint64_t *state)
{
    for (size_t i = 0; i < BLOCKS_WORDS; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        words[i] = *state ^ *state >> 31;
    }
}

static int32_t size_bits(float x)
{
    int32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7FFFFFFF;
}

/* Finite numbers, as sums of others would be NaN and prove nothing. */
static void fill_finite(float *x, uint64_t *state)
{
    fill(x, state);
    for (size_t k = 0; k < BLOCK; k++)
        x[k] = isfinite(x[k]) ? x[k] : 0.125f;
}

static void check_sums(const struct blocks_version *version)
{
    static const uint64_t all[BLOCKS_WORDS] = {[0 ... BLOCKS_WORDS - 1] = UINT64_MAX};
    float a[BLOCK], b[BLOCK], only[BLOCK];
    uint64_t kept[BLOCKS_WORDS];
    double found[3] = {1, 2, 3}, sizes[2] = {4, 5};
    uint64_t state = 5;

    fill_finite(a, &state);
    fill_finite(b, &state);
    fill_words(kept, &state);
    for (size_t k = 0; k < BLOCK; k++)
        only[k] = is_set(kept, k) ? a[k] : 0;
    CHECK(version->dot(a, b) == plain_dot(a, b));
    version->dots(a, b, &found[0], &found[1], &found[2]);
    CHECK(found[0] == 1 + plain_dot(a, a) && found[1] == 2 + plain_dot(a, b));
    CHECK(found[2] == 3 + plain_dot(b, b));
    version->magnitudes(a, kept, &sizes[0], &sizes[1]);
    CHECK(sizes[0] == 4 + plain_sizes(a, all) && sizes[1] == 5 + plain_sizes(a, kept));
    CHECK(version->size_sum(a) == plain_sizes(a, all));
    CHECK(version->kept_squares(a, kept) == plain_dot(only, only));
}

static void check_items(const struct blocks_version *version)
{
    float a[BLOCK], b[BLOCK], expected[BLOCK], found[BLOCK];
    char bytes[2 * BLOCK + 1];
    int32_t sizes[BLOCK];
    uint64_t state = 7;
    bool are_right = true;

    fill(a, &state);
    fill(b, &state);
    version->round_to_bf16(a, (uint16_t *)(void *)sizes);
    memcpy(bytes + 1, sizes, 2 * BLOCK);
    version->subtract_from_bf16(bytes + 1, b, found);
    for (size_t k = 0; k < BLOCK; k++) {
        uint32_t bits = ((const uint16_t *)(const void *)sizes)[k];

        bits <<= 16;
        memcpy(&expected[k], &bits, sizeof bits);
        expected[k] -= b[k];
    }
    CHECK(same_floats(expected, found, BLOCK));
    version->subtract(a, b, found);
    for (size_t k = 0; k < BLOCK; k++)
        expected[k] = a[k] - b[k];
    CHECK(same_floats(expected, found, BLOCK));
    memcpy(found, b, sizeof found);
    version->add_scaled(a, 0.3f, found);
    for (size_t k = 0; k < BLOCK; k++)
        expected[k] = b[k] + a[k] * 0.3f;
    CHECK(same_floats(expected, found, BLOCK));
    memcpy(found, b, sizeof found);
    version->add_large(a, 0.5f, b, found);
    for (size_t k = 0; k < BLOCK; k++)
        expected[k] = fabsf(a[k]) < 0.5f ? b[k] : b[k] + b[k];
    CHECK(same_floats(expected, found, BLOCK));
    version->sizes(a, sizes);
    for (size_t k = 0; k < BLOCK; k++)
        are_right &= sizes[k] == size_bits(a[k]);
    CHECK(are_right);
}

/* Against dtype.c, for all bits that there are in the upper half, and some below. */
static void check_rounding(const struct blocks_version *version)
{
    static const uint32_t lows[] = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
    float x[BLOCK], clean[BLOCK];
    double wide[BLOCK];
    uint16_t expected[BLOCK], found[BLOCK];
    size_t n_wrong = 0;

    for (size_t low = 0; low < sizeof lows / sizeof *lows; low++)
        for (uint32_t first = 0; first < 0x10000; first += BLOCK) {
            for (uint32_t k = 0; k < BLOCK; k++) {
                uint32_t bits = (first + k) << 16 | lows[low];

                memcpy(&x[k], &bits, sizeof bits);
                wide[k] = (double)x[k];
            }
            dtype_from_double(DTYPE_BF16, wide, expected, BLOCK);
            version->round_to_bf16(x, found);
            version->canonical(x, clean);
            for (size_t k = 0; k < BLOCK; k++) {
                uint32_t bits;

                memcpy(&bits, &clean[k], sizeof bits);
                n_wrong += expected[k] != found[k];
                n_wrong += isnan(x[k]) ? bits != 0x7FC00000 : memcmp(&clean[k], &x[k], 4) != 0;
            }
        }
    CHECK(n_wrong == 0);
}

static void check_choosing(const struct blocks_version *version)
{
    float x[BLOCK], changed[BLOCK];
    int32_t bits[BLOCK], picked[BLOCK];
    uint64_t kept[BLOCKS_WORDS];
    size_t n_equal = 0, n_picked = 0, counts[4] = {0, 0, 10, 20};
    uint64_t state = 11;
    bool are_right = true;

    fill(x, &state);
    for (size_t k = 0; k < BLOCK; k++) {
        bits[k] = size_bits(x[k]);
        changed[k] = (float)(k % 4);
        n_equal += bits[k] == 0x3F800000;
        counts[0] += x[k] != 0 && k % 4 > 1;
        counts[1] += x[k] != 0 && k % 4 == 1;
    }
    CHECK(n_equal > 10 && version->count_equal(x, 0x3F800000) == n_equal);
    version->count_changes(x, changed, &counts[2], &counts[3]);
    CHECK(counts[2] == 10 + counts[0] && counts[3] == 20 + counts[1]);
    CHECK(version->pick(x, 0, INT32_MAX, picked) == BLOCK);
    CHECK(memcmp(picked, bits, sizeof bits) == 0);
    n_equal = version->pick(x, 0x3E800000, 0x3F800000, picked);
    for (size_t k = 0; k < BLOCK; k++)
        if (bits[k] >= 0x3E800000 && bits[k] <= 0x3F800000)
            are_right &= n_picked < n_equal && picked[n_picked++] == bits[k];
    CHECK(are_right && n_picked == n_equal && n_picked > 20 && n_picked < BLOCK);
    version->within(x, 0x3E800000, 0x3F800000, kept);
    for (size_t k = 0; k < BLOCK; k++)
        are_right &= is_set(kept, k) == (bits[k] >= 0x3E800000 && bits[k] <= 0x3F800000);
    version->within(x, 0x7F800001, INT32_MAX, kept);
    for (size_t k = 0; k < BLOCK; k++)
        are_right &= is_set(kept, k) == isnan(x[k]);
    version->within(x, 0x3F800001, 0x3F800000, kept);
    for (size_t k = 0; k < BLOCK; k++)
        are_right &= !is_set(kept, k);
    CHECK(are_right);
}

static void check_variances(const struct blocks_version *version, size_t n)
{
    static float x[3 * BLOCK], found[BLOCK];
    uint64_t state = 13;
    bool are_right = true;

    for (size_t i = 0; i < n; i++)
        fill_finite(x + i * BLOCK, &state);
    version->variances(x, n, found);
    for (size_t k = 0; k < BLOCK; k++) {
        float mean = 0, sum = 0;

        for (size_t i = 0; i < n; i++)
            mean += x[i * BLOCK + k];
        mean /= (float)n;
        for (size_t i = 0; i < n; i++)
            sum += (x[i * BLOCK + k] - mean) * (x[i * BLOCK + k] - mean);
        are_right &= found[k] == sum / (float)n;
    }
    CHECK(are_right);
    x[7] = -NAN;
    version->variances(x, n, found);
    CHECK(isnan(found[7]) && !signbit(found[7]));
}

/* Items that are not kept count as 0, also if they are NaN. */
static void check_terms(const struct blocks_version *version)
{
    static float x[3][BLOCK];
    struct block_term terms[3];
    float weighed[BLOCK], voted[BLOCK], sums[BLOCK], expected[BLOCK];
    uint64_t kept[3][BLOCKS_WORDS], state = 29;

    for (size_t i = 0; i < 3; i++) {
        fill(x[i], &state);
        fill_words(kept[i], &state);
        terms[i] = (struct block_term){x[i], i == 1 ? NULL : kept[i], (float)i - 0.7f,
                                       0.5f - (float)i / 8, 0.25f + (float)i / 4};
    }
    version->weigh(terms, 3, weighed);
    version->vote(terms, 3, 0.2f, 0.8f, voted);
    for (size_t k = 0; k < BLOCK; k++) {
        float each[3] = {0}, sum = 0, weight = 0, vote = 0;

        sums[k] = 0;
        for (size_t i = 0; i < 3; i++) {
            each[i] = (i == 1 || is_set(kept[i], k) ? x[i][k] : 0) * terms[i].factor;
            sums[k] += each[i] * terms[i].weight;
            vote += each[i] * terms[i].vote;
        }
        for (size_t i = 0; i < 3; i++)
            if (vote >= 0 ? each[i] * terms[i].vote > 0 : each[i] * terms[i].vote < 0) {
                sum += each[i] * terms[i].weight;
                weight += terms[i].weight;
            }
        expected[k] = isnan(vote) ? vote : sum / (weight < 0.2f ? 0.8f : weight);
    }
    CHECK(same_floats(sums, weighed, BLOCK) && same_floats(expected, voted, BLOCK));
}

/* "triple32" with half a key before and half in the middle. */
static int32_t plain_toss(uint32_t x, uint32_t one, uint32_t other)
{
    x ^= one;
    x = (x ^ x >> 17) * 0xed5ad4bb;
    x = ((x ^ x >> 11) + other) * 0xac4c1b51;
    x = (x ^ x >> 15) * 0x31848bab;
    return (int32_t)((x ^ x >> 14) >> 1);
}

static void check_tosses(const struct blocks_version *version)
{
    static const size_t lengths[] = {0, 1, 3, 4, 5, 15, 16, 17, 31, 33, BLOCK};
    int32_t found[BLOCK + 1];
    bool are_right = true;

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t n = lengths[i];
        uint32_t place = UINT32_MAX - (uint32_t)n + 1; /* up to the end of a block of 2^32 */

        found[n] = -5;
        version->toss(place, 0x12345678, 0x9ABCDEF0, n, found);
        for (size_t k = 0; k < n; k++)
            are_right &= found[k] == plain_toss(place + (uint32_t)k, 0x12345678, 0x9ABCDEF0);
        are_right &= found[n] == -5;
    }
    CHECK(are_right);
}

static void check_words(const struct blocks_version *version)
{
    float x[BLOCK];
    int32_t bits[BLOCK], draws[BLOCK], low = INT32_MAX / 3, high = INT32_MAX / 2;
    uint64_t kept[BLOCKS_WORDS], open[BLOCKS_WORDS], below[BLOCKS_WORDS], state = 17;
    size_t n_kept = 0, n_open = 0;
    bool are_right = true;

    fill(x, &state);
    version->sizes(x, bits);
    version->toss(0, 1, 2, BLOCK, draws);
    draws[5] = low;
    draws[6] = high;
    version->chance(draws, bits, low, high, kept, open);
    version->below(draws, low, below);
    for (size_t k = 0; k < BLOCK; k++) {
        bool is_kept = is_set(kept, k), is_open = is_set(open, k);

        are_right &= is_kept == (draws[k] < low) && is_set(below, k) == is_kept;
        are_right &= is_open == (draws[k] >= low && draws[k] < high && bits[k] != 0);
        n_kept += is_kept;
        n_open += is_open;
    }
    CHECK(are_right && n_kept > 100 && n_open > 50);
    version->below(draws, 0, below);
    for (size_t i = 0; i < BLOCKS_WORDS; i++)
        are_right &= below[i] == 0;
    CHECK(are_right);
}

static void check_buckets(const struct blocks_version *version)
{
    static const size_t lengths[] = {1, 15, 16, 33, BLOCK};
    float x[BLOCK];
    int32_t bits[BLOCK], found[BLOCK + 1], seen[3] = {0};
    uint64_t state = 19;
    bool are_right = true;

    fill(x, &state);
    version->sizes(x, bits);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        found[lengths[i]] = -5;
        version->find_buckets(bits, lengths[i], 18, (0x3F800000 >> 18) - 200, 255, found);
        for (size_t k = 0; k < lengths[i]; k++) {
            int32_t above = (bits[k] >> 18) - ((0x3F800000 >> 18) - 200);
            int32_t expected = above < 0 ? 0 : above > 255 ? 255 : above;

            are_right &= found[k] == expected;
            seen[expected == 0 ? 0 : expected == 255 ? 2 : 1]++;
        }
        are_right &= found[lengths[i]] == -5;
    }
    CHECK(are_right && seen[0] > 20 && seen[1] > 20 && seen[2] > 20);
}

/* A double's arithmetic, eight at a time. */
static void check_doubles(const struct blocks_version *version)
{
    float x[BLOCK];
    double a[BLOCK], b[BLOCK], p[BLOCK], z[BLOCK], each[8] = {0}, products[8] = {0}, largest = 0;
    uint64_t state = 23;
    bool are_right = true;

    fill_finite(x, &state);
    version->widen_less(x, 0.3, a);
    for (size_t k = 0; k < BLOCK; k++) {
        are_right &= a[k] == (double)x[k] - 0.3;
        b[k] = fabs(a[k]) + 0.01;
        each[k % 8] += a[k];
        products[k % 8] += a[k] * b[k];
    }
    CHECK(are_right);
    CHECK(version->sum(a) == tree(each) && version->sum_products(a, b) == tree(products));
    are_right = version->ratios(a, 0.7, b, 0.1, p, z) > 0;
    for (size_t k = 0; k < BLOCK; k++) {
        double own = a[k] * 0.7 + 1e-8, other = b[k] * 0.1 + 1e-8;

        are_right &= p[k] == own && z[k] == (own - other) / other;
        largest = fmax(largest, fabs(z[k]));
    }
    CHECK(are_right && version->ratios(a, 0.7, b, 0.1, p, z) == largest);
    a[100] = NAN;
    CHECK(isnan(version->ratios(a, 0.7, b, 0.1, p, z)));
}

/* Divergences of rows that are more and less alike, in double. */
static void check_divergences(const struct blocks_version *version)
{
    float shares[BLOCK], x[BLOCK], growths[BLOCK], own[BLOCK];
    uint64_t state = 31;

    for (int scale = 0; scale < 20; scale += 4) {
        double sums[2] = {0}, found = 0, expected = 0, growth = 0;

        fill_finite(own, &state);
        for (size_t k = 0; k < BLOCK; k++) {
            shares[k] = k < 500 ? 0.5f + (float)(k * k % 97) / 50 : 0;
            x[k] = k < 500 ? fmodf(own[k], 0.125f) / (float)(1 << scale) : 0;
            sums[0] += (double)shares[k];
            sums[1] += (double)shares[k] * expm1((double)x[k]);
        }
        CHECK(version->grow(shares, x, growths, &growth));
        CHECK(fabs(growth / sums[1] - 1) < 1e-6);
        sums[1] /= sums[0];
        for (size_t k = 0; k < 500; k++) {
            double q = (double)shares[k] / sums[0];
            double more = q * (expm1((double)x[k]) - sums[1]) / (1 + sums[1]);

            expected += (q + 1e-8 + more) * log1p(more / (q + 1e-8)) - more;
        }
        found = version->diverge(shares, growths, sums[0], growth / sums[0]);
        CHECK(fabs(found / expected - 1) < 1e-6);
    }
    x[3] = -0.1251f;
    CHECK(!version->grow(shares, x, growths, &(double){0}));
    x[3] = NAN;
    CHECK(!version->grow(shares, x, growths, &(double){0}));
}

static void every_version_does_what_it_says(void)
{
    const struct blocks_version *version;

    for (size_t i = 0; (version = blocks_version(i)); i++) {
        check_sums(version);
        check_items(version);
        check_rounding(version);
        check_choosing(version);
        check_variances(version, 2);
        check_variances(version, 3);
        check_terms(version);
        check_tosses(version);
        check_words(version);
        check_buckets(version);
        check_doubles(version);
        check_divergences(version);
    }
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

TESTS(TEST(every_version_does_what_it_says), TEST(functions_are_as_exact_as_they_say), TEST(all_versions_give_the_same_bits), TEST(they_choose_as_they_say))
