/* nearest.h - "did you mean": the word of a list that was probably meant. */
#ifndef COCKTAIL_NEAREST_H
#define COCKTAIL_NEAREST_H

#include <stddef.h>

struct nearest { /* set `typed`, the rest zero */
    const char *typed;
    const char *word; /* borrowed; NULL while nothing is near */
    size_t distance;
};

/* A word is near when few letters are wrong, missing, extra or swapped, or when it only begins as
 * typed, or is what was abbreviated. */
void nearest_consider(struct nearest *nearest, const char *word);

#endif
