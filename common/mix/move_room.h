/* move_room.h - what the methods of move_method.h share: rows as floats, and products of them. */
#ifndef COCKTAIL_MOVE_ROOM_H
#define COCKTAIL_MOVE_ROOM_H

#include "mix/move_method.h"

enum { MOVE_BLOCK_BYTES = 4 * 1024 * 1024, MOVE_POINTS_BYTES = 192 * 1024 * 1024 };

struct move_room {
    struct threads *threads; /* one: the room is that of one thread */
    struct gemm *gemm;
    float *block;            /* rows of P, where job->points does not have them */
    size_t n_block_rows;
    const float *rows;       /* [n, donor width] those of the last move_block_products */
    void *bytes;             /* a row as it is stored */
    double *row;             /* a row of the donor's, or of the model's */
    float *scores;           /* [batch, n_block_rows] */
    struct tokenizer_scratch *scratch;
    struct encoding encoding;
    struct buffer text;
    void *own;               /* of the method, from malloc */
};

struct move_room *move_room_new(const struct move_job *job, size_t batch, struct error *err);
void move_room_free(struct move_room *room);

/* out [width] = row number `row`. */
int move_row_read(const struct tensor *tensor, size_t row, struct move_room *room, double *out,
                  struct error *err);
int move_row_floats(const struct tensor *tensor, size_t row, struct move_room *room, float *out,
                    struct error *err);

/* P as floats, from malloc; NULL without an error where that is more than MOVE_POINTS_BYTES: then it is read in
 * blocks, again and again. */
float *move_points_read(const struct move_job *job, struct error *err);

/* room->rows [*n, donor width] = P from `first` on, and room->scores [n_x, n_block_rows] = x P^T; x is
 * [n_x, donor width]. */
int move_block_products(const struct move_job *job, struct move_room *room, size_t first, size_t *n,
                        const float *x, size_t n_x, struct error *err);

/* out [own width] = sum of weights[n] times rows of Q; indices into job->shared. */
int move_combine(const struct move_job *job, struct move_room *room, const uint32_t *indices,
                 const double *weights, size_t n, double *out, struct error *err);

/* The length of x [n]. */
double move_norm(const double *x, size_t n);

#endif
