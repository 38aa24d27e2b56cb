/* must.h - what has to hold in a fuzz target. */
#ifndef COCKTAIL_MUST_H
#define COCKTAIL_MUST_H

#include <stdio.h>
#include <stdlib.h>

/* A check that stays with NDEBUG, and says which one it was. */
#define MUST(condition)                                                                           \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                       \
            abort();                                                                              \
        }                                                                                         \
    } while (0)

#endif
