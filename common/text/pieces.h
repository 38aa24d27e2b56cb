/* pieces.h - a text cut into pieces, as it goes from the normalizer to the model.
 *
 * The bytes of all pieces lie in one buffer. Every step makes a new list from an old one; the two
 * lists are kept by the caller and used in turn, so that nothing is allocated per text. */
#ifndef COCKTAIL_PIECES_H
#define COCKTAIL_PIECES_H

#include <stddef.h>

#include "base/buffer.h"

struct piece {
    size_t start, length; /* bytes in pieces->text */
    size_t n_origin;      /* its leading bytes that come from offset 0 of the original text */
};

struct pieces { /* a zeroed struct is an empty list */
    struct buffer text;
    struct piece *items;
    size_t n_items, capacity;
};

void pieces_clear(struct pieces *pieces); /* memory is kept */
void pieces_release(struct pieces *pieces);
/* Adds a piece that covers bytes already in pieces->text; empty ones are dropped. */
void pieces_add(struct pieces *pieces, size_t start, size_t length, size_t n_origin);

#endif
