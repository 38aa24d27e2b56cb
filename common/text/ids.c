#include "ids.h"

#include <stdlib.h>

#include "base/memory.h"

void ids_reserve(struct ids *ids, size_t n_more)
{
    size_t need;

    if (__builtin_add_overflow(ids->n_items, n_more, &need))
        memory_exhausted();
    if (need <= ids->capacity)
        return;
    if (need < 2 * ids->capacity)
        need = 2 * ids->capacity;
    ids->capacity = need < 64 ? 64 : need;
    ids->items = memory_resize(ids->items, ids->capacity, sizeof *ids->items);
}

void ids_clear(struct ids *ids)
{
    ids->n_items = 0;
}

void ids_release(struct ids *ids)
{
    free(ids->items);
    *ids = (struct ids){0};
}
