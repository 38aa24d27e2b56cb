/* chunks.h - several lists of items, cut into tasks of at most so many items each.
 *
 * How the work is cut depends on the lists alone, never on the number of threads. */
#ifndef COCKTAIL_CHUNKS_H
#define COCKTAIL_CHUNKS_H

#include <stddef.h>

struct chunks {
    size_t n_lists, chunk_items;
    size_t *n_items;    /* [n_lists] */
    size_t *first_task; /* [n_lists + 1]: of list i are tasks first_task[i] to first_task[i+1]-1 */
};

/* Lists without items, to be given their lengths by chunks_set in order. */
void chunks_init(struct chunks *chunks, size_t n_lists, size_t chunk_items);
void chunks_set(struct chunks *chunks, size_t list, size_t n_items);
void chunks_release(struct chunks *chunks);

static inline size_t chunks_n_tasks(const struct chunks *chunks)
{
    return chunks->first_task[chunks->n_lists];
}
/* Items *first … *first + *n - 1 of a list, which is returned. */
size_t chunks_find(const struct chunks *chunks, size_t task, size_t *first, size_t *n);

#endif
