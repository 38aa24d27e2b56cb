/* rank_select.h - the value of a given rank among many, exactly, without sorting them.
 *
 * Values are floats >= 0, whose bits, read as numbers, stand in the same order (a NaN is the largest,
 * its sign is dropped). Two looks at all of them: a histogram of the upper bits, which tells where
 * the wanted one lies, then one of the lower bits of those that lie there. Ranks count from 0, the
 * smallest. */
#ifndef COCKTAIL_RANK_SELECT_H
#define COCKTAIL_RANK_SELECT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    RANK_LOW_BITS = 16,
    RANK_HIGH_COUNTS = 1 << 15,
    RANK_LOW_COUNTS = 1 << RANK_LOW_BITS,
};

/* A value of which it is known in which bucket of a histogram it lies. */
struct rank_place {
    size_t bucket, before; /* values in the buckets in front of it */
};

/* Where, in counts[n_counts], the value of the rank lies; the last bucket when there are fewer. */
struct rank_place rank_find(const size_t *counts, size_t n_counts, size_t rank);

static inline float rank_value(size_t bits)
{
    uint32_t word = (uint32_t)bits;
    float x;

    memcpy(&x, &word, sizeof x);
    return x;
}

/* counts[RANK_HIGH_COUNTS] of the upper bits of the magnitudes of n items, and
 * counts[RANK_LOW_COUNTS] of the lower bits of those in a bucket of these. n of a block (blocks.h),
 * with 0 behind them. */
void rank_count_high(const float *x, size_t n, size_t *counts);
void rank_count_low(const float *x, size_t n, size_t bucket, size_t *counts);

/* Of a block, drops from `kept` those that are set in `equal` but for the first n_left of these. */
void rank_drop_late(const uint64_t *equal, size_t n_left, uint64_t *kept);

#endif
