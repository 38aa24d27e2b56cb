/* unused.h - members of a file's objects that nobody reads, to be said once for the file. */
#ifndef COCKTAIL_UNUSED_H
#define COCKTAIL_UNUSED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/notices.h"

struct unused_member {
    char *name;
    size_t line; /* of the first */
};

struct unused { /* a zeroed struct holds none */
    struct unused_member *items;
    size_t n_items;
    bool has_more; /* than are worth naming */
};

/* Once for each name, with the line where it was met first. */
void unused_add(struct unused *unused, const char *name, size_t line);
/* A notice that names them, when there are any. */
void unused_note(const struct unused *unused, const char *file, struct notices *notices);
void unused_release(struct unused *unused);

#endif
