#include "rank_select.h"

#include "mix/blocks.h"

struct rank_place rank_find(const size_t *counts, size_t n_counts, size_t rank)
{
    struct rank_place place = {0};

    while (place.bucket + 1 < n_counts && place.before + counts[place.bucket] <= rank)
        place.before += counts[place.bucket++];
    return place;
}

void rank_count_high(const float *x, size_t n, size_t *counts)
{
    for (size_t k = 0; k < n; k++) {
        uint32_t bits;

        memcpy(&bits, &x[k], sizeof bits);
        counts[bits << 1 >> (RANK_LOW_BITS + 1)]++;
    }
}

void rank_count_low(const float *x, size_t n, size_t bucket, size_t *counts)
{
    int32_t picked[COMBINE_BLOCK_ITEMS], first = (int32_t)(bucket << RANK_LOW_BITS);
    size_t n_picked = blocks_pick(x, first, first | (RANK_LOW_COUNTS - 1), picked);

    for (size_t k = 0; k < n_picked; k++)
        counts[picked[k] & (RANK_LOW_COUNTS - 1)]++;
    if (bucket == 0) /* what lies behind the items */
        counts[0] -= COMBINE_BLOCK_ITEMS - n;
}

void rank_drop_late(const uint64_t *equal, size_t n_left, uint64_t *kept)
{
    for (size_t word = 0; word < BLOCKS_WORDS; word++) {
        uint64_t late = equal[word];

        for (; late && n_left > 0; n_left--)
            late &= late - 1;
        kept[word] &= ~late;
    }
}
