#include "rank_keep.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mix/blocks.h"
#include "mix/coin.h"

/* Buckets cover 32 powers of two below the largest magnitude. More of them cost more in short rows
 * than they save. */
enum { BUCKETS_MAX = 4096, BLOCK = COMBINE_BLOCK_ITEMS };
static const struct tier {
    size_t least_items, n_buckets;
    int shift; /* of the bits of a magnitude */
} tiers[] = {{4096, BUCKETS_MAX, 16}, {512, 1024, 18}, {0, 256, 20}};

/* Up to so many items are ranked by a look at the whole row each, up to so many keys of a bucket
 * counted; else they are put in order. */
enum { FEW_ITEMS = 64, FEW_KEYS = 256, PIECE_ITEMS = 1024 };

struct buckets {
    size_t n;
    int shift;
    int32_t least; /* shifted, what the first begins with */
    uint32_t starts[BUCKETS_MAX + 1];
    bool is_wanted[BUCKETS_MAX], is_sorted[BUCKETS_MAX];
};

static inline size_t bucket_of(const struct buckets *buckets, int32_t size)
{
    int32_t above = (size >> buckets->shift) - buckets->least;

    return above > 0 ? (size_t)above : 0;
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

/* Counts by pieces that stay in the first-level cache. */
static void count(struct buckets *buckets, const int32_t *sizes, size_t n)
{
    int32_t found[PIECE_ITEMS];

    for (size_t first = 0; first < n; first += PIECE_ITEMS) {
        size_t some = n - first < PIECE_ITEMS ? n - first : PIECE_ITEMS;

        blocks_find_buckets(sizes + first, some, buckets->shift, buckets->least,
                            (int32_t)buckets->n - 1, found);
        for (size_t i = 0; i < some; i++)
            buckets->starts[found[i] + 1]++;
    }
}

static void fill(struct buckets *buckets, const int32_t *sizes, size_t n)
{
    const struct tier *tier = tiers;

    while (n < tier->least_items)
        tier++;
    buckets->n = tier->n_buckets;
    buckets->shift = tier->shift;
    buckets->least = (find_largest(sizes, n) >> buckets->shift) - (int32_t)buckets->n + 1;
    memset(buckets->starts, 0, (buckets->n + 1) * sizeof *buckets->starts);
    memset(buckets->is_sorted, 0, buckets->n * sizeof *buckets->is_sorted);
    memset(buckets->is_wanted, 0, buckets->n * sizeof *buckets->is_wanted);
    count(buckets, sizes, n);
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

/* Keeps those that stay whatever their rank, of all rows. Those for which it matters go to
 * open[BLOCKS_WORDS] of each block. */
static void decide_by_draw(const struct rank_room *room, size_t n, int32_t lowest, int32_t highest,
                           uint64_t *keepers, uint64_t *open)
{
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t some = n - first < BLOCK ? n - first : BLOCK;
        const int32_t *draws = room->draws + first, *sizes = room->sizes + first;
        int32_t last_draws[BLOCK], last_sizes[BLOCK] = {0};

        if (some < BLOCK) {
            for (size_t k = some; k < BLOCK; k++)
                last_draws[k] = INT32_MAX;
            draws = memcpy(last_draws, draws, some * sizeof *draws);
            sizes = memcpy(last_sizes, sizes, some * sizeof *sizes);
        }
        blocks_chance(draws, sizes, lowest, highest, keepers, open);
        keepers += BLOCKS_WORDS;
        open += BLOCKS_WORDS;
    }
}

static void keep(uint64_t *keepers, size_t i, bool stays)
{
    keepers[i / 64] |= (uint64_t)stays << i % 64;
}

/* A row among others. */
struct row {
    const int32_t *sizes, *draws;
    size_t first, n;
    double lowest, step; /* the probability of the first rank; ranks for each probability */
};

/* Of the open ones, keeps those for which the bucket decides. The others go to left[…], each with
 * the lowest rank at which it is kept, and their buckets are wanted. Returns how many. */
static size_t decide_by_bucket(struct buckets *buckets, const struct row *row, const uint64_t *open,
                               uint64_t *keepers, uint64_t *left)
{
    size_t n_left = 0, end = row->first + row->n;

    for (size_t word = row->first / 64; word * 64 < end; word++) {
        uint64_t some = open[word];

        if (word * 64 < row->first)
            some &= UINT64_MAX << row->first % 64;
        if (word * 64 + 64 > end)
            some &= UINT64_MAX >> (64 - end % 64);
        for (; some; some &= some - 1) {
            size_t place = word * 64 + (size_t)__builtin_ctzll(some), i = place - row->first;
            size_t bucket = bucket_of(buckets, row->sizes[i]);
            size_t needed = (size_t)((row->draws[i] * 0x1p-31 - row->lowest) * row->step) + 1;
            bool stays = buckets->starts[bucket] >= needed;
            bool is_left = !stays & (buckets->starts[bucket + 1] > needed);

            keep(keepers, place, stays);
            left[n_left] = (uint64_t)needed << 32 | i;
            n_left += is_left;
            buckets->is_wanted[bucket] |= is_left;
        }
    }
    return n_left;
}

static void keep_of_row(const struct rank_room *room, const struct row *row, const uint64_t *open,
                        uint64_t *keepers)
{
    struct buckets buckets;
    size_t n_left;

    fill(&buckets, row->sizes, row->n);
    n_left = decide_by_bucket(&buckets, row, open, keepers, room->left);
    if (n_left > FEW_ITEMS)
        put_in_order(&buckets, row->sizes, row->n, room->order);
    for (size_t i = 0; i < n_left; i++) {
        uint32_t item = (uint32_t)room->left[i];
        size_t rank = n_left > FEW_ITEMS ? find_rank(&buckets, room->order, row->sizes, item)
                                         : blocks_rank(row->sizes, row->n, item);

        keep(keepers, row->first + item, rank >= room->left[i] >> 32);
    }
}

void rank_keep(const struct rank_room *room, size_t n, size_t row, double density, double epsilon,
               uint64_t *keepers)
{
    epsilon = row > 1 ? epsilon : 0;
    decide_by_draw(room, n, coin_limit(density - epsilon), coin_limit(density + epsilon), keepers,
                   room->open);
    for (size_t first = 0; first < n && epsilon > 0; first += row)
        keep_of_row(room, &(struct row){room->sizes + first, room->draws + first, first, row,
                                        density - epsilon, (double)(row - 1) / (2 * epsilon)},
                    room->open, keepers);
}
