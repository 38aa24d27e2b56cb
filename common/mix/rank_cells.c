#include "rank_cells.h"

#include <stdlib.h>
#include <string.h>

#include "mix/coin.h"

enum { BUCKET_BITS = 16, N_BUCKETS = 1 << 15, CELLS_MAX = N_BUCKETS + 8192, LIST_MAX = 16384 };

enum look { COUNT, MARK, RANK, READY };

/* An item of which the cell does not say whether it stays. */
struct entry {
    uint64_t key;    /* by magnitude, of equal ones the last is the lowest */
    uint32_t place, needed; /* the lowest rank at which it stays */
    uint32_t n_below; /* items between the entry in front of it, or the start of its cell, and it */
    bool stays;
};

struct rank_cells {
    enum look look;
    size_t n;            /* items of the row */
    size_t place;        /* of the next */
    double lowest, step; /* as in rank_keep.c */
    int32_t low_draw, high_draw;

    size_t n_cells;
    uint32_t lows[CELLS_MAX + 1];        /* the magnitude with which a cell begins */
    uint32_t least[CELLS_MAX], most[CELLS_MAX]; /* that it has */
    uint32_t wanted[CELLS_MAX];          /* entries that it has */
    uint32_t starts[CELLS_MAX + 1];      /* items in front of it */
    uint32_t seen[CELLS_MAX];            /* of its items, when all come for the last time */
    uint32_t directory[N_BUCKETS + 1];   /* the cell of the first magnitude with these upper bits */

    size_t n_entries, n_listed, next; /* LIST_MAX entries at most are listed */
    struct entry list[LIST_MAX];
    uint32_t spare[CELLS_MAX + 1];
};

size_t rank_cells_bytes(void)
{
    return sizeof(struct rank_cells);
}

bool rank_cells_is_new(const struct rank_cells *cells)
{
    return cells->n == 0;
}

/* ---- cells ---- */

/* For a new look: cells that begin with lows[n_cells]. */
static void begin_count(struct rank_cells *cells)
{
    size_t cell = 0;

    cells->look = COUNT;
    for (size_t bucket = 0; bucket < N_BUCKETS; bucket++) {
        while (cell + 1 < cells->n_cells && cells->lows[cell + 1] <= bucket << BUCKET_BITS)
            cell++;
        cells->directory[bucket] = (uint32_t)cell;
    }
    cells->directory[N_BUCKETS] = (uint32_t)cells->n_cells - 1;
    memset(cells->starts, 0, sizeof cells->starts);
    memset(cells->most, 0, sizeof cells->most);
    memset(cells->least, 0xFF, sizeof cells->least);
}

void rank_cells_init(struct rank_cells *cells, size_t n, double density, double epsilon)
{
    cells->n = n;
    cells->lowest = density - epsilon;
    cells->step = epsilon > 0 ? (double)(n - 1) / (2 * epsilon) : 0;
    cells->low_draw = coin_limit(density - epsilon);
    cells->high_draw = coin_limit(density + epsilon);
    cells->n_cells = N_BUCKETS;
    for (uint32_t bucket = 0; bucket < N_BUCKETS; bucket++)
        cells->lows[bucket] = bucket << BUCKET_BITS;
    begin_count(cells);
}

static size_t find_cell(const struct rank_cells *cells, int32_t size)
{
    size_t bucket = (size_t)size >> BUCKET_BITS;
    size_t low = cells->directory[bucket], high = cells->directory[bucket + 1];

    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;

        if (cells->lows[middle] <= (uint32_t)size)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static bool is_single(const struct rank_cells *cells, size_t cell)
{
    return cells->least[cell] == cells->most[cell];
}

/* Cuts the cells with entries: those with many into more. False: there is no room. */
static bool refine(struct rank_cells *cells)
{
    size_t n_used = 0, n_wanted = 0, room, n = 0;

    for (size_t c = 0; c < cells->n_cells; c++) {
        n_used += cells->starts[c] < cells->starts[c + 1];
        n_wanted += cells->wanted[c] > 0;
    }
    room = (CELLS_MAX - n_used) / 2;
    if (room < n_wanted)
        return false;
    for (size_t c = 0; c < cells->n_cells; c++) {
        uint64_t width = (uint64_t)cells->most[c] - cells->least[c] + 1, n_parts = 1;

        if (cells->starts[c] == cells->starts[c + 1])
            continue; /* without items there is nothing that it says */
        if (cells->wanted[c])
            n_parts = 2 + (uint64_t)cells->wanted[c] * (room - n_wanted) / cells->n_entries;
        n_parts = n_parts < width ? n_parts : width;
        for (uint64_t part = 0; part < n_parts; part++)
            cells->spare[n++] = cells->least[c] + (uint32_t)(part * width / n_parts);
    }
    memcpy(cells->lows, cells->spare, n * sizeof *cells->lows);
    cells->n_cells = n;
    return true;
}

/* ---- looks ---- */

static void count(struct rank_cells *cells, uint32_t size)
{
    size_t cell = find_cell(cells, (int32_t)size);

    cells->starts[cell + 1]++;
    if (size < cells->least[cell])
        cells->least[cell] = size;
    if (size > cells->most[cell])
        cells->most[cell] = size;
}

static bool is_open(const struct rank_cells *cells, int32_t size, int32_t draw)
{
    return draw >= cells->low_draw && draw < cells->high_draw && size != 0;
}

static uint32_t needed_rank(const struct rank_cells *cells, int32_t draw)
{
    return (uint32_t)((draw * 0x1p-31 - cells->lowest) * cells->step) + 1;
}

static uint64_t key_of(int32_t size, size_t place)
{
    return (uint64_t)size << 32 | (UINT32_MAX - (uint32_t)place);
}

static void mark(struct rank_cells *cells, int32_t size, int32_t draw, size_t place)
{
    size_t cell = find_cell(cells, size);
    uint32_t needed = needed_rank(cells, draw);

    if (cells->starts[cell] >= needed || cells->starts[cell + 1] <= needed ||
        is_single(cells, cell))
        return;
    cells->wanted[cell]++;
    if (cells->n_entries++ < LIST_MAX)
        cells->list[cells->n_listed++] = (struct entry){.key = key_of(size, place),
                                                        .place = (uint32_t)place,
                                                        .needed = needed};
}

/* Of items in the list's cells: in front of which entry they are. */
static void rank(struct rank_cells *cells, int32_t size, size_t place)
{
    size_t cell = find_cell(cells, size), low = 0, high = cells->n_listed;
    uint64_t key = key_of(size, place);

    if (!cells->wanted[cell])
        return;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (cells->list[middle].key > key)
            high = middle;
        else
            low = middle + 1;
    }
    if (low < cells->n_listed && find_cell(cells, (int32_t)(cells->list[low].key >> 32)) == cell)
        cells->list[low].n_below++;
}

void rank_cells_look(struct rank_cells *cells, const int32_t *sizes, const int32_t *draws, size_t n)
{
    if (cells->look == READY)
        return;
    for (size_t k = 0; k < n; k++, cells->place++) {
        if (cells->look == COUNT)
            count(cells, (uint32_t)sizes[k]);
        else if (cells->look == RANK)
            rank(cells, sizes[k], cells->place);
        else if (is_open(cells, sizes[k], draws[k]))
            mark(cells, sizes[k], draws[k], cells->place);
    }
}

/* ---- between them ---- */

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return (x->key > y->key) - (x->key < y->key);
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

static void begin_mark(struct rank_cells *cells)
{
    for (size_t c = 0; c < cells->n_cells; c++)
        cells->starts[c + 1] += cells->starts[c];
    memset(cells->wanted, 0, sizeof cells->wanted);
    cells->n_entries = cells->n_listed = 0;
    cells->look = MARK;
}

/* When more are left than can be listed, and their cells cannot be cut, those in a cell, which are as
 * large to many bits, are ranked as if they were equal. */
static void after_mark(struct rank_cells *cells)
{
    if (cells->n_entries == 0) {
        cells->look = READY;
    } else if (cells->n_entries <= LIST_MAX) {
        qsort(cells->list, cells->n_listed, sizeof *cells->list, by_key);
        cells->look = RANK;
    } else if (refine(cells)) {
        begin_count(cells);
    } else {
        cells->n_listed = 0;
        cells->look = READY;
    }
}

static void after_rank(struct rank_cells *cells)
{
    size_t last = SIZE_MAX, own = 0;

    for (size_t i = 0; i < cells->n_listed; i++) {
        struct entry *entry = &cells->list[i];
        size_t cell = find_cell(cells, (int32_t)(entry->key >> 32));

        own = (cell == last ? own : cells->starts[cell]) + entry->n_below;
        entry->stays = own >= entry->needed;
        last = cell;
    }
    qsort(cells->list, cells->n_listed, sizeof *cells->list, by_place);
    cells->look = READY;
}

bool rank_cells_turn(struct rank_cells *cells)
{
    cells->place = 0;
    switch (cells->look) {
    case COUNT: begin_mark(cells); break;
    case MARK: after_mark(cells); break;
    case RANK: after_rank(cells); break;
    default: break;
    }
    return cells->look != READY;
}

/* ---- the result ---- */

/* An open item, of whose cell so many have come before. */
static bool stays(struct rank_cells *cells, size_t cell, int32_t draw, size_t seen)
{
    uint32_t needed = needed_rank(cells, draw);

    if (cells->starts[cell] >= needed || cells->starts[cell + 1] <= needed)
        return cells->starts[cell] >= needed;
    if (cells->next < cells->n_listed && cells->list[cells->next].place == cells->place)
        return cells->list[cells->next++].stays;
    return cells->starts[cell + 1] - 1 - seen >= needed;
}

void rank_cells_keep(struct rank_cells *cells, const int32_t *sizes, const int32_t *draws, size_t n,
                     uint64_t *kept)
{
    for (size_t k = 0; k < n; k++, cells->place++) {
        size_t cell = find_cell(cells, sizes[k]), seen = cells->seen[cell]++;
        bool is_kept = draws[k] < cells->low_draw;

        if (is_open(cells, sizes[k], draws[k]))
            is_kept = stays(cells, cell, draws[k], seen);
        kept[k / 64] |= (uint64_t)is_kept << k % 64;
    }
}
