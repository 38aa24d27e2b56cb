/* rank_cells.h - what rank_keep.h says, of a row too long to be held in memory: it comes piece by piece,
 * several times.
 *
 * Magnitudes lie in cells. How many lie in the cells below says, for most items, on which side of the
 * rank that decides they are; what lies in a cell of one value is ranked by its place. Cells with many
 * items of which neither is true are cut into smaller ones, and all is counted once more; few items
 * are put in a list, and ranked there. Memory is the same for all rows. */
#ifndef COCKTAIL_RANK_CELLS_H
#define COCKTAIL_RANK_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rank_cells;

size_t rank_cells_bytes(void);
/* In memory that is 0, for a row of n items, 1 < n < 2^31; density and epsilon as in rank_keep.h. */
bool rank_cells_is_new(const struct rank_cells *cells);
void rank_cells_init(struct rank_cells *cells, size_t n, double density, double epsilon);
/* The next n items: the bits of their magnitudes, and their draws. */
void rank_cells_look(struct rank_cells *cells, const int32_t *sizes, const int32_t *draws, size_t n);
/* After the last: whether to look at all once more, from the first. */
bool rank_cells_turn(struct rank_cells *cells);
/* When that is not so, all once more: sets in `kept`, which is 0, the bits of the items that
 * stay: k % 64 of word k / 64. */
void rank_cells_keep(struct rank_cells *cells, const int32_t *sizes, const int32_t *draws, size_t n,
                     uint64_t *kept);

#endif
