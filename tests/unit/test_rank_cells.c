/* test_rank_cells.c - a row that comes in pieces against the same row ranked whole. */
#include "mix/rank_cells.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "mix/blocks.h"
#include "mix/coin.h"
#include "mix/rank_keep.h"
#include "test.h"

enum { N_MAX = 200000 };

enum kind { SMOOTH, EQUAL, COARSE, CLUSTER, CLUSTERS, ZERO, TWO, N_KINDS };

/* The bits of a magnitude, from 32 bits by chance. */
static int32_t made_size(enum kind kind, uint32_t chance)
{
    float x = (float)(chance >> 8) / 16777216, y = x * x * x;
    int32_t bits;

    memcpy(&bits, &y, sizeof bits);
    switch (kind) {
    case SMOOTH: return bits;
    case EQUAL: return 0x3F800000;
    case COARSE: return bits & 0x7FF80000;
    case CLUSTER: return 0x3F800000 + (int32_t)(chance & 0xFFFF);
    case CLUSTERS: return 0x3F800000 + (int32_t)((chance >> 28) << 16) + (int32_t)(chance & 0x3FF);
    case ZERO: return chance >> 31 ? bits : 0;
    default: return 0x3F800000 + (int32_t)(chance >> 31);
    }
}

static size_t count_wrong(const int32_t *sizes, const int32_t *draws, size_t n, double density,
                          double epsilon, const uint64_t *keepers, size_t *n_looks)
{
    static const size_t pieces[] = {1, 500, 8192, 333};
    struct rank_cells *cells = memory_zalloc(1, rank_cells_bytes());
    uint64_t kept[8192 / 64];
    size_t n_wrong = 0, piece;

    *n_looks = 0;
    rank_cells_init(cells, n, density, epsilon);
    do {
        for (size_t i = 0, p = 0; i < n; i += piece, p++) {
            piece = n - i < pieces[p % 4] ? n - i : pieces[p % 4];
            rank_cells_look(cells, sizes + i, draws + i, piece);
        }
        ++*n_looks;
    } while (rank_cells_turn(cells));
    for (size_t i = 0, p = 0; i < n; i += piece, p++) {
        piece = n - i < pieces[p % 4] ? n - i : pieces[p % 4];
        memset(kept, 0, sizeof kept);
        rank_cells_keep(cells, sizes + i, draws + i, piece, kept);
        for (size_t k = 0; k < piece; k++)
            n_wrong += (kept[k / 64] >> k % 64 & 1) != (keepers[(i + k) / 64] >> (i + k) % 64 & 1);
    }
    free(cells);
    return n_wrong;
}

static void pieces_give_what_the_whole_gives(void)
{
    static const size_t lengths[] = {2, 100, 30000, N_MAX};
    static int32_t sizes[N_MAX], draws[N_MAX];
    static uint64_t keepers[N_MAX / 64 + BLOCKS_WORDS], open[N_MAX / 64 + BLOCKS_WORDS];
    static uint64_t order[N_MAX], left[N_MAX];
    struct rank_room room = {sizes, draws, open, order, left};
    struct coin chances = coin_of(1, "sizes", 0), coin = coin_of(2, "draws", 0);
    size_t most_looks = 0, n_looks;

    for (enum kind kind = 0; kind < N_KINDS; kind++)
        for (size_t l = 0; l < 4; l++) {
            size_t n = lengths[l];

            coin_toss(&chances, 0, n, sizes);
            coin_toss(&coin, 0, n, draws);
            for (size_t i = 0; i < n; i++)
                sizes[i] = made_size(kind, (uint32_t)sizes[i] << 1);
            rank_keep(&room, n, n, 0.5, 0.45, keepers);
            CHECK(count_wrong(sizes, draws, n, 0.5, 0.45, keepers, &n_looks) == 0);
            most_looks = n_looks > most_looks ? n_looks : most_looks;
            CHECK(kind != EQUAL || n_looks == 2);
            rank_keep(&room, n, n, 0.3, 0.1, keepers);
            CHECK(count_wrong(sizes, draws, n, 0.3, 0.1, keepers, &n_looks) == 0);
        }
    CHECK(most_looks > 4 && most_looks < 20); /* cells have been cut */
}

TESTS(TEST(pieces_give_what_the_whole_gives))
