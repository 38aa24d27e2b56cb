#include "rank_select.h"

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
    for (size_t k = 0; k < n; k++)
        if ((size_t)(bits[k] >> RANK_LOW_BITS) == bucket)
            counts[bits[k] & (RANK_LOW_COUNTS - 1)]++;
}
