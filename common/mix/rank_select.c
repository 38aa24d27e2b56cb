#include "rank_select.h"

#include "mix/blocks.h"

struct rank_place rank_find(const size_t *counts, size_t n_counts, size_t rank)
{
    struct rank_place place = {0};

    while (place.bucket + 1 < n_counts && place.before + counts[place.bucket] <= rank)
        place.before += counts[place.bucket++];
    return place;
}

void rank_count_high(const int32_t *bits, size_t n, size_t *counts)
{
    for (size_t k = 0; k < n; k++)
        counts[bits[k] >> RANK_LOW_BITS]++;
}

void rank_count_low(const int32_t *bits, size_t n, size_t bucket, size_t *counts)
{
    int32_t picked[COMBINE_BLOCK_ITEMS], first = (int32_t)(bucket << RANK_LOW_BITS);
    size_t n_picked = blocks_pick(bits, first, first | (RANK_LOW_COUNTS - 1), picked);

    for (size_t k = 0; k < n_picked; k++)
        counts[picked[k] & (RANK_LOW_COUNTS - 1)]++;
    if (bucket == 0) /* what lies behind the items */
        counts[0] -= COMBINE_BLOCK_ITEMS - n;
}
