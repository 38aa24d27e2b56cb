#include "jinja_sort.h"

#include <string.h>

struct sort {
    struct jinja_heap *heap;
    jinja_sort_compare *compare;
    size_t size;
    char *spare;
};

static int merge(const struct sort *sort, char *items, size_t n_left, size_t n)
{
    size_t size = sort->size, left = 0, right = n_left, at = 0;

    while (left < n_left && right < n) {
        int order;

        if (sort->compare(sort->heap, items + right * size, items + left * size, &order))
            return -1;
        memcpy(sort->spare + at++ * size, items + (order < 0 ? right++ : left++) * size, size);
    }
    memcpy(sort->spare + at * size, items + left * size, (n_left - left) * size);
    memcpy(items, sort->spare, (at + n_left - left) * size);
    return 0;
}

static int sort_part(const struct sort *sort, char *items, size_t n)
{
    size_t half = n / 2;

    if (n < 2)
        return 0;
    return sort_part(sort, items, half) ||
                   sort_part(sort, items + half * sort->size, n - half)
               ? -1 : merge(sort, items, half, n);
}

int jinja_sort(struct jinja_heap *heap, void *items, size_t n, size_t size,
               jinja_sort_compare *compare)
{
    struct sort sort = {.heap = heap, .compare = compare, .size = size};

    if (n < 2)
        return 0;
    sort.spare = jinja_alloc(heap, n, size);
    return sort.spare ? sort_part(&sort, items, n) : -1;
}
