/* rank_keep.h - keep the items of a row with probabilities that grow with their ranks.
 *
 * An item whose number is below the lowest probability stays, one whose number is above the highest
 * goes: only for the others the rank matters, and for most of these it is enough to know in which
 * bucket of a coarse histogram of the magnitudes the item lies. So few are ever compared with
 * others, and rows are not sorted. */
#ifndef COCKTAIL_RANK_KEEP_H
#define COCKTAIL_RANK_KEEP_H

#include <stddef.h>
#include <stdint.h>

/* Of the items of some rows, one behind the other. */
struct rank_room {
    int32_t *sizes;   /* [n] the bits of magnitudes, as blocks_sizes makes them */
    int32_t *draws;   /* [n] as coin_toss makes them */
    /* For its own use, the first of whole blocks: */
    uint64_t *open; /* [n / 64] */
    uint64_t *order, *left; /* [n] */
};

/* Sets the bits of those that stay in keepers, as blocks_chance does, in whole blocks. Where rank r
 * goes from 0 for the smallest of a row to row - 1 for the largest (of equal ones the first), the
 * probability is density - epsilon + 2 epsilon r / (row - 1); density for rows of 1. n is a multiple
 * of row, row below 2^31. */
void rank_keep(const struct rank_room *room, size_t n, size_t row, double density, double epsilon,
               uint64_t *keepers);

#endif
