/* code_set.h - a set of code points, as the places where one enters and leaves it. */
#ifndef COCKTAIL_CODE_SET_H
#define COCKTAIL_CODE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CODE_SET_END = 0x110000 };

/* bounds[0] <= members < bounds[1], bounds[2] <= members < bounds[3], … in ascending order. */
struct code_set { /* a zeroed struct is the empty set */
    uint32_t *bounds;
    size_t n_bounds, capacity;
};

void code_set_release(struct code_set *set);
void code_set_clear(struct code_set *set); /* memory is kept */
/* Adds first to last, both included: fast when they come in ascending order. */
void code_set_add(struct code_set *set, uint32_t first, uint32_t last);
void code_set_unite(struct code_set *set, const struct code_set *other);
void code_set_intersect(struct code_set *set, const struct code_set *other);
void code_set_invert(struct code_set *set);
bool code_set_has(const struct code_set *set, uint32_t code_point);
bool code_set_equal(const struct code_set *a, const struct code_set *b);
size_t code_set_count(const struct code_set *set);

#endif
