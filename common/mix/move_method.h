/* move_method.h - ways of making the rows of tokens that a model does not know.
 *
 * A method is a row of the table in move_method.c. It sees y, the rows of the donor for the new tokens; P,
 * the donor's rows of the tokens that both know, and Q, the model's rows of the same tokens; and what it
 * says of y in terms of P it makes of Q. Formulas: docs/tokenizers.md, "Rows for new tokens". */
#ifndef COCKTAIL_MOVE_METHOD_H
#define COCKTAIL_MOVE_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "math/gemm.h"
#include "tensor/tensor.h"
#include "text/token_keys.h"
#include "text/tokenizer.h"

struct move_shared {
    uint32_t donor, own; /* rows */
};

enum move_weighting { MOVE_DISTANCE, MOVE_BARYCENTRIC, MOVE_LEAST_SQUARES };
enum move_pieces { MOVE_MEAN, MOVE_SUM, MOVE_WEIGHTED_MEAN, MOVE_FIRST_LAST };

struct move_method;

struct move_settings {
    const struct move_method *method;
    size_t k;                      /* tokens that a row is made of */
    enum move_weighting weighting; /* of common_interpolation */
    bool is_cosine;                /* likewise: by angles and not by distances */
    enum move_pieces pieces;       /* of subword */
};

/* One matrix to be moved; all borrowed. */
struct move_job {
    struct move_settings settings;
    const struct tensor *own, *donor; /* [rows, width], each of its own width */
    const struct move_shared *shared; /* [n_shared], in the order of the donor's ids */
    size_t n_shared;
    bool is_head;
    const struct token_keys *donor_keys; /* of subword: texts */
    const struct tokenizer *tokenizer;   /* likewise: the model's own; NULL for other methods */
    /* Whoever makes a job leaves these NULL. */
    const double *prepared;              /* by the method */
    const float *points;                 /* P, where there is room for it: move_points_read */
};

/* Room of one thread. */
struct move_room;

struct move_method {
    const char *name, *summary;
    bool uses_donor;     /* it looks at rows of the donor, and needs k tokens that both know */
    bool uses_tokenizer;
    /* Rows that are made at once, for this job: few enough for memory. */
    size_t (*batch)(const struct move_job *job);
    /* What it has to know once, from malloc, or NULL with an error. NULL here: nothing. */
    double *(*prepare)(const struct move_job *job, struct error *err);
    /* out [n, own width] = the rows of tokens ids[n]. May be called by several threads, each with its
     * room. */
    int (*make)(const struct move_job *job, struct move_room *room, const uint32_t *ids, size_t n,
                double *out, struct error *err);
};

/* NULL: none has that name. */
const struct move_method *move_method_find(const char *name);
extern const struct move_method *const move_methods[]; /* ended by NULL */
extern const struct move_method move_omp, move_interpolation, move_subword, move_mean, move_zero;

#endif
