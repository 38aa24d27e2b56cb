/* move.h - a model with the tokenizer of another: what `tokenizer move` makes, as a model folder.
 *
 * Nothing is written here. The folder is that of the model, with the donor's tokenizer files in place of its own,
 * a config.json and a generation_config.json whose numbers follow, and matrices over the vocabulary that
 * are made as they are read; merge.h writes it as it writes any model. */
#ifndef COCKTAIL_MOVE_H
#define COCKTAIL_MOVE_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "mix/move_matrix.h"
#include "mix/move_method.h"

enum move_place { MOVE_NOWHERE, MOVE_EMBEDDING, MOVE_HEAD, MOVE_BOTH };

struct move_options {
    struct move_settings settings;
    enum move_place bytes, prefixes; /* where matches of bytes and of prefixes count */
    bool follow_symlinks;
};

/* A matrix of the model, with its map. */
struct move_part {
    const struct tensor *stored;
    const struct tensor *own, *donor; /* with a row for each token; donor NULL: a bias, whose rows are copied or zero */
    bool is_head;
    struct move_map map;
    struct move_matrix *matrix;
    struct tensor made;
};

struct move {
    struct model_folder own, donor, made;
    struct token_keys own_keys, donor_keys;
    struct tokenizer *tokenizer;  /* of the model; NULL: the method wants none */
    struct move_part *parts;      /* [n_parts], the embedding first */
    size_t n_parts;
    struct arena arena;           /* of parts that are stored in another shape */
};

/* Opens the two models, which messages call names[2]. ERROR_INCOMPATIBLE when they do not fit together,
 * ERROR_UNSUPPORTED for models whose parts over the vocabulary are not known. move->made borrows from the
 * rest. move_release in every case. */
int move_open(struct move *move, const char *const paths[2], const char *const names[2],
              const struct move_options *options, struct notices *notices, struct error *err);
/* move->made, which may have been moved out, is released first. */
void move_release(struct move *move);

#endif
