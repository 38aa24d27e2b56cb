/* scaled.h - matrices of small floats or integers, each item times a scale: FP8, INT8.
 *
 * The scale is one for the matrix, for each row, for each block of rows and columns. Rounded to float
 * once; with a factor, twice. Sources: docs/formats.md, "Numbers with scales". */
#ifndef COCKTAIL_SCALED_H
#define COCKTAIL_SCALED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor_source.h"

struct scaled_spec {
    const char *method;           /* for `inspect`; kept as it is */
    const struct tensor *numbers; /* F8_E4M3, F8_E5M2, I8 [.., n_out, n_in]; or words of U32, in which F8_E4M3
                                   * lie: [n_out, n_in / 4] */
    const struct tensor *scales;
    /* A scale for so many rows and columns, of each matrix [n_out, n_in]; those at the edges are cut off. Zero: as
     * the shape of the scales tells: one item (or one for each matrix), one for each row, or for each column. */
    size_t block_rows, block_columns;
    bool has_exponents;           /* U8 scales are read as F8_E8M0, that is 2^(s - 127) */
    float factor;                 /* times this, after the scale; 0: no such factor */
};

/* Whether that dtype can be `numbers`. */
bool scaled_is_number(enum dtype dtype);
/* Whether the scale says by its shape what it scales: with fewer than 2 dimensions that are not 1, as above. */
bool scaled_is_plain(const struct tensor *numbers, const struct tensor *scales);
/* Makes *out the tensor `name`, F32, of the shape of the numbers. ERROR_FORMAT where dtypes or shapes do
 * not go together. */
int scaled_make(const struct scaled_spec *spec, const char *name, struct arena *arena,
                struct tensor *out, struct error *err);

#endif
