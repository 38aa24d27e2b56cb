/* move_matrix.h - a matrix with a row for each token of one vocabulary, made into one for another.
 *
 * Of each token that is in both vocabularies the row is copied. Any other row is made by a method (move_method.h)
 * from the rows that are there, in batches, as it is read. */
#ifndef COCKTAIL_MOVE_MATRIX_H
#define COCKTAIL_MOVE_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "mix/move_method.h"
#include "tensor/tensor.h"
#include "tensor/tensor_rows.h"

struct move_map {
    struct tensor_row *rows;    /* [n_rows] in the order of the rows of the result */
    struct tensor_pick *picks;
    struct tensor_row_map map;  /* the two */
    uint32_t *made;             /* [n_made] ids of the rows that are made */
    struct move_shared *shared; /* [n_shared] tokens of both vocabularies */
    size_t n_copied, n_matched, n_made, n_shared, n_without_row;
};

struct move_search {
    bool bytes, prefixes;
    bool makes; /* rows of tokens that are not found are made; else they are zeros */
};

/* Fills a map: `own` are the tokens of the model, whose matrix has n_own_rows, `donor` those that the
 * result is to have. Tokens without a row in the donor's matrix get zeros. Released with
 * move_map_release. */
void move_map_init(struct move_map *map, const struct token_keys *own, size_t n_own_rows,
                   const struct token_keys *donor, size_t n_donor_rows, struct move_search search);
void move_map_release(struct move_map *map);

struct move_matrix;

/* A matrix as `job` (copied, what it points to is borrowed) says. Freed with move_matrix_free, after the
 * tensors that were made of it. */
struct move_matrix *move_matrix_new(const struct move_job *job, const struct move_map *map);
void move_matrix_free(struct move_matrix *matrix);

/* Makes *tensor the `own` tensor with rows (in the first dimension) as the map says; `matrix` gives those that
 * are made, NULL when the map has none. The arena keeps what it needs. Errors as tensor_rows. */
int move_tensor(struct tensor *tensor, const struct tensor *own, const struct move_map *map,
                struct move_matrix *matrix, struct arena *arena, struct error *err);

#endif
