#include "jinja_iterate.h"

#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"

bool jinja_is_iterable(struct jinja_value value)
{
    switch (value.kind) {
    case JINJA_UNDEFINED: case JINJA_STRING: case JINJA_LIST: case JINJA_TUPLE: case JINJA_DICT:
    case JINJA_RANGE: case JINJA_VIEW: case JINJA_ITERATOR:
        return true;
    default:
        return false;
    }
}

int jinja_walk_begin(struct jinja_heap *heap, struct jinja_value over, struct jinja_walk *walk)
{
    if (!jinja_is_iterable(over))
        return jinja_fail(heap, "'%s' object is not iterable", jinja_type_name(over));
    *walk = (struct jinja_walk){.over = over};
    return 0;
}

static int next_character(struct jinja_heap *heap, struct jinja_walk *walk,
                          struct jinja_value *item)
{
    const struct jinja_string *string = walk->over.string;
    uint32_t code;
    size_t n;

    if (walk->at >= string->size)
        return 0;
    n = jinja_decode(string->bytes, walk->at, &code);
    if (jinja_string_part(heap, string, walk->at, n, item))
        return -1;
    item->string->is_safe = false; /* as str's own iterator */
    walk->at += n;
    return 1;
}

static int next_of_dict(struct jinja_heap *heap, const struct jinja_dict *dict,
                        enum jinja_view_kind kind, struct jinja_walk *walk,
                        struct jinja_value *item)
{
    const struct jinja_dict_entry *entry;

    if (walk->at >= dict->n_entries)
        return 0;
    entry = &dict->entries[walk->at++];
    if (kind == JINJA_VIEW_ITEMS)
        return jinja_pair(heap, entry->key, entry->value, item) ? -1 : 1;
    *item = kind == JINJA_VIEW_KEYS ? entry->key : entry->value;
    return 1;
}

int jinja_walk_next(struct jinja_heap *heap, struct jinja_walk *walk, struct jinja_value *item)
{
    struct jinja_value over = walk->over;

    if (jinja_spend(heap, 1))
        return -1;
    switch (over.kind) {
    case JINJA_STRING: return next_character(heap, walk, item);
    case JINJA_LIST: case JINJA_TUPLE:
        if (walk->at >= over.list->n_items)
            return 0;
        *item = over.list->items[walk->at++];
        return 1;
    case JINJA_DICT: return next_of_dict(heap, over.dict, JINJA_VIEW_KEYS, walk, item);
    case JINJA_VIEW: return next_of_dict(heap, over.view->dict, over.view->kind, walk, item);
    case JINJA_RANGE:
        if (walk->at >= over.range->n_items)
            return 0;
        *item = jinja_int(over.range->start + (int64_t)walk->at++ * over.range->step);
        return 1;
    case JINJA_ITERATOR: {
        int more = over.iterator->is_done ? 0 : over.iterator->next(heap, over.iterator, item);

        over.iterator->is_done = more <= 0;
        return more;
    }
    default: return 0;
    }
}

int jinja_to_list(struct jinja_heap *heap, struct jinja_value value, enum jinja_kind kind,
                  struct jinja_value *out)
{
    struct jinja_list_builder list = {0};
    struct jinja_walk walk;
    struct jinja_value item;
    int more;

    if (jinja_walk_begin(heap, value, &walk))
        return -1;
    while ((more = jinja_walk_next(heap, &walk, &item)) > 0)
        if (jinja_list_add(heap, &list, item))
            return -1;
    return more < 0 ? -1 : jinja_list_finish(heap, &list, kind, out);
}

bool jinja_has_length(struct jinja_value value)
{
    return jinja_is_iterable(value) && value.kind != JINJA_ITERATOR;
}

int jinja_length(struct jinja_heap *heap, struct jinja_value value, size_t *n)
{
    switch (value.kind) {
    case JINJA_UNDEFINED: *n = 0; return 0;
    case JINJA_STRING:
        if (value.string->n_chars == SIZE_MAX && jinja_spend(heap, value.string->size / 64))
            return -1;
        *n = jinja_string_chars(value.string);
        return 0;
    case JINJA_LIST: case JINJA_TUPLE: *n = value.list->n_items; return 0;
    case JINJA_DICT: *n = value.dict->n_entries; return 0;
    case JINJA_VIEW: *n = value.view->dict->n_entries; return 0;
    case JINJA_RANGE: *n = value.range->n_items; return 0;
    default:
        return jinja_fail(heap, "object of type '%s' has no len()", jinja_type_name(value));
    }
}

int jinja_iterator_new(struct jinja_heap *heap,
                       int (*next)(struct jinja_heap *heap, struct jinja_iterator *self,
                                   struct jinja_value *item),
                       void *state, struct jinja_value *out)
{
    struct jinja_iterator *iterator = jinja_alloc(heap, 1, sizeof *iterator);

    if (!iterator)
        return -1;
    iterator->next = next;
    iterator->state = state;
    *out = (struct jinja_value){.kind = JINJA_ITERATOR, .iterator = iterator};
    return 0;
}

static int next_of_list(struct jinja_heap *heap, struct jinja_iterator *self,
                        struct jinja_value *item)
{
    return jinja_walk_next(heap, self->state, item);
}

int jinja_iterator_over(struct jinja_heap *heap, struct jinja_value list, struct jinja_value *out)
{
    struct jinja_walk *walk = jinja_alloc(heap, 1, sizeof *walk);

    if (!walk || jinja_walk_begin(heap, list, walk))
        return -1;
    return jinja_iterator_new(heap, next_of_list, walk, out);
}

int jinja_reversed(struct jinja_heap *heap, struct jinja_value value, struct jinja_value *out)
{
    struct jinja_value list;

    if (jinja_to_list(heap, value, JINJA_LIST, &list))
        return -1;
    for (size_t i = 0, k = list.list->n_items; i + 1 < k--; i++) {
        struct jinja_value item = list.list->items[i];

        list.list->items[i] = list.list->items[k];
        list.list->items[k] = item;
    }
    return jinja_iterator_over(heap, list, out);
}
