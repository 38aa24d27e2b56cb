/* blocks.h - loops over a block of COMBINE_BLOCK_ITEMS floats that choose item by item: written
 * without branches, and compiled for each set of instructions. All versions give the same bits. */
#ifndef COCKTAIL_BLOCKS_H
#define COCKTAIL_BLOCKS_H

#include <stdint.h>

#include "mix/combine_items.h"

/* The sum of some terms, and of those above and below 0, each with their weights. */
struct block_votes {
    float sum[COMBINE_BLOCK_ITEMS];
    float plus[COMBINE_BLOCK_ITEMS], minus[COMBINE_BLOCK_ITEMS];
    float plus_weights[COMBINE_BLOCK_ITEMS], minus_weights[COMBINE_BLOCK_ITEMS];
};

/* Adds x * term_weight, which counts with `weight`. */
void blocks_vote(const float *x, float term_weight, float weight, struct block_votes *votes);
/* sum = what has its sign (+ of 0), divided by the weights of that; where their size is below
 * `least`, by `instead`. least 0: not divided. NaN stays. */
void blocks_count(struct block_votes *votes, float least, float instead);
/* base = base + sum, but where that is 0: so the sign of 0 is kept. */
void blocks_add(const float *sum, float *base);

/* x where it is larger than `limit`, or NaN, else 0; the size counts. */
void blocks_drop_small(float *x, float limit);
/* What a model adds to changed (1 where x is not 0), sum and alone (x * factor). */
void blocks_tally(const float *x, float factor, float *changed, float *sum, float *alone);
/* sum = alone where changed is 1, else sum / changed, or sum where that is below 1. */
void blocks_average(const float *changed, const float *alone, float *sum);

/* out = near other + (1 - near) base, with near = t / |base - other|, at most 1; where it is 0,
 * base. */
void blocks_swap(const float *base, const float *other, float t, float *out);

/* kept = -1 where low <= bits <= high, else 0. */
void blocks_within(const int32_t *bits, int32_t low, int32_t high, int32_t *kept);

/* x = exp(x) for x <= 0, to some 1e-14; below -700 as there. */
void blocks_exp(double *x);
/* x = ln(1 + x) for |x| < 1/16, to some 1e-16. */
void blocks_log1p(double *x);

/* Of a row of any length: how many are smaller than item i, or equal and behind it. */
size_t blocks_rank(const int32_t *row, size_t n, size_t i);

#endif
