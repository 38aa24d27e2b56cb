#include "arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Of a thousand arenas that hold a little each, none should take much. */
enum { FIRST_BLOCK_BYTES = 2 * 1024, BLOCK_BYTES = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) unsigned char bytes[];
};

static size_t next_capacity(const struct arena *arena)
{
    if (!arena->blocks)
        return FIRST_BLOCK_BYTES;
    return arena->size < BLOCK_BYTES / 2 ? 2 * arena->size : BLOCK_BYTES;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t align = alignof(max_align_t), start = (arena->used + align - 1) / align * align;
    struct arena_block *block;

    if (!arena->blocks || start > arena->size || size > arena->size - start) {
        size_t capacity = next_capacity(arena);

        if (size > capacity)
            capacity = size;
        block = memory_zalloc(1, sizeof *block + capacity);
        block->next = arena->blocks;
        arena->blocks = block;
        arena->size = capacity;
        start = 0;
    }
    arena->used = start + size;
    return arena->blocks->bytes + start;
}

char *arena_copy(struct arena *arena, const char *text, size_t length)
{
    return memcpy(arena_alloc(arena, length + 1), text, length);
}

void arena_release(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
    *arena = (struct arena){0};
}
