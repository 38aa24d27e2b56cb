/* jinja_sort.h - a stable sort whose comparison can fail, as Python's can. */
#ifndef COCKTAIL_JINJA_SORT_H
#define COCKTAIL_JINJA_SORT_H

#include "jinja/jinja_heap.h"

typedef int jinja_sort_compare(struct jinja_heap *heap, const void *a, const void *b, int *order);

/* n items of `size` bytes. The order of equal ones stays. */
int jinja_sort(struct jinja_heap *heap, void *items, size_t n, size_t size,
               jinja_sort_compare *compare);

#endif
