#include "jinja_methods.h"

#include "jinja/jinja_iterate.h"
#include "jinja/jinja_loop.h"
#include "jinja/jinja_strings.h"
#include "jinja/jinja_value.h"

#define METHOD(name)                                                                              \
    static int name(struct jinja_heap *heap, struct jinja_value self,                             \
                    const struct jinja_value *values, struct jinja_value *out)

/* ---- dicts ---- */

static int view_of(struct jinja_heap *heap, struct jinja_value self, enum jinja_view_kind kind,
                   struct jinja_value *out)
{
    struct jinja_view *view = jinja_alloc(heap, 1, sizeof *view);

    if (!view)
        return -1;
    *view = (struct jinja_view){.kind = kind, .dict = self.dict};
    *out = (struct jinja_value){.kind = JINJA_VIEW, .view = view};
    return 0;
}

METHOD(dict_items)
{
    (void)values;
    return view_of(heap, self, JINJA_VIEW_ITEMS, out);
}

METHOD(dict_keys)
{
    (void)values;
    return view_of(heap, self, JINJA_VIEW_KEYS, out);
}

METHOD(dict_values)
{
    (void)values;
    return view_of(heap, self, JINJA_VIEW_VALUES, out);
}

METHOD(dict_get)
{
    int found = jinja_dict_get(heap, self.dict, values[0], out);

    if (found == 0)
        *out = values[1].kind == JINJA_MISSING ? jinja_none() : values[1];
    return found < 0 ? -1 : 0;
}

/* Nothing can change a value, so that it is as good as a copy. */
METHOD(copy)
{
    (void)heap;
    (void)values;
    *out = self;
    return 0;
}

static int refuse(struct jinja_heap *heap, struct jinja_value self,
                  const struct jinja_arguments *arguments, struct jinja_value *out)
{
    (void)self;
    (void)arguments;
    (void)out;
    return jinja_unsupported(heap, "the method fromkeys of dicts is not supported");
}

static const struct jinja_method_row dict_methods[] = {
    {"items", "", 0, dict_items, NULL},
    {"keys", "", 0, dict_keys, NULL},
    {"values", "", 0, dict_values, NULL},
    {"get", "/key,default", 1, dict_get, NULL},
    {"copy", "", 0, copy, NULL},
    {"fromkeys", NULL, 0, NULL, refuse},
    {NULL, NULL, 0, NULL, NULL},
};

/* ---- lists, tuples and ranges ---- */

METHOD(count)
{
    struct jinja_walk walk;
    struct jinja_value item;
    int64_t n = 0;
    int more, is_equal;

    if (jinja_walk_begin(heap, self, &walk))
        return -1;
    while ((more = jinja_walk_next(heap, &walk, &item)) > 0) {
        is_equal = jinja_equal(heap, item, values[0]);
        if (is_equal < 0)
            return -1;
        n += is_equal;
    }
    *out = jinja_int(n);
    return more;
}

METHOD(index_of)
{
    struct jinja_walk walk;
    struct jinja_value item;
    int64_t start, end, n = 0;
    size_t length;
    int more, is_equal;

    if (jinja_length(heap, self, &length) ||
        jinja_take_int(heap, "index", values[1], 0, &start) ||
        jinja_take_int(heap, "index", values[2], INT64_MAX, &end) ||
        jinja_walk_begin(heap, self, &walk))
        return -1;
    start += start < 0 ? (int64_t)length : 0;
    end += end < 0 ? (int64_t)length : 0;
    for (; (more = jinja_walk_next(heap, &walk, &item)) > 0; n++) {
        is_equal = n >= start && n < end ? jinja_equal(heap, item, values[0]) : 0;
        if (is_equal < 0)
            return -1;
        if (is_equal) {
            *out = jinja_int(n);
            return 0;
        }
    }
    return more < 0 ? -1 : jinja_fail(heap, "the value is not in the %s", jinja_type_name(self));
}

static const struct jinja_method_row list_methods[] = {
    {"index", "/value,start,stop", 1, index_of, NULL},
    {"count", "/value", 1, count, NULL},
    {"copy", "", 0, copy, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
static const struct jinja_method_row tuple_methods[] = {
    {"index", "/value,start,stop", 1, index_of, NULL},
    {"count", "/value", 1, count, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

/* ---- cyclers ---- */

METHOD(cycler_next)
{
    struct jinja_cycler *cycler = self.cycler;

    (void)heap;
    (void)values;
    *out = cycler->items->items[cycler->position];
    cycler->position = (cycler->position + 1) % cycler->items->n_items;
    return 0;
}

METHOD(cycler_reset)
{
    (void)heap;
    (void)values;
    self.cycler->position = 0;
    *out = jinja_none();
    return 0;
}

static const struct jinja_method_row cycler_methods[] = {
    {"next", "", 0, cycler_next, NULL},
    {"reset", "", 0, cycler_reset, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

/* ---- finding and calling ---- */

static const struct {
    const struct jinja_method_row *rows;
    const char *forbidden[10]; /* what would change the value */
} methods[JINJA_KINDS] = {
    [JINJA_STRING] = {jinja_string_methods, {0}},
    [JINJA_DICT] = {dict_methods, {"clear", "pop", "popitem", "setdefault", "update"}},
    [JINJA_LIST] = {list_methods, {"append", "clear", "pop", "reverse", "insert", "sort", "extend",
                                   "remove"}},
    [JINJA_TUPLE] = {tuple_methods, {0}},
    [JINJA_RANGE] = {tuple_methods, {0}},
    [JINJA_CYCLER] = {cycler_methods, {0}},
    [JINJA_LOOP] = {jinja_loop_methods, {0}},
};

const struct jinja_method_row *jinja_find_method(struct jinja_value self,
                                                 const struct jinja_string *name,
                                                 bool *is_unsafe)
{
    const struct jinja_method_row *row = methods[self.kind].rows;

    *is_unsafe = false;
    for (size_t i = 0; methods[self.kind].forbidden[i]; i++)
        *is_unsafe |= jinja_string_is(name, methods[self.kind].forbidden[i]);
    for (; row && row->name; row++)
        if (jinja_string_is(name, row->name))
            return row;
    return NULL;
}

int jinja_is_format_method(const struct jinja_method *method)
{
    if (method->self.kind != JINJA_STRING || method->row->call || method->row->call_any)
        return 0;
    return method->row->name[sizeof "format" - 1] == '\0' ? 1 : 2;
}

int jinja_call_method(struct jinja_heap *heap, const struct jinja_method *method,
                      const struct jinja_arguments *arguments, struct jinja_value *out)
{
    const struct jinja_method_row *row = method->row;
    struct jinja_value values[JINJA_PARAMETERS_MAX];

    if (row->call_any)
        return row->call_any(heap, method->self, arguments, out);
    if (jinja_bind(heap, row->name, row->names, row->n_required, arguments, values))
        return -1;
    return row->call(heap, method->self, values, out);
}
