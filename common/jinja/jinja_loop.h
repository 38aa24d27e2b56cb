/* jinja_loop.h - the `loop` of a for: how far it is, what comes next. */
#ifndef COCKTAIL_JINJA_LOOP_H
#define COCKTAIL_JINJA_LOOP_H

#include "jinja/jinja_iterate.h"
#include "jinja/jinja_method_row.h"

struct jinja_loop {
    struct jinja_walk walk;
    int64_t index0;        /* -1 before the first item */
    struct jinja_value before, current, after; /* JINJA_MISSING where there is none (yet) */
    size_t length;         /* SIZE_MAX: not asked for yet */
    size_t depth0;
    struct jinja_value last_changed;
    const void *recursion; /* of a recursive loop: what its owner needs to run it again */
};

int jinja_loop_new(struct jinja_heap *heap, struct jinja_value over, struct jinja_loop **out);
/* 1 and the next item, 0 at the end, -1 on error. */
int jinja_loop_next(struct jinja_heap *heap, struct jinja_loop *loop, struct jinja_value *item);
/* loop.NAME that is no method: 1, 0 when there is none, -1 on error. */
int jinja_loop_attribute(struct jinja_heap *heap, struct jinja_loop *loop,
                         const struct jinja_string *name, struct jinja_value *out);

extern const struct jinja_method_row jinja_loop_methods[]; /* ended by a row without a name */

#endif
