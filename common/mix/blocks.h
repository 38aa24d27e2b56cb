/* blocks.h - loops over a block of COMBINE_BLOCK_ITEMS floats that choose item by item: written
 * without branches, and compiled for each set of instructions. All versions give the same bits. */
#ifndef COCKTAIL_BLOCKS_H
#define COCKTAIL_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "mix/combine_items.h"

/* Sums in double, of one order. */
double blocks_dot(const float *a, const float *b);
/* Adds the dot products of a with a, a with b, b with b. */
void blocks_dots(const float *a, const float *b, double *aa, double *ab, double *bb);
double blocks_size_sum(const float *x); /* of magnitudes */

/* Which items of a block are kept: bit k % 64 of word k / 64. */
enum { BLOCKS_WORDS = COMBINE_BLOCK_ITEMS / 64 };
/* Adds the magnitudes of all and of what is kept. */
void blocks_magnitudes(const float *x, const uint64_t *kept, double *all, double *some);
double blocks_kept_squares(const float *x, const uint64_t *kept);

/* out = a - b; may be the same. */
void blocks_subtract(const float *a, const float *b, float *out);
/* The same of a block in BF16, which need not be aligned. */
void blocks_subtract_from_bf16(const void *a, const float *b, float *out);
/* The variances, in each item, of n blocks that lie one behind the other; not below 0. */
void blocks_variances(const float *x, size_t n, float *out);
/* sum = sum + x * factor, rounded twice. */
void blocks_add_scaled(const float *x, float factor, float *sum);
/* The bits of |x|. */
void blocks_sizes(const float *x, int32_t *bits);
/* x rounded; NaN becomes the usual one, as in the second. */
void blocks_round_to_bf16(const float *x, uint16_t *out);
void blocks_canonical(const float *x, float *out);

/* What is summed: x * factor where it is kept (NULL: everywhere), else 0. */
struct block_term {
    const float *x;       /* [COMBINE_BLOCK_ITEMS] */
    const uint64_t *kept; /* [BLOCKS_WORDS] */
    float factor;
    float weight;
    float vote; /* what it counts in a vote */
};

/* out = the sum of n terms, each times its weight. */
void blocks_weigh(const struct block_term *terms, size_t n, float *out);
/* Of the terms, each times its vote, the sum has a sign (+ for 0). out = the sum of those times
 * their weights that have that sign, divided by these weights; where their size is below `least`, by
 * `instead`. least 0: not divided. Where the first sum is NaN, NaN. */
void blocks_vote(const struct block_term *terms, size_t n, float least, float instead, float *out);
/* base = base + sum, but where that is 0: so the sign of 0 is kept. */
void blocks_add(const float *sum, float *base);

/* base = base + change, but where the size of x is below `limit`; NaN is not. */
void blocks_add_large(const float *x, float limit, const float *change, float *base);
/* x where it is larger than `limit`, or NaN, else 0; the size counts. */
void blocks_drop_small(float *x, float limit);
/* What a model adds to changed (1 where x is not 0), sum and alone (x * factor). */
void blocks_tally(const float *x, float factor, float *changed, float *sum, float *alone);
/* Adds how many items of x are not 0 where changed is above 1, and where it is 1. */
void blocks_count_changes(const float *x, const float *changed, size_t *shared, size_t *alone);
/* sum = alone where changed is 1, else sum / changed, or sum where that is below 1. */
void blocks_average(const float *changed, const float *alone, float *sum);

/* out = near other + (1 - near) base, with near = t / |base - other|, at most 1; where it is 0,
 * base. */
void blocks_swap(const float *base, const float *other, float t, float *out);

/* Kept are those with low <= bits of |x| <= high. Nothing when high < low. */
void blocks_within(const float *x, int32_t low, int32_t high, uint64_t *kept);
/* Of how many the bits of |x| are equal to the value. */
size_t blocks_count_equal(const float *x, int32_t value);
/* The bits of |x| of those with low … high, in their order, to picked[BLOCK]; returns how many. Fast
 * if these are few. */
size_t blocks_pick(const float *x, int32_t low, int32_t high, int32_t *picked);

/* Kept are those with a draw below the limit; draws are not below 0. */
void blocks_below(const int32_t *draws, int32_t limit, uint64_t *kept);
/* Likewise with `lowest`; open where it is not, but below `highest`, and the size is not 0. */
void blocks_chance(const int32_t *draws, const int32_t *bits, int32_t lowest, int32_t highest,
                   uint64_t *kept, uint64_t *open);
/* buckets[n] = (bits >> shift) - least, but 0 … last; n of any size. */
void blocks_find_buckets(const int32_t *bits, size_t n, int32_t shift, int32_t least, int32_t last,
                         int32_t *buckets);

/* out[n] = the numbers of coin.h for items place … place + n - 1, n of any size; a key's halves. */
void blocks_toss(uint32_t place, uint32_t one, uint32_t other, size_t n, int32_t *out);

/* out = x - less */
void blocks_widen_less(const float *x, double less, double *out);
/* The sums of x and of a * b, in the order of blocks_dot. */
double blocks_sum(const double *x);
double blocks_sum_products(const double *a, const double *b);
/* p = a * a_factor + 1e-8, with q likewise of b: z = (p - q) / q. The largest size of z, or NaN if
 * there is one. */
double blocks_ratios(const double *a, double a_factor, const double *b, double b_factor, double *p,
                     double *z);

/* x = exp(x) for x <= 0, to some 1e-14; below -700 as there. */
void blocks_exp(double *x);
/* x = ln(1 + x) for |x| < 1/16, to some 1e-16. */
void blocks_log1p(double *x);

/* growths = exp(x) - 1. Adds to *sum the growths, each times its share, a number above 0. False when
 * some x is above BLOCKS_GROW_MAX, or NaN: then nothing is right. */
#define BLOCKS_GROW_MAX 0.125f
bool blocks_grow(const float *shares, const float *x, float *growths, double *sum);
/* What a block adds to the Kullback-Leibler divergence sum of p ln(p / q) of two rows, with q = share
 * / share_sum + 1e-8, and p likewise of the shares when they have grown, whose sum has grown by
 * mean_growth. It is the sum of q ((1 + z) ln(1 + z) - z), with z = p / q - 1: which differs by p - q,
 * and so in the row by nothing, and has no terms below 0 that would cancel others. To some 1e-6 of
 * it; a share of 0 adds nothing. */
double blocks_diverge(const float *shares, const float *growths, double share_sum,
                      double mean_growth);

/* Of a row of any length: how many are smaller than item i, or equal and behind it. */
size_t blocks_rank(const int32_t *row, size_t n, size_t i);

#endif
