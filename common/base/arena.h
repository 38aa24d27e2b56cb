/* arena.h - memory for one job, dropped whole.
 *
 * Nothing in an arena is freed alone; nothing that outlives the job may point into it. */
#ifndef COCKTAIL_ARENA_H
#define COCKTAIL_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_block *blocks;
    size_t used, size; /* of the newest block */
};

/* A zeroed struct is an empty arena. arena_alloc returns zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_copy(struct arena *arena, const char *text, size_t length); /* adds a NUL */
void arena_release(struct arena *arena);

#endif
