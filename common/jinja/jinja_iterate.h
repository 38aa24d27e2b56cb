/* jinja_iterate.h - going through what Python can go through, and iterators that are made here. */
#ifndef COCKTAIL_JINJA_ITERATE_H
#define COCKTAIL_JINJA_ITERATE_H

#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

struct jinja_walk { /* one walk over a value */
    struct jinja_value over;
    size_t at; /* item, or byte of a string */
};

bool jinja_is_iterable(struct jinja_value value);
/* Strings give characters, dicts keys, undefined nothing. An error for what cannot be walked. */
int jinja_walk_begin(struct jinja_heap *heap, struct jinja_value over, struct jinja_walk *walk);
/* 1 and the next item, 0 at the end, -1 on error. */
int jinja_walk_next(struct jinja_heap *heap, struct jinja_walk *walk, struct jinja_value *item);
/* All items (that are left) as a list. */
int jinja_to_list(struct jinja_heap *heap, struct jinja_value value, enum jinja_kind kind,
                  struct jinja_value *out);
bool jinja_has_length(struct jinja_value value);
int jinja_length(struct jinja_heap *heap, struct jinja_value value, size_t *n);

/* An iterator that calls `next`; see struct jinja_iterator. */
int jinja_iterator_new(struct jinja_heap *heap,
                       int (*next)(struct jinja_heap *heap, struct jinja_iterator *self,
                                   struct jinja_value *item),
                       void *state, struct jinja_value *out);
/* One over the items of a list. */
int jinja_iterator_over(struct jinja_heap *heap, struct jinja_value list,
                        struct jinja_value *out);
/* One over the items from the last to the first. */
int jinja_reversed(struct jinja_heap *heap, struct jinja_value value, struct jinja_value *out);

#endif
