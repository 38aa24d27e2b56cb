#include "jinja_loop.h"

#include <string.h>

#include "jinja/jinja_value.h"

int jinja_loop_new(struct jinja_heap *heap, struct jinja_value over, struct jinja_loop **out)
{
    struct jinja_loop *loop = jinja_alloc(heap, 1, sizeof *loop);

    if (!loop || jinja_walk_begin(heap, over, &loop->walk))
        return -1;
    loop->index0 = -1;
    loop->length = SIZE_MAX;
    *out = loop;
    return 0;
}

int jinja_loop_next(struct jinja_heap *heap, struct jinja_loop *loop, struct jinja_value *item)
{
    int more = 1;

    if (loop->after.kind != JINJA_MISSING) {
        *item = loop->after;
        loop->after.kind = JINJA_MISSING;
    } else {
        more = jinja_walk_next(heap, &loop->walk, item);
    }
    if (more <= 0)
        return more;
    loop->index0++;
    loop->before = loop->current;
    loop->current = *item;
    return 1;
}

/* Looks one item ahead; 0 at the end. */
static int peek(struct jinja_heap *heap, struct jinja_loop *loop)
{
    struct jinja_value item;
    int more;

    if (loop->after.kind != JINJA_MISSING)
        return 1;
    more = jinja_walk_next(heap, &loop->walk, &item);
    if (more > 0)
        loop->after = item;
    return more;
}

/* Of an iterator it is known when it has been read to its end. */
static int measure(struct jinja_heap *heap, struct jinja_loop *loop)
{
    struct jinja_value rest;

    if (loop->length != SIZE_MAX)
        return 0;
    if (jinja_has_length(loop->walk.over))
        return jinja_length(heap, loop->walk.over, &loop->length);
    if (jinja_to_list(heap, loop->walk.over, JINJA_LIST, &rest))
        return -1;
    loop->length = rest.list->n_items + (size_t)loop->index0 + 1 +
                   (loop->after.kind != JINJA_MISSING);
    return jinja_walk_begin(heap, rest, &loop->walk);
}

static int get_count(struct jinja_heap *heap, struct jinja_loop *loop, const char *name,
                     struct jinja_value *out)
{
    int64_t length;

    if (measure(heap, loop))
        return -1;
    length = (int64_t)loop->length;
    *out = jinja_int(strcmp(name, "length") == 0 ? length
                     : strcmp(name, "revindex") == 0 ? length - loop->index0
                                                     : length - loop->index0 - 1);
    return 0;
}

static int get_neighbour(struct jinja_heap *heap, struct jinja_loop *loop, const char *name,
                         struct jinja_value *out)
{
    if (strcmp(name, "previtem") == 0) {
        *out = loop->before;
        return loop->index0 > 0 ? 0 : jinja_undefined_hint(heap, "there is no previous item", out);
    }
    if (peek(heap, loop) < 0)
        return -1;
    if (strcmp(name, "last") == 0)
        *out = jinja_bool(loop->after.kind == JINJA_MISSING);
    else if (loop->after.kind == JINJA_MISSING)
        return jinja_undefined_hint(heap, "there is no next item", out);
    else
        *out = loop->after;
    return 0;
}

static int get_place(struct jinja_heap *heap, struct jinja_loop *loop, const char *name,
                     struct jinja_value *out)
{
    (void)heap;
    if (strcmp(name, "index") == 0)
        *out = jinja_int(loop->index0 + 1);
    else if (strcmp(name, "index0") == 0)
        *out = jinja_int(loop->index0);
    else if (strcmp(name, "first") == 0)
        *out = jinja_bool(loop->index0 == 0);
    else
        *out = jinja_int((int64_t)loop->depth0 + (name[5] == '\0')); /* depth, depth0 */
    return 0;
}

int jinja_loop_attribute(struct jinja_heap *heap, struct jinja_loop *loop,
                         const struct jinja_string *name, struct jinja_value *out)
{
    static const struct {
        const char *name;
        int (*get)(struct jinja_heap *heap, struct jinja_loop *loop, const char *name,
                   struct jinja_value *out);
    } rows[] = {
        {"last", get_neighbour}, {"first", get_place}, {"index", get_place}, {"index0", get_place},
        {"length", get_count}, {"revindex", get_count}, {"revindex0", get_count},
        {"previtem", get_neighbour}, {"nextitem", get_neighbour}, {"depth", get_place},
        {"depth0", get_place},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (jinja_string_is(name, rows[i].name))
            return rows[i].get(heap, loop, rows[i].name, out) ? -1 : 1;
    return 0;
}

static int cycle(struct jinja_heap *heap, struct jinja_value self,
                 const struct jinja_arguments *arguments, struct jinja_value *out)
{
    if (arguments->n_items == 0)
        return jinja_fail(heap, "no items for cycling given");
    *out = arguments->items[(size_t)self.loop->index0 % arguments->n_items];
    return 0;
}

static int changed(struct jinja_heap *heap, struct jinja_value self,
                   const struct jinja_arguments *arguments, struct jinja_value *out)
{
    struct jinja_value values;
    int is_same = 0;

    if (jinja_list_new(heap, JINJA_TUPLE, arguments->n_items, &values))
        return -1;
    for (size_t i = 0; i < arguments->n_items; i++)
        values.list->items[i] = arguments->items[i];
    if (self.loop->last_changed.kind != JINJA_MISSING)
        is_same = jinja_equal(heap, self.loop->last_changed, values);
    self.loop->last_changed = values;
    *out = jinja_bool(!is_same);
    return is_same < 0 ? -1 : 0;
}

const struct jinja_method_row jinja_loop_methods[] = {
    {"cycle", NULL, 0, NULL, cycle},
    {"changed", NULL, 0, NULL, changed},
    {NULL, NULL, 0, NULL, NULL},
};
