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

struct rank_room {
    uint64_t *order, *open; /* [n] for its own use */
    int32_t *sizes;         /* [n] the bits of magnitudes, as blocks_sizes makes them */
    int32_t *draws;         /* [n] as coin_toss makes them */
};

/* Sets `bit` in keepers[n] of those that stay. Where rank r goes from 0 for the smallest to n - 1 for
 * the largest (of equal ones the first), the probability is density - epsilon + 2 epsilon r / (n -
 * 1); density for n = 1. n < 2^32. */
void rank_keep(const struct rank_room *room, size_t n, double density, double epsilon,
               uint64_t *keepers, uint64_t bit);

#endif
