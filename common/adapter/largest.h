/* largest.h - which k of n values are the largest, by magnitude, where they are seen piece by piece.
 *
 * Three looks at all of them, each at some more bits of the magnitudes, find the smallest that is kept;
 * of several that are equal to it the first ones are. Nothing is sorted or stored. */
#ifndef COCKTAIL_LARGEST_H
#define COCKTAIL_LARGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LARGEST_CELLS = 1 << 11 };

struct largest {
    unsigned n_looks;      /* that are done */
    uint32_t limit;        /* what is known of the bits of the smallest one that is kept */
    size_t n_left;         /* of those that have these bits, so many are kept */
    size_t cells[LARGEST_CELLS];
};

/* k <= n. */
void largest_init(struct largest *largest, size_t k);
/* Whether all values must be looked at once more, all pieces by largest_look, then largest_turn. */
bool largest_goes_on(const struct largest *largest);
void largest_look(struct largest *largest, const float *x, size_t n);
void largest_turn(struct largest *largest);
/* Makes 0 of what is not kept; once, the pieces in their order. */
void largest_keep(struct largest *largest, float *x, size_t n);

#endif
