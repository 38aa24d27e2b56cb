/* tensor_rows.h - a matrix whose rows are those of other matrices: what an embedding becomes when its
 * tokens get other ids.
 *
 * It is a source (tensor_source.h): rows are fetched as they are read, and those that lie one behind
 * the other are fetched at once. */
#ifndef COCKTAIL_TENSOR_ROWS_H
#define COCKTAIL_TENSOR_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor.h"

struct tensor_pick {
    uint32_t tensor, row;
};

enum { TENSOR_ROW_ZERO = 0 };
#define TENSOR_ROW_MEAN UINT32_MAX /* as n: the mean of all rows that are not so themselves */

struct tensor_row { /* the mean of picks[first … first + n - 1]; of one pick: as it is */
    uint32_t first, n;
};

struct tensor_row_map { /* borrowed; it must outlive the tensors made of it */
    const struct tensor_row *rows; /* [n_rows] */
    size_t n_rows;
    const struct tensor_pick *picks;
};

/* Whether a row is computed: the mean of others. */
bool tensor_row_map_combines(const struct tensor_row_map *map);

/* Makes *made the rows (of the first dimension) that the map says of tensors[n_tensors], with the name
 * of `like` and in `dtype`, to which values are rounded once; tensor_written is `written`. NULL in tensors: no
 * row is taken of it.
 * They must outlive it, the array need not. ERROR_INCOMPATIBLE where one has other dimensions behind the
 * first, or lacks a row that is wanted; ERROR_UNSUPPORTED for items of less than a byte, and for
 * values to be averaged or rounded that cannot be. The arena keeps what it needs. */
int tensor_rows(struct tensor *made, const struct tensor *like, enum dtype dtype,
                enum dtype written, const struct tensor *const *tensors, size_t n_tensors,
                const struct tensor_row_map *map, struct arena *arena, struct error *err);

#endif
