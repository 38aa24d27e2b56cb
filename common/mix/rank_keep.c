#include "rank_keep.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mix/blocks.h"
#include "mix/coin.h"

/* Buckets cover 32 powers of two below the largest magnitude. More of them cost more in short rows
 * than they save. */
enum { BUCKETS_MAX = 4096 };
static const struct tier {
    size_t least_items, n_buckets;
    int shift; /* of the bits of a magnitude */
} tiers[] = {{4096, BUCKETS_MAX, 16}, {512, 1024, 18}, {0, 256, 20}};

/* Up to so many items are ranked by a look at the whole row each, up to so many keys of a bucket
 * counted; else they are put in order. */
enum { FEW_ITEMS = 64, FEW_KEYS = 256 };

struct buckets {
    size_t n;
    int shift;
    int32_t top; /* of the largest magnitude, shifted */
    uint32_t starts[BUCKETS_MAX + 1];
    bool is_wanted[BUCKETS_MAX], is_sorted[BUCKETS_MAX];
};

static inline size_t bucket_of(const struct buckets *buckets, int32_t size)
{
    int32_t below = buckets->top - (size >> buckets->shift);

    return below < (int32_t)buckets->n ? buckets->n - 1 - (size_t)below : 0;
}

static int32_t find_largest(const int32_t *sizes, size_t n)
{
    int32_t lanes[16] = {0}, largest = 0;
    size_t i = 0;

    for (; n - i >= 16; i += 16)
        for (size_t l = 0; l < 16; l++)
            lanes[l] = sizes[i + l] > lanes[l] ? sizes[i + l] : lanes[l];
    for (; i < n; i++)
        largest = sizes[i] > largest ? sizes[i] : largest;
    for (size_t l = 0; l < 16; l++)
        largest = lanes[l] > largest ? lanes[l] : largest;
    return largest;
}

static void fill(struct buckets *buckets, const int32_t *sizes, size_t n)
{
    const struct tier *tier = tiers;

    while (n < tier->least_items)
        tier++;
    buckets->n = tier->n_buckets;
    buckets->shift = tier->shift;
    buckets->top = find_largest(sizes, n) >> buckets->shift;
    memset(buckets->starts, 0, (buckets->n + 1) * sizeof *buckets->starts);
    memset(buckets->is_sorted, 0, buckets->n * sizeof *buckets->is_sorted);
    memset(buckets->is_wanted, 0, buckets->n * sizeof *buckets->is_wanted);
    for (size_t i = 0; i < n; i++)
        buckets->starts[bucket_of(buckets, sizes[i]) + 1]++;
    for (size_t b = 0; b < buckets->n; b++)
        buckets->starts[b + 1] += buckets->starts[b];
}

/* Ranks as one number: by magnitude, of equal ones the last is the lowest. */
static uint64_t key_of(const int32_t *sizes, size_t i)
{
    return (uint64_t)sizes[i] << 32 | (UINT32_MAX - (uint32_t)i);
}

/* Keys of the wanted buckets, each at its place; the last item first, so that a bucket of equal ones
 * is in order. */
static void put_in_order(const struct buckets *buckets, const int32_t *sizes, size_t n,
                         uint64_t *order)
{
    uint32_t next[BUCKETS_MAX];

    memcpy(next, buckets->starts, buckets->n * sizeof *next);
    for (size_t i = n; i-- > 0;) {
        size_t bucket = bucket_of(buckets, sizes[i]);

        if (buckets->is_wanted[bucket])
            order[next[bucket]++] = key_of(sizes, i);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void sort(uint64_t *keys, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (keys[i - 1] > keys[i]) {
            qsort(keys, n, sizeof *keys, compare);
            return;
        }
}

static size_t find_rank(struct buckets *buckets, uint64_t *order, const int32_t *sizes, size_t i)
{
    size_t bucket = bucket_of(buckets, sizes[i]);
    size_t low = buckets->starts[bucket], high = buckets->starts[bucket + 1];
    uint64_t key = key_of(sizes, i);

    if (high - low <= FEW_KEYS) {
        size_t rank = low;

        for (size_t k = low; k < high; k++)
            rank += order[k] < key;
        return rank;
    }
    if (!buckets->is_sorted[bucket])
        sort(order + low, high - low);
    buckets->is_sorted[bucket] = true;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (order[middle] <= key)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Keeps those that stay whatever their rank. The places of those for which it matters go to
 * open[…]; returns how many. Which is which is a matter of chance, so nothing branches on it. */
static size_t decide_by_draw(const struct rank_room *room, size_t n, int32_t lowest,
                             int32_t highest, uint64_t *keepers, uint64_t bit)
{
    size_t n_open = 0;

    for (size_t i = 0; i < n; i++) {
        int32_t draw = room->draws[i];

        keepers[i] |= bit & -(uint64_t)(draw < lowest);
        room->open[n_open] = i;
        n_open += (draw >= lowest) & (draw < highest) & (room->sizes[i] != 0);
    }
    return n_open;
}

/* Of these, keeps those for which the bucket decides. The others stay in open[…], each with the
 * lowest rank at which it is kept, and their buckets are wanted. */
static size_t decide_by_bucket(struct buckets *buckets, const struct rank_room *room, size_t n_open,
                               double lowest, double step, uint64_t *keepers, uint64_t bit)
{
    size_t n_left = 0;

    for (size_t k = 0; k < n_open; k++) {
        size_t i = (size_t)room->open[k], bucket = bucket_of(buckets, room->sizes[i]);
        size_t needed = (size_t)((room->draws[i] * 0x1p-31 - lowest) * step) + 1;
        bool is_left = (buckets->starts[bucket] < needed) & (buckets->starts[bucket + 1] > needed);

        keepers[i] |= bit & -(uint64_t)(buckets->starts[bucket] >= needed);
        room->open[n_left] = (uint64_t)needed << 32 | i;
        n_left += is_left;
        buckets->is_wanted[bucket] |= is_left;
    }
    return n_left;
}

void rank_keep(const struct rank_room *room, size_t n, double density, double epsilon,
               uint64_t *keepers, uint64_t bit)
{
    struct buckets buckets;
    double step;
    size_t n_open;

    epsilon = n > 1 ? epsilon : 0;
    step = epsilon > 0 ? (double)(n - 1) / (2 * epsilon) : 0;
    fill(&buckets, room->sizes, n);
    n_open = decide_by_draw(room, n, coin_limit(density - epsilon), coin_limit(density + epsilon),
                            keepers, bit);
    n_open = decide_by_bucket(&buckets, room, n_open, density - epsilon, step, keepers, bit);
    if (n_open > FEW_ITEMS)
        put_in_order(&buckets, room->sizes, n, room->order);
    for (size_t i = 0; i < n_open; i++) {
        uint32_t item = (uint32_t)room->open[i];
        size_t rank = n_open > FEW_ITEMS ? find_rank(&buckets, room->order, room->sizes, item)
                                         : blocks_rank(room->sizes, n, item);

        if (rank >= room->open[i] >> 32)
            keepers[item] |= bit;
    }
}
