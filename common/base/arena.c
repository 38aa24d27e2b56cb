#include "arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { BLOCK_BYTES = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) unsigned char bytes[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t align = alignof(max_align_t), start = (arena->used + align - 1) / align * align;
    struct arena_block *block;

    if (!arena->blocks || start > arena->size || size > arena->size - start) {
        size_t capacity = size > BLOCK_BYTES ? size : BLOCK_BYTES;

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
