/* blocks_kernels.h - the versions of blocks.h's functions, for blocks.c and for tests. */
#ifndef COCKTAIL_BLOCKS_KERNELS_H
#define COCKTAIL_BLOCKS_KERNELS_H

#include "mix/blocks.h"

struct blocks_version {
    const char *name;
    __typeof__(blocks_dot) *dot;
    __typeof__(blocks_dots) *dots;
    __typeof__(blocks_magnitudes) *magnitudes;
    __typeof__(blocks_size_sum) *size_sum;
    __typeof__(blocks_kept_squares) *kept_squares;
    __typeof__(blocks_variances) *variances;
    __typeof__(blocks_subtract) *subtract;
    __typeof__(blocks_subtract_from_bf16) *subtract_from_bf16;
    __typeof__(blocks_add_scaled) *add_scaled;
    __typeof__(blocks_sizes) *sizes;
    __typeof__(blocks_round_to_bf16) *round_to_bf16;
    __typeof__(blocks_canonical) *canonical;
    __typeof__(blocks_count_equal) *count_equal;
    __typeof__(blocks_pick) *pick;
    __typeof__(blocks_below) *below;
    __typeof__(blocks_chance) *chance;
    __typeof__(blocks_find_buckets) *find_buckets;
    __typeof__(blocks_toss) *toss;
    __typeof__(blocks_weigh) *weigh;
    __typeof__(blocks_vote) *vote;
    __typeof__(blocks_add) *add;
    __typeof__(blocks_add_large) *add_large;
    __typeof__(blocks_drop_small) *drop_small;
    __typeof__(blocks_tally) *tally;
    __typeof__(blocks_count_changes) *count_changes;
    __typeof__(blocks_average) *average;
    __typeof__(blocks_swap) *swap;
    __typeof__(blocks_within) *within;
    __typeof__(blocks_widen_less) *widen_less;
    __typeof__(blocks_sum) *sum;
    __typeof__(blocks_sum_products) *sum_products;
    __typeof__(blocks_ratios) *ratios;
    __typeof__(blocks_exp) *exp;
    __typeof__(blocks_log1p) *log1p;
    __typeof__(blocks_grow) *grow;
    __typeof__(blocks_diverge) *diverge;
    __typeof__(blocks_rank) *rank;
};

extern const struct blocks_version blocks_plain;
#if defined(__x86_64__)
extern const struct blocks_version blocks_avx2, blocks_avx512;
#endif

/* Version i, slowest first, "plain" is 0; NULL behind the last that this processor can run. */
const struct blocks_version *blocks_version(size_t i);

#endif
