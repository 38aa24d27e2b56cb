/* gemm_tile.h - a part of a matrix product, on one thread; for gemm.c.
 *
 * Rows of x go through in groups, as equal as can be. Where they are packed, their items of one input
 * lie side by side: inputs ascending where W is transposed, else as a turned panel has them. Errors:
 * none. */
#ifndef COCKTAIL_GEMM_TILE_H
#define COCKTAIL_GEMM_TILE_H

#include <stdbool.h>
#include <stddef.h>

#include "math/gemm_kernels.h"
#include "math/gemm_matrix.h"

enum {
    GEMM_TILE_OUT = 128, /* the most outputs of a tile */
    GEMM_TILE_GAPS = 32, /* floats an output, of turned panels of 8 outputs or more */
    GEMM_TILE_PANELS = GEMM_TILE_OUT * (GEMM_BLOCK_IN + GEMM_TILE_GAPS),
    GEMM_TILE_WIDENED = GEMM_PANEL_OUT_MAX * GEMM_BLOCK_IN,
    GEMM_TILE_SUMS = GEMM_GROUP_ROWS_MAX * GEMM_PANEL_OUT_MAX,
    GEMM_TILE_GROUP = GEMM_GROUP_ROWS_MAX * GEMM_BLOCK_IN,
    GEMM_TILE_ROWS = GEMM_PANEL_OUT_MAX * (GEMM_BLOCK_IN + GEMM_LANES),
    /* floats of scratch memory, aligned to 64 bytes */
    GEMM_TILE_SCRATCH = GEMM_TILE_PANELS + GEMM_TILE_WIDENED + GEMM_TILE_SUMS + GEMM_TILE_GROUP +
                        GEMM_TILE_ROWS,
};

struct gemm_tile {
    enum isa isa;
    const struct gemm_matrix *w;
    float factor;
    bool adds;
    float *y;
    size_t y_stride;
    float *scratch;
};

/* Where x is packed: groups of n_rows rows, and the first row of group number `group`. */
size_t gemm_tile_groups(enum isa isa, size_t n_rows);
size_t gemm_tile_first(enum isa isa, size_t n_rows, size_t group);

/* Floats that a group takes, packed for w. */
size_t gemm_tile_group_items(enum isa isa, const struct gemm_matrix *w);

/* packed [gemm_tile_group_items] = the items of a group, x [n_rows, w->n_in]: transposed [n_in,
 * n_rows], else block by block, each turned as gemm_kernels.h says. */
void gemm_tile_pack(enum isa isa, const struct gemm_matrix *w, size_t n_rows, const float *x,
                    size_t x_stride, float *packed);

/* Groups `first` to `end` - 1 of n_rows rows, with the outputs of tile->w; packed: of all rows, group
 * behind group. tile->y is that of row 0. */
void gemm_tile_multiply(const struct gemm_tile *tile, size_t n_rows, size_t first, size_t end,
                        const float *packed);

/* Rows that are not packed, of any number, and any W; ranges as gemm_block has them. */
void gemm_tile_block(const struct gemm_tile *tile, size_t n_rows, const float *x, size_t x_stride,
                     const struct gemm_range *ranges);

/* At most GEMM_STREAM_ROWS rows. */
void gemm_tile_stream(const struct gemm_tile *tile, size_t n_rows, const float *x, size_t x_stride);

#endif
