#include "pieces.h"

#include <stdlib.h>

#include "base/memory.h"

void pieces_clear(struct pieces *pieces)
{
    buffer_clear(&pieces->text);
    pieces->n_items = 0;
}

void pieces_release(struct pieces *pieces)
{
    buffer_release(&pieces->text);
    free(pieces->items);
    *pieces = (struct pieces){0};
}

void pieces_add(struct pieces *pieces, size_t start, size_t length, size_t n_origin)
{
    if (length == 0)
        return;
    if (pieces->n_items == pieces->capacity) {
        pieces->capacity = pieces->capacity ? 2 * pieces->capacity : 64;
        pieces->items = memory_resize(pieces->items, pieces->capacity, sizeof *pieces->items);
    }
    pieces->items[pieces->n_items++] = (struct piece){start, length, n_origin};
}
