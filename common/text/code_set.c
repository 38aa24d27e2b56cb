#include "code_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void code_set_release(struct code_set *set)
{
    free(set->bounds);
    *set = (struct code_set){0};
}

void code_set_clear(struct code_set *set)
{
    set->n_bounds = 0;
}

static void add_bound(struct code_set *set, uint32_t bound)
{
    if (set->n_bounds == set->capacity) {
        set->capacity = set->capacity ? 2 * set->capacity : 16;
        set->bounds = memory_resize(set->bounds, set->capacity, sizeof *set->bounds);
    }
    set->bounds[set->n_bounds++] = bound;
}

/* What is in both (need = 2) or in one of them at least (need = 1), replaces the set. */
static void combine(struct code_set *set, const struct code_set *other, unsigned need)
{
    struct code_set result = {0};
    size_t i = 0, k = 0;
    bool was_in = false;

    while (i < set->n_bounds || k < other->n_bounds) {
        uint32_t of_set = i < set->n_bounds ? set->bounds[i] : UINT32_MAX;
        uint32_t of_other = k < other->n_bounds ? other->bounds[k] : UINT32_MAX;
        uint32_t bound = of_set < of_other ? of_set : of_other;
        bool is_in;

        i += of_set == bound;
        k += of_other == bound;
        is_in = (i & 1) + (k & 1) >= need;
        if (is_in != was_in)
            add_bound(&result, bound);
        was_in = is_in;
    }
    free(set->bounds);
    *set = result;
}

void code_set_add(struct code_set *set, uint32_t first, uint32_t last)
{
    struct code_set range = {0};

    if (set->n_bounds == 0 || first > set->bounds[set->n_bounds - 1]) {
        add_bound(set, first);
        add_bound(set, last + 1);
        return;
    }
    if (first == set->bounds[set->n_bounds - 1]) {
        set->bounds[set->n_bounds - 1] = last + 1;
        return;
    }
    add_bound(&range, first);
    add_bound(&range, last + 1);
    combine(set, &range, 1);
    code_set_release(&range);
}

void code_set_unite(struct code_set *set, const struct code_set *other)
{
    combine(set, other, 1);
}

void code_set_intersect(struct code_set *set, const struct code_set *other)
{
    combine(set, other, 2);
}

void code_set_invert(struct code_set *set)
{
    struct code_set result = {0};
    size_t from = set->n_bounds && set->bounds[0] == 0 ? 1 : 0;
    size_t to = set->n_bounds;

    if (to > from && set->bounds[to - 1] == CODE_SET_END)
        to--;
    if (from == 0)
        add_bound(&result, 0);
    for (size_t i = from; i < to; i++)
        add_bound(&result, set->bounds[i]);
    if (result.n_bounds & 1)
        add_bound(&result, CODE_SET_END);
    free(set->bounds);
    *set = result;
}

bool code_set_has(const struct code_set *set, uint32_t code_point)
{
    size_t low = 0, high = set->n_bounds; /* how many bounds are <= code_point */

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (set->bounds[middle] <= code_point)
            low = middle + 1;
        else
            high = middle;
    }
    return low & 1;
}

bool code_set_equal(const struct code_set *a, const struct code_set *b)
{
    return a->n_bounds == b->n_bounds &&
           (a->n_bounds == 0 ||
            memcmp(a->bounds, b->bounds, a->n_bounds * sizeof *a->bounds) == 0);
}

size_t code_set_count(const struct code_set *set)
{
    size_t count = 0;

    for (size_t i = 0; i + 1 < set->n_bounds; i += 2)
        count += set->bounds[i + 1] - set->bounds[i];
    return count;
}
