/* ids.h - a list of token ids that grows. */
#ifndef COCKTAIL_IDS_H
#define COCKTAIL_IDS_H

#include <stddef.h>
#include <stdint.h>

struct ids { /* a zeroed struct is an empty list */
    uint32_t *items;
    size_t n_items, capacity;
};

void ids_reserve(struct ids *ids, size_t n_more); /* room for so many more */
static inline void ids_add(struct ids *ids, uint32_t id)
{
    if (ids->n_items == ids->capacity)
        ids_reserve(ids, 1);
    ids->items[ids->n_items++] = id;
}
void ids_clear(struct ids *ids);
void ids_release(struct ids *ids);

#endif
