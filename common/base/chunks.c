#include "chunks.h"

#include <stdlib.h>

#include "base/memory.h"

void chunks_init(struct chunks *chunks, size_t n_lists, size_t chunk_items)
{
    chunks->n_lists = n_lists;
    chunks->chunk_items = chunk_items;
    chunks->n_items = memory_zalloc(n_lists, sizeof *chunks->n_items);
    chunks->first_task = memory_zalloc(n_lists + 1, sizeof *chunks->first_task);
}

void chunks_set(struct chunks *chunks, size_t list, size_t n_items)
{
    size_t n_tasks = n_items / chunks->chunk_items + (n_items % chunks->chunk_items != 0);

    chunks->n_items[list] = n_items;
    chunks->first_task[list + 1] = chunks->first_task[list] + n_tasks;
}

void chunks_release(struct chunks *chunks)
{
    free(chunks->n_items);
    free(chunks->first_task);
    *chunks = (struct chunks){0};
}

size_t chunks_find(const struct chunks *chunks, size_t task, size_t *first, size_t *n)
{
    size_t low = 0, high = chunks->n_lists, left;

    /* The last list whose first task is not behind this one. */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (chunks->first_task[middle] <= task)
            low = middle;
        else
            high = middle;
    }
    *first = (task - chunks->first_task[low]) * chunks->chunk_items;
    left = chunks->n_items[low] - *first;
    *n = left < chunks->chunk_items ? left : chunks->chunk_items;
    return low;
}
