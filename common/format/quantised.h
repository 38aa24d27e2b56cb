/* quantised.h - what all ways of storing quantised matrices share: sources that give F32, decoded
 * range by range from tensors that stay as they are.
 *
 * A way of storing has a struct whose first member is a struct quantised, and decodes rectangles; this
 * file makes a source of it. Ways: packed_ints.h, scaled.h, fp4.h, bnb.h. What is stored where:
 * docs/formats.md, "Quantised checkpoints". */
#ifndef COCKTAIL_QUANTISED_H
#define COCKTAIL_QUANTISED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor_source.h"

enum { QUANTISED_PARTS_MAX = 8 };

struct quantised {
    struct tensor_source source;
    const char *method;      /* as `inspect` names it */
    size_t n_rows, n_in;     /* as it is decoded: W [n_rows, n_in], matrices one below the other */
    size_t n_out;            /* where turned: rows of each matrix, which is given as [n_in, n_out] */
    size_t rows_together;    /* as tensor_source_kind has it; 0: any */
    const struct tensor *parts[QUANTISED_PARTS_MAX]; /* what it is read from */
    size_t n_parts;
    /* out [n_rows, n_in] = so many rows from `row` on, of each so many items from `in` on; neither number
     * is 0. */
    int (*decode)(const struct quantised *quantised, size_t row, size_t n_rows, size_t in,
                  size_t n_in, float *out, struct error *err);
    /* As tensor_source_kind has it, of whole rows from row `row` on. NULL: none. */
    int (*blocks)(struct quantised *quantised, size_t row, struct tensor_blocks *out,
                  struct error *err);
};

/* A part that is read; NULL is none. */
void quantised_add_part(struct quantised *quantised, const struct tensor *part);

/* Makes *out the tensor of that name and shape, whose items are those of `quantised`: [.., n_in] as they
 * are decoded, or, where it has n_out, [.., n_in, n_out]. Shape and name are copied to the arena, in which
 * `quantised` stands. ERROR_FORMAT when the shape is too large. */
int quantised_make(struct quantised *quantised, const char *name, size_t n_dims,
                   const size_t *shape, struct arena *arena, struct tensor *out,
                   struct error *err);

/* ---- for those that decode ---- */

/* The bytes of a tensor as one of U8 [size_bytes], in row-major order; in the arena. NULL with an error
 * as tensor_join has them. */
const struct tensor *quantised_bytes(const struct tensor *tensor, struct arena *arena,
                                     struct error *err);
/* out [n_rows, n_bytes] = of n_rows rows from `row` on, each row_bytes long, the bytes from `at` on. */
int quantised_read_rows(const struct tensor *bytes, size_t row_bytes, size_t row, size_t n_rows,
                        size_t at, size_t n_bytes, void *out, struct error *err);
/* n items from `first` on, rounded to float: exact for all dtypes that scales come in. */
int quantised_floats(const struct tensor *tensor, size_t first, size_t n, float *out,
                     struct error *err);
/* All items; of small companions, which are kept: in the arena. NULL with an error. */
const float *quantised_keep_floats(const struct tensor *tensor, struct arena *arena,
                                   struct error *err);

/* Whether it is [shape[0], shape[1], …]; if not, ERROR_FORMAT that says what it should be and why. */
int quantised_check_shape(const struct tensor *tensor, size_t n_dims, const size_t *shape,
                          const char *why, struct error *err);
/* Whether scales of that dtype are known: F16, BF16, F32; if not, ERROR_FORMAT. */
int quantised_check_scale(const struct tensor *tensor, struct error *err);

#endif
