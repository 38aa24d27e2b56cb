/* shares.h - a row of things of different size, divided among several who work on them. */
#ifndef COCKTAIL_SHARES_H
#define COCKTAIL_SHARES_H

#include <stddef.h>

struct share { /* things begin … end - 1 */
    size_t begin, end;
};

/* The share of number `which` of n_shares, which follow one another and cover sizes[n]: about as much
 * for each, nothing for some where there are few things. */
struct share share_of(const size_t *sizes, size_t n, size_t which, size_t n_shares);

#endif
