/* notices.h - what a user should know although nothing failed.
 *
 * The library does not print: it collects, and the command prints unless told to be quiet. */
#ifndef COCKTAIL_NOTICES_H
#define COCKTAIL_NOTICES_H

#include <stddef.h>

struct notices { /* a zeroed struct is an empty list */
    char **texts;
    size_t n_texts;
};

void notices_add(struct notices *notices, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void notices_release(struct notices *notices);

#endif
