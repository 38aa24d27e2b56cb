/* jinja_list_filters.c - filters of lists, dicts and whatever can be walked. */
#include <string.h>

#include "jinja/jinja_filter_row.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_iterate.h"
#include "jinja/jinja_lookup.h"
#include "jinja/jinja_operators.h"
#include "jinja/jinja_sort.h"
#include "jinja/jinja_strings.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"

#define FILTER(name)                                                                              \
    static int name(struct jinja_heap *heap, struct jinja_value value,                            \
                    const struct jinja_value *values, struct jinja_value *out)

static const struct jinja_value missing = {.kind = JINJA_MISSING};

/* What Python makes as a generator: an iterator whose list is made when the first item is asked
 * for; until then nothing is wrong. */
typedef int make_list(struct jinja_heap *heap, struct jinja_value value,
                      const struct jinja_value *values, struct jinja_value *out);

struct deferred {
    make_list *make;
    struct jinja_value value, values[JINJA_PARAMETERS_MAX];
    bool is_made;
    struct jinja_walk walk;
};

static int next_deferred(struct jinja_heap *heap, struct jinja_iterator *self,
                         struct jinja_value *item)
{
    struct deferred *deferred = self->state;
    struct jinja_value list;

    if (!deferred->is_made) {
        if (deferred->make(heap, deferred->value, deferred->values, &list) ||
            jinja_walk_begin(heap, list, &deferred->walk))
            return -1;
        deferred->is_made = true;
    }
    return jinja_walk_next(heap, &deferred->walk, item);
}

static int defer(struct jinja_heap *heap, make_list *make, struct jinja_value value,
                 const struct jinja_value *values, struct jinja_value *out)
{
    struct deferred *deferred = jinja_alloc(heap, 1, sizeof *deferred);

    if (!deferred)
        return -1;
    deferred->make = make;
    deferred->value = value;
    memcpy(deferred->values, values, sizeof deferred->values);
    return jinja_iterator_new(heap, next_deferred, deferred, out);
}

#define DEFERRED(name, make)                                                                      \
    FILTER(name)                                                                                  \
    {                                                                                             \
        return defer(heap, make, value, values, out);                                             \
    }

/* ---- one of them ---- */

FILTER(use_default)
{
    bool is_absent = value.kind == JINJA_UNDEFINED ||
                     (jinja_truth(values[1]) && !jinja_truth(value));

    *out = is_absent ? values[0] : value;
    return is_absent && values[0].kind == JINJA_MISSING ? jinja_string_text(heap, "", out) : 0;
}

FILTER(length)
{
    size_t n;

    (void)values;
    if (jinja_length(heap, value, &n))
        return -1;
    *out = jinja_int((int64_t)n);
    return 0;
}

FILTER(first)
{
    struct jinja_walk walk;
    int more;

    (void)values;
    if (jinja_walk_begin(heap, value, &walk))
        return -1;
    more = jinja_walk_next(heap, &walk, out);
    if (more == 0)
        return jinja_undefined_hint(heap, "No first item, sequence was empty.", out);
    return more < 0 ? -1 : 0;
}

FILTER(last)
{
    struct jinja_value items;

    (void)values;
    if (value.kind == JINJA_ITERATOR)
        return jinja_fail(heap, "'generator' object is not reversible");
    if (jinja_to_list(heap, value, JINJA_LIST, &items))
        return -1;
    if (items.list->n_items == 0)
        return jinja_undefined_hint(heap, "No last item, sequence was empty.", out);
    *out = items.list->items[items.list->n_items - 1];
    return 0;
}

FILTER(list)
{
    (void)values;
    return jinja_to_list(heap, value, JINJA_LIST, out);
}

FILTER(make_items)
{
    struct jinja_view *view = jinja_alloc(heap, 1, sizeof *view);
    struct jinja_dict *none;

    (void)values;
    if (!view || jinja_dict_new(heap, &none))
        return -1;
    if (value.kind != JINJA_UNDEFINED && value.kind != JINJA_DICT)
        return jinja_fail(heap, "Can only get item pairs from a mapping.");
    *view = (struct jinja_view){.kind = JINJA_VIEW_ITEMS,
                                .dict = value.kind == JINJA_DICT ? value.dict : none};
    *out = (struct jinja_value){.kind = JINJA_VIEW, .view = view};
    return 0;
}

DEFERRED(items, make_items)

FILTER(reverse)
{
    (void)values;
    if (value.kind == JINJA_STRING)
        return jinja_get_slice(heap, value, missing, missing, jinja_int(-1), out);
    if (jinja_reversed(heap, value, out))
        return -1;
    return value.kind == JINJA_ITERATOR ? jinja_to_list(heap, *out, JINJA_LIST, out) : 0;
}

FILTER(attr)
{
    struct jinja_string *name;

    if (jinja_take_string(heap, "attr", values[0], &name))
        return -1;
    if (value.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, value);
    return jinja_get_attribute_only(heap, value, name, out);
}

/* ---- all of them ---- */

FILTER(join)
{
    struct jinja_value separator = values[0], item, text;
    struct jinja_walk walk;
    int more;

    if (separator.kind == JINJA_MISSING ? jinja_string_text(heap, "", &separator)
                                        : jinja_to_str(heap, separator, &separator))
        return -1;
    if (jinja_walk_begin(heap, value, &walk) || jinja_string_text(heap, "", &text))
        return -1;
    for (size_t i = 0; (more = jinja_walk_next(heap, &walk, &item)) > 0; i++)
        if (jinja_get_path(heap, item, values[1], missing, &item) ||
            jinja_to_str(heap, item, &item) ||
            (i > 0 && jinja_string_concat(heap, text.string, separator.string, &text)) ||
            jinja_string_concat(heap, text.string, item.string, &text))
            return -1;
    *out = text;
    return more;
}

FILTER(sum)
{
    struct jinja_value total = values[1].kind == JINJA_MISSING ? jinja_int(0) : values[1], item;
    struct jinja_walk walk;
    int more;

    if (total.kind == JINJA_STRING)
        return jinja_fail(heap, "sum() can't sum strings");
    if (jinja_walk_begin(heap, value, &walk))
        return -1;
    while ((more = jinja_walk_next(heap, &walk, &item)) > 0)
        if (jinja_get_path(heap, item, values[0], missing, &item) ||
            jinja_binary(heap, JINJA_ADD, total, item, &total))
            return -1;
    *out = total;
    return more;
}

/* ---- in order ---- */

struct keyed { /* an item and what it is ordered by */
    struct jinja_value key, item;
};

static int ignore_case(struct jinja_heap *heap, struct jinja_value case_sensitive,
                       struct jinja_value *key)
{
    if (jinja_truth(case_sensitive) || key->kind != JINJA_STRING)
        return 0;
    return jinja_change_case(heap, *key, jinja_add_lower, key);
}

static int compare_keys(struct jinja_heap *heap, const void *a, const void *b, int *order)
{
    const struct keyed *left = a, *right = b;
    bool is_ordered;

    *order = 0;
    if (jinja_compare(heap, left->key, right->key, order, &is_ordered))
        return -1;
    if (!is_ordered)
        *order = 0;
    return 0;
}

static int compare_reversed(struct jinja_heap *heap, const void *a, const void *b, int *order)
{
    return compare_keys(heap, b, a, order);
}

/* The key of an item by "a,b": a list of what the paths lead to. */
static int keys_of(struct jinja_heap *heap, struct jinja_value item, struct jinja_value paths,
                   struct jinja_value case_sensitive, struct jinja_value *out)
{
    const struct jinja_string *text = paths.kind == JINJA_STRING ? paths.string : NULL;
    struct jinja_list_builder keys = {0};
    struct jinja_value key;

    for (size_t start = 0, end; start <= (text ? text->size : 0); start = end + 1) {
        struct jinja_value path = paths;

        end = start;
        while (text && end < text->size && text->bytes[end] != ',')
            end++;
        if ((text && jinja_string_part(heap, text, start, end - start, &path)) ||
            jinja_get_path(heap, item, path, missing, &key) ||
            ignore_case(heap, case_sensitive, &key) || jinja_list_add(heap, &keys, key))
            return -1;
    }
    return jinja_list_finish(heap, &keys, JINJA_LIST, out);
}

static int key_of(struct jinja_heap *heap, struct jinja_value item, struct jinja_value path,
                  struct jinja_value case_sensitive, struct jinja_value fallback,
                  struct jinja_value *out)
{
    return jinja_get_path(heap, item, path, fallback, out) ||
                   ignore_case(heap, case_sensitive, out)
               ? -1 : 0;
}

/* All items of a value, ready to be given keys. */
static int collect(struct jinja_heap *heap, struct jinja_value value, struct keyed **keyed,
                   size_t *n)
{
    struct jinja_value items;

    if (jinja_to_list(heap, value, JINJA_LIST, &items))
        return -1;
    *n = items.list->n_items;
    *keyed = jinja_alloc(heap, *n, sizeof **keyed);
    if (!*keyed)
        return -1;
    for (size_t i = 0; i < *n; i++)
        (*keyed)[i].item = items.list->items[i];
    return 0;
}

static int to_plain_list(struct jinja_heap *heap, const struct keyed *keyed, size_t n,
                         struct jinja_value *out)
{
    if (jinja_list_new(heap, JINJA_LIST, n, out))
        return -1;
    for (size_t i = 0; i < n; i++)
        out->list->items[i] = keyed[i].item;
    return 0;
}

FILTER(sort)
{
    struct keyed *keyed;
    size_t n;

    if (collect(heap, value, &keyed, &n))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (keys_of(heap, keyed[i].item, values[2], values[1], &keyed[i].key))
            return -1;
    return jinja_sort(heap, keyed, n, sizeof *keyed,
                      jinja_truth(values[0]) ? compare_reversed : compare_keys) ||
                   to_plain_list(heap, keyed, n, out)
               ? -1 : 0;
}

FILTER(dictsort)
{
    struct jinja_string *by;
    bool by_value;
    struct keyed *keyed;
    size_t n;

    if (jinja_take_string(heap, "dictsort", values[1], &by))
        return -1;
    by_value = by && jinja_string_is(by, "value");
    if (by && !by_value && !jinja_string_is(by, "key"))
        return jinja_fail(heap, "dictsort: it can only be sorted by 'key' or 'value'");
    if (value.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, value);
    if (value.kind != JINJA_DICT)
        return jinja_fail(heap, "'%s object' has no attribute 'items'", jinja_type_name(value));
    n = value.dict->n_entries;
    keyed = jinja_alloc(heap, n, sizeof *keyed);
    for (size_t i = 0; keyed && i < n; i++) {
        const struct jinja_dict_entry *entry = &value.dict->entries[i];

        keyed[i].key = by_value ? entry->value : entry->key;
        if (ignore_case(heap, values[0], &keyed[i].key) ||
            jinja_pair(heap, entry->key, entry->value, &keyed[i].item))
            return -1;
    }
    return !keyed || jinja_sort(heap, keyed, n, sizeof *keyed,
                                jinja_truth(values[2]) ? compare_reversed : compare_keys) ||
                   to_plain_list(heap, keyed, n, out)
               ? -1 : 0;
}

static int extreme(struct jinja_heap *heap, struct jinja_value value,
                   const struct jinja_value *values, int sign, struct jinja_value *out)
{
    struct keyed best = {0}, next;
    struct jinja_walk walk;
    int more, order;

    if (jinja_walk_begin(heap, value, &walk))
        return -1;
    while ((more = jinja_walk_next(heap, &walk, &next.item)) > 0) {
        if (key_of(heap, next.item, values[1], values[0], missing, &next.key))
            return -1;
        order = -1;
        if (best.item.kind != JINJA_MISSING &&
            (sign < 0 ? compare_keys : compare_reversed)(heap, &next, &best, &order))
            return -1;
        if (order < 0)
            best = next;
    }
    if (more == 0 && best.item.kind == JINJA_MISSING)
        return jinja_undefined_hint(heap, "No aggregated item, sequence was empty.", out);
    *out = best.item;
    return more;
}

FILTER(smallest)
{
    return extreme(heap, value, values, -1, out);
}

FILTER(largest)
{
    return extreme(heap, value, values, 1, out);
}

FILTER(make_unique)
{
    struct jinja_list_builder list = {0};
    struct jinja_value item, key, ignored;
    struct jinja_dict *seen;
    struct jinja_walk walk;
    int more, found;

    if (jinja_walk_begin(heap, value, &walk) || jinja_dict_new(heap, &seen))
        return -1;
    while ((more = jinja_walk_next(heap, &walk, &item)) > 0) {
        if (key_of(heap, item, values[1], values[0], missing, &key))
            return -1;
        found = jinja_dict_get(heap, seen, key, &ignored);
        if (found < 0 || (found == 0 && (jinja_dict_set(heap, seen, key, jinja_none()) ||
                                         jinja_list_add(heap, &list, item))))
            return -1;
    }
    return more < 0 ? -1 : jinja_list_finish(heap, &list, JINJA_LIST, out);
}

DEFERRED(unique, make_unique)

/* ---- in groups ---- */

static int finish_group(struct jinja_heap *heap, const struct jinja_list_builder *members,
                        struct jinja_value grouper, struct jinja_list_builder *groups)
{
    struct jinja_value list, group;

    if (jinja_list_finish(heap, members, JINJA_LIST, &list) ||
        jinja_pair(heap, grouper, list, &group))
        return -1;
    group.list->is_group = true;
    return jinja_list_add(heap, groups, group);
}

FILTER(groupby)
{
    struct jinja_value fallback = values[1].kind == JINJA_NONE ? missing : values[1], grouper;
    struct jinja_list_builder groups = {0}, members = {0};
    struct keyed *keyed;
    size_t n;

    if (collect(heap, value, &keyed, &n))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (key_of(heap, keyed[i].item, values[0], values[2], fallback, &keyed[i].key))
            return -1;
    if (jinja_sort(heap, keyed, n, sizeof *keyed, compare_keys))
        return -1;
    for (size_t i = 0; i < n; i++) {
        int is_same = i > 0 ? jinja_equal(heap, keyed[i - 1].key, keyed[i].key) : 1;

        if (is_same < 0 || (!is_same && finish_group(heap, &members, grouper, &groups)))
            return -1;
        if (!is_same)
            members = (struct jinja_list_builder){0};
        if (members.n_items == 0 &&
            jinja_get_path(heap, keyed[i].item, values[0], fallback, &grouper))
            return -1;
        if (jinja_list_add(heap, &members, keyed[i].item))
            return -1;
    }
    if (n > 0 && finish_group(heap, &members, grouper, &groups))
        return -1;
    return jinja_list_finish(heap, &groups, JINJA_LIST, out);
}

/* Adds the items from `start` to `end` as a list, filled up with `fill` to n_wanted. */
static int add_part(struct jinja_heap *heap, struct jinja_list_builder *parts,
                    const struct jinja_list *of, size_t start, size_t end, size_t n_wanted,
                    struct jinja_value fill)
{
    struct jinja_list_builder part = {0};
    struct jinja_value list;

    for (size_t i = start; i < end; i++)
        if (jinja_list_add(heap, &part, of->items[i]))
            return -1;
    while (part.n_items < n_wanted && fill.kind != JINJA_MISSING && fill.kind != JINJA_NONE)
        if (jinja_list_add(heap, &part, fill))
            return -1;
    return jinja_list_finish(heap, &part, JINJA_LIST, &list) || jinja_list_add(heap, parts, list)
               ? -1 : 0;
}

FILTER(make_batch)
{
    struct jinja_list_builder parts = {0};
    struct jinja_value items;
    int64_t size;
    size_t n;

    if (jinja_take_int(heap, "batch", values[0], 0, &size) ||
        jinja_to_list(heap, value, JINJA_LIST, &items))
        return -1;
    if (size < 1)
        return jinja_fail(heap, "batch: a size of at least 1 was expected");
    n = items.list->n_items;
    for (size_t at = 0; at < n; at += (size_t)size) {
        size_t end = n - at > (size_t)size ? at + (size_t)size : n;

        if (add_part(heap, &parts, items.list, at, end, (size_t)size, values[1]))
            return -1;
        if (end == n)
            break;
    }
    return jinja_list_finish(heap, &parts, JINJA_LIST, out);
}

DEFERRED(batch, make_batch)

FILTER(make_slice)
{
    struct jinja_list_builder parts = {0};
    struct jinja_value items;
    int64_t n_slices;
    size_t n, each, more, at = 0;

    if (jinja_take_int(heap, "slice", values[0], 0, &n_slices) ||
        jinja_to_list(heap, value, JINJA_LIST, &items))
        return -1;
    if (n_slices < 1)
        return jinja_fail(heap, "slice: at least 1 slice was expected");
    n = items.list->n_items;
    each = n / (size_t)n_slices;
    more = n % (size_t)n_slices;
    for (size_t i = 0; i < (size_t)n_slices; i++) {
        size_t size = each + (i < more);

        if (add_part(heap, &parts, items.list, at, at + size, i < more ? 0 : size + 1, values[1]))
            return -1;
        at += size;
    }
    return jinja_list_finish(heap, &parts, JINJA_LIST, out);
}

DEFERRED(slice, make_slice)

/* ---- any arguments ---- */

static int format(struct jinja_heap *heap, struct jinja_value value,
                  const struct jinja_arguments *arguments, struct jinja_value *out)
{
    struct jinja_value text, values;
    struct jinja_dict *named;

    if (arguments->n_items > 0 && arguments->n_named > 0)
        return jinja_fail(heap, "format: positional and named arguments cannot be mixed");
    if (jinja_to_soft_str(heap, value, &text))
        return -1;
    if (arguments->n_named == 0) {
        if (jinja_list_new(heap, JINJA_TUPLE, arguments->n_items, &values))
            return -1;
        for (size_t i = 0; i < arguments->n_items; i++)
            values.list->items[i] = arguments->items[i];
        return jinja_printf(heap, text.string, values, out);
    }
    if (jinja_dict_new(heap, &named))
        return -1;
    for (size_t i = 0; i < arguments->n_named; i++) {
        struct jinja_value name = {.kind = JINJA_STRING, .string = arguments->named[i].name};

        if (jinja_dict_set(heap, named, name, arguments->named[i].value))
            return -1;
    }
    values = (struct jinja_value){.kind = JINJA_DICT, .dict = named};
    return jinja_printf(heap, text.string, values, out);
}

const struct jinja_filter_row jinja_list_filters[] = {
    {"length", "", 0, length, NULL},
    {"count", "", 0, length, NULL},
    {"list", "", 0, list, NULL},
    {"items", "", 0, items, NULL},
    {"default", "default_value,boolean", 0, use_default, NULL},
    {"d", "default_value,boolean", 0, use_default, NULL},
    {"join", "d,attribute", 0, join, NULL},
    {"first", "", 0, first, NULL},
    {"last", "", 0, last, NULL},
    {"reverse", "", 0, reverse, NULL},
    {"attr", "name", 1, attr, NULL},
    {"sum", "attribute,start", 0, sum, NULL},
    {"sort", "reverse,case_sensitive,attribute", 0, sort, NULL},
    {"dictsort", "case_sensitive,by,reverse", 0, dictsort, NULL},
    {"min", "case_sensitive,attribute", 0, smallest, NULL},
    {"max", "case_sensitive,attribute", 0, largest, NULL},
    {"unique", "case_sensitive,attribute", 0, unique, NULL},
    {"groupby", "attribute,default,case_sensitive", 1, groupby, NULL},
    {"batch", "linecount,fill_with", 1, batch, NULL},
    {"slice", "slices,fill_with", 1, slice, NULL},
    {"format", NULL, 0, NULL, format},
    {NULL, NULL, 0, NULL, NULL},
};
