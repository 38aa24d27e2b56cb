/* jinja_types.h - the values that templates work with: Python's, as far as a template can see them.
 *
 * All of them live in the heap of one rendering and are never changed once they are made, but for
 * namespaces, iterators, cyclers and joiners. Strings are UTF-8; what a template can see of them
 * (length, indices) counts code points. */
#ifndef COCKTAIL_JINJA_TYPES_H
#define COCKTAIL_JINJA_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jinja_kind {
    JINJA_MISSING, /* no value at all: an argument not given, a variable not set; no template sees it */
    JINJA_UNDEFINED, JINJA_NONE, JINJA_BOOL, JINJA_INT, JINJA_BIG, JINJA_FLOAT, JINJA_STRING,
    JINJA_LIST, JINJA_TUPLE, JINJA_DICT, JINJA_RANGE, JINJA_VIEW, JINJA_ITERATOR, JINJA_NAMESPACE,
    JINJA_LOOP, JINJA_MACRO, JINJA_METHOD, JINJA_FUNCTION, JINJA_CYCLER, JINJA_JOINER,
    JINJA_KINDS,
};

struct jinja_value {
    enum jinja_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        const struct jinja_big *big;
        const struct jinja_undefined *undefined;
        struct jinja_string *string;
        struct jinja_list *list; /* and tuples */
        struct jinja_dict *dict; /* and namespaces */
        const struct jinja_range *range;
        const struct jinja_view *view;
        struct jinja_iterator *iterator;
        struct jinja_loop *loop;
        const struct jinja_macro *macro;
        const struct jinja_method *method;
        const struct jinja_function *function;
        struct jinja_cycler *cycler;
        struct jinja_joiner *joiner;
    };
};

struct jinja_string {
    const char *bytes; /* [size], no NUL behind it */
    size_t size;
    size_t n_chars; /* SIZE_MAX: not counted yet */
    bool is_safe;   /* marked by `safe` or `escape`: markupsafe's Markup */
    struct jinja_room *room; /* what the bytes lie in when more can be put behind them; or NULL */
};

struct jinja_list {
    struct jinja_value *items; /* [n_items] */
    size_t n_items;
    bool is_group; /* a tuple of groupby, whose items have the names grouper and list */
};

struct jinja_dict_entry {
    struct jinja_value key, value;
    uint64_t hash;
};

struct jinja_dict { /* in the order of insertion */
    struct jinja_dict_entry *entries; /* [n_entries] */
    size_t n_entries, capacity;
    uint32_t *slots; /* [n_slots] number of an entry + 1, or 0; NULL while there are few */
    size_t n_slots;
};

struct jinja_undefined { /* enough to say what was not there */
    const struct jinja_string *name; /* or NULL */
    const char *owner;               /* the type of what it was looked for in; NULL: a variable */
    struct jinja_value index;        /* what was looked for when it is no name */
    const char *hint;                /* another sentence; NULL: none */
};

struct jinja_range {
    int64_t start, stop, step;
    size_t n_items;
};

enum jinja_view_kind { JINJA_VIEW_KEYS, JINJA_VIEW_VALUES, JINJA_VIEW_ITEMS };
struct jinja_view {
    enum jinja_view_kind kind;
    const struct jinja_dict *dict;
};

struct jinja_heap;

struct jinja_iterator {
    /* 1 and the next item, 0 at the end, -1 on error. */
    int (*next)(struct jinja_heap *heap, struct jinja_iterator *self, struct jinja_value *item);
    const char *name; /* "generator", … */
    void *state;
    bool is_done;
};

struct jinja_cycler {
    const struct jinja_list *items;
    size_t position;
};

struct jinja_joiner {
    struct jinja_value separator;
    bool is_used;
};

struct jinja_method {
    struct jinja_value self;
    const struct jinja_method_row *row;
};

static inline struct jinja_value jinja_none(void)
{
    return (struct jinja_value){.kind = JINJA_NONE};
}
static inline struct jinja_value jinja_bool(bool value)
{
    return (struct jinja_value){.kind = JINJA_BOOL, .boolean = value};
}
static inline struct jinja_value jinja_int(int64_t value)
{
    return (struct jinja_value){.kind = JINJA_INT, .integer = value};
}
static inline struct jinja_value jinja_float(double value)
{
    return (struct jinja_value){.kind = JINJA_FLOAT, .number = value};
}
/* An integer that fits, or a bool. */
static inline bool jinja_to_int64(struct jinja_value value, int64_t *out)
{
    if (value.kind != JINJA_INT && value.kind != JINJA_BOOL)
        return false;
    *out = value.kind == JINJA_BOOL ? value.boolean : value.integer;
    return true;
}

#endif
