/* blocks_body.h - the functions of blocks.h for one width of lanes.h; blocks_plain.c, blocks_avx2.c
 * and blocks_avx512.c include it. */
#ifndef COCKTAIL_BLOCKS_BODY_H
#define COCKTAIL_BLOCKS_BODY_H

#include "math/lanes.h"
#include "mix/blocks_kernels.h"

enum { BLOCK = COMBINE_BLOCK_ITEMS };

LANES_INLINE lanes only(lanes_bits mask, lanes x)
{
    return (lanes)(mask & (lanes_bits)x);
}

LANES_INLINE lanes size_of(lanes x)
{
    return (lanes)((lanes_bits)x & 0x7FFFFFFF);
}

LANES_INLINE void add_to(float *sum, lanes x)
{
    lanes_store(lanes_load(sum) + x, sum);
}

LANES_TARGET static void vote(const float *x, float term_weight, float weight,
                              struct block_votes *votes)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes raw = lanes_load(x + k), term = raw * term_weight;
        lanes_bits above = (lanes_bits)(raw * term_weight > 0);
        lanes_bits below = (lanes_bits)(raw * term_weight < 0);
        lanes own = lanes_set(weight), value = raw * weight;

        add_to(votes->sum + k, term);
        add_to(votes->plus + k, only(above, value));
        add_to(votes->minus + k, only(below, value));
        add_to(votes->plus_weights + k, only(above, own));
        add_to(votes->minus_weights + k, only(below, own));
    }
}

LANES_TARGET static void count(struct block_votes *votes, float least, float instead)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes sum = lanes_load(votes->sum + k), won, weight;
        lanes_bits is_plus = (lanes_bits)(sum >= 0), is_nan = (lanes_bits)(sum != sum);

        won = lanes_select(is_plus, lanes_load(votes->plus + k), lanes_load(votes->minus + k));
        weight = lanes_select(is_plus, lanes_load(votes->plus_weights + k),
                              lanes_load(votes->minus_weights + k));
        weight = lanes_select((lanes_bits)(size_of(weight) < least), lanes_set(instead), weight);
        if (least > 0)
            won /= weight;
        lanes_store(lanes_select(is_nan, sum, won), votes->sum + k);
    }
}

LANES_TARGET static void add(const float *sum, float *base)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes x = lanes_load(sum + k), old = lanes_load(base + k);

        lanes_store(lanes_select((lanes_bits)(x == 0), old, old + x), base + k);
    }
}

LANES_TARGET static void drop_small(float *x, float limit)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes own = lanes_load(x + k);

        lanes_store(only(~(lanes_bits)(size_of(own) <= limit), own), x + k);
    }
}

LANES_TARGET static void tally(const float *x, float factor, float *changed, float *sum,
                               float *alone)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes own = lanes_load(x + k);

        add_to(changed + k, only((lanes_bits)(own != 0), lanes_set(1)));
        add_to(sum + k, own);
        add_to(alone + k, own * factor);
    }
}

LANES_TARGET static void average(const float *changed, const float *alone, float *sum)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes n = lanes_load(changed + k), one = lanes_set(1);
        lanes mean = lanes_load(sum + k) / lanes_select((lanes_bits)(n < 1), one, n);

        lanes_store(lanes_select((lanes_bits)(n == 1), lanes_load(alone + k), mean), sum + k);
    }
}

LANES_TARGET static void swap(const float *base, const float *other, float t, float *out)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes a = lanes_load(base + k), y = lanes_load(other + k), one = lanes_set(1);
        lanes distance = size_of(a - y), near, mixed;

        distance = lanes_select((lanes_bits)(distance < 1e-6f), lanes_set(1e-6f), distance);
        near = lanes_set(t) / distance;
        near = lanes_select((lanes_bits)(near > 1), one, near);
        mixed = near * y + (one - near) * a;
        lanes_store(lanes_select((lanes_bits)(near == 0), a, mixed), out + k);
    }
}

LANES_TARGET static void within(const int32_t *bits, int32_t low, int32_t high, int32_t *kept)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes_integers own, mask;

        memcpy(&own, bits + k, sizeof own);
        mask = (own >= low) & (own <= high);
        memcpy(kept + k, &mask, sizeof mask);
    }
}

/* 2^n exp(r) with n the nearest integer to x / ln 2. The compiler makes vectors of these two. */
LANES_TARGET static void exponential(double *x)
{
    const double to_integer = 0x1.8p52; /* added, it leaves no bits for fractions */

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
        x[k] = p * n;
    }
}

LANES_TARGET static void log_near_1(double *z)
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

/* Those of n below the limit. */
LANES_TARGET static size_t count_below(const int32_t *row, size_t n, int32_t limit)
{
    lanes_integers counts = {0};
    size_t k = 0, below = 0;

    for (; n - k >= LANES; k += LANES) {
        lanes_integers own;

        memcpy(&own, row + k, sizeof own);
        counts -= own < limit;
    }
    for (; k < n; k++)
        below += row[k] < limit;
    for (size_t l = 0; l < LANES; l++)
        below += (size_t)counts[l];
    return below;
}

/* Sizes are 0 … INT32_MAX, of which the last is no number. */
LANES_TARGET static size_t rank(const int32_t *row, size_t n, size_t i)
{
    int32_t own = row[i], next = own < INT32_MAX ? own + 1 : own;

    return count_below(row, i, own) + count_below(row + i + 1, n - i - 1, next);
}

const struct blocks_version LANES_NAME(blocks) = {
    .name = LANES_VERSION,
    .vote = vote,
    .count = count,
    .add = add,
    .drop_small = drop_small,
    .tally = tally,
    .average = average,
    .swap = swap,
    .within = within,
    .exp = exponential,
    .log1p = log_near_1,
    .rank = rank,
};

#endif
