/* split.h - what becomes of the places where a pattern matches.
 *
 * A piece of text is covered by spans, matches and the gaps between them, given from left to right;
 * the behaviour says which of them are joined and which are dropped. Nothing is stored but one
 * span. */
#ifndef COCKTAIL_SPLIT_H
#define COCKTAIL_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "text/pieces.h"

/* the-final--x, split at '-' */
enum split_behavior {
    SPLIT_REMOVED,              /* the final x */
    SPLIT_ISOLATED,             /* the - final - - x */
    SPLIT_MERGED_WITH_PREVIOUS, /* the- final- - x */
    SPLIT_MERGED_WITH_NEXT,     /* the -final - -x */
    SPLIT_CONTIGUOUS,           /* the - final -- x */
};

/* False when there is no behaviour of this name ("Removed", …). */
bool split_behavior_find(const char *name, enum split_behavior *behavior);

struct split {
    enum split_behavior behavior;
    bool is_inverted; /* gaps are matches, and the other way round */
    struct pieces *out;
    struct piece piece;
    size_t at;                    /* up to where spans have been given */
    size_t open_start, open_end;  /* a span that may still grow */
    bool is_open, was_match;
};

/* The pieces go to `out`, which holds the text already. */
void split_begin(struct split *split, enum split_behavior behavior, bool is_inverted,
                 struct piece piece, struct pieces *out);
/* A match [start, end), counted from the start of the piece; start >= the end before. */
void split_match(struct split *split, size_t start, size_t end);
void split_end(struct split *split);

/* A part of a piece, counted from its start. */
static inline void split_add(struct pieces *out, const struct piece *piece, size_t start,
                             size_t end)
{
    pieces_add(out, piece->start + start, end - start,
               piece->n_origin > start ? piece->n_origin - start : 0);
}

#endif
