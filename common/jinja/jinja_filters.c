/* jinja_filters.c - the table of filters, and those that apply others to each item when it is asked
 * for. */
#include "jinja_filters.h"

#include "jinja/jinja_iterate.h"
#include "jinja/jinja_lookup.h"
#include "jinja/jinja_tests.h"
#include "jinja/jinja_value.h"

static int run_map(struct jinja_heap *heap, struct jinja_value value,
                   const struct jinja_arguments *arguments, struct jinja_value *out);
static int run_select(struct jinja_heap *heap, struct jinja_value value,
                      const struct jinja_arguments *arguments, struct jinja_value *out);
static int run_reject(struct jinja_heap *heap, struct jinja_value value,
                      const struct jinja_arguments *arguments, struct jinja_value *out);
static int run_selectattr(struct jinja_heap *heap, struct jinja_value value,
                          const struct jinja_arguments *arguments, struct jinja_value *out);
static int run_rejectattr(struct jinja_heap *heap, struct jinja_value value,
                          const struct jinja_arguments *arguments, struct jinja_value *out);

static const struct jinja_filter_row lazy_filters[] = {
    {"map", NULL, 0, NULL, run_map},
    {"select", NULL, 0, NULL, run_select},
    {"reject", NULL, 0, NULL, run_reject},
    {"selectattr", NULL, 0, NULL, run_selectattr},
    {"rejectattr", NULL, 0, NULL, run_rejectattr},
    {NULL, NULL, 0, NULL, NULL},
};

const struct jinja_filter_row *jinja_find_filter(const struct jinja_string *name)
{
    static const struct jinja_filter_row *const parts[] = {jinja_text_filters, jinja_list_filters,
                                                           lazy_filters};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (const struct jinja_filter_row *row = parts[i]; row->name; row++)
            if (jinja_string_is(name, row->name))
                return row;
    return NULL;
}

int jinja_run_filter(struct jinja_heap *heap, const struct jinja_filter_row *row,
                     struct jinja_value value, const struct jinja_arguments *arguments,
                     struct jinja_value *out)
{
    struct jinja_value values[JINJA_PARAMETERS_MAX];

    if (row->run_any)
        return row->run_any(heap, value, arguments, out);
    if (jinja_bind(heap, row->name, row->names, row->n_required, arguments, values))
        return -1;
    return row->run(heap, value, values, out);
}

/* ---- item by item ---- */

struct lazy {
    struct jinja_value over; /* walked from the first item on that is asked for: not before that can
                              * it turn out to be no such thing */
    bool has_begun;
    struct jinja_walk walk;
    struct jinja_arguments arguments; /* those of the inner filter or test */
    struct jinja_value path, fallback;
    const struct jinja_filter_row *filter;
    const struct jinja_test_row *test; /* NULL: the item's truth */
    bool is_rejecting;
};

static int next_item(struct jinja_heap *heap, struct lazy *lazy, struct jinja_value *item)
{
    if (!lazy->has_begun && jinja_walk_begin(heap, lazy->over, &lazy->walk))
        return -1;
    lazy->has_begun = true;
    return jinja_walk_next(heap, &lazy->walk, item);
}

static int next_mapped(struct jinja_heap *heap, struct jinja_iterator *self,
                       struct jinja_value *item)
{
    struct lazy *lazy = self->state;
    int more = next_item(heap, lazy, item), rc;

    if (more <= 0)
        return more;
    if (jinja_enter(heap))
        return -1;
    rc = lazy->filter ? jinja_run_filter(heap, lazy->filter, *item, &lazy->arguments, item)
                      : jinja_get_path(heap, *item, lazy->path, lazy->fallback, item);
    jinja_leave(heap);
    return rc ? -1 : 1;
}

static int next_selected(struct jinja_heap *heap, struct jinja_iterator *self,
                         struct jinja_value *item)
{
    struct lazy *lazy = self->state;
    struct jinja_value tested;
    int more, is_true;

    while ((more = next_item(heap, lazy, item)) > 0) {
        if (jinja_get_path(heap, *item, lazy->path, lazy->fallback, &tested))
            return -1;
        is_true = lazy->test ? jinja_run_test(heap, lazy->test, tested, &lazy->arguments)
                             : jinja_truth(tested);
        if (is_true < 0 || is_true != lazy->is_rejecting)
            return is_true < 0 ? -1 : 1;
    }
    return more;
}

/* The name that is the first of the arguments; they are those behind it from now on. */
static int take_name(struct jinja_heap *heap, const char *what, struct lazy *lazy,
                     const struct jinja_string **name)
{
    if (lazy->arguments.n_items == 0 || lazy->arguments.items[0].kind != JINJA_STRING)
        return jinja_fail(heap, "%s: a name was expected", what);
    *name = lazy->arguments.items[0].string;
    lazy->arguments.items++;
    lazy->arguments.n_items--;
    return 0;
}

static int lazy_new(struct jinja_heap *heap, struct jinja_value value,
                    const struct jinja_arguments *arguments, struct lazy **out)
{
    struct lazy *lazy = jinja_alloc(heap, 1, sizeof *lazy);
    struct jinja_dict *nothing;

    if (!lazy)
        return -1;
    if (!jinja_truth(value)) { /* none, for example, is as good as an empty list */
        if (jinja_dict_new(heap, &nothing))
            return -1;
        value = (struct jinja_value){.kind = JINJA_DICT, .dict = nothing};
    }
    lazy->arguments = *arguments;
    lazy->over = value;
    *out = lazy;
    return 0;
}

static int run_map(struct jinja_heap *heap, struct jinja_value value,
                   const struct jinja_arguments *arguments, struct jinja_value *out)
{
    const struct jinja_value *path = jinja_find_named(arguments, "attribute");
    const struct jinja_value *fallback = jinja_find_named(arguments, "default");
    const struct jinja_string *name;
    struct lazy *lazy;

    if (lazy_new(heap, value, arguments, &lazy))
        return -1;
    if (arguments->n_items == 0 && path) {
        if (arguments->n_named > 1 + (size_t)(fallback != NULL))
            return jinja_fail(heap, "map: an argument that it does not take");
        lazy->path = *path;
        if (fallback && fallback->kind != JINJA_NONE)
            lazy->fallback = *fallback;
        return jinja_iterator_new(heap, next_mapped, lazy, out);
    }
    if (take_name(heap, "map", lazy, &name))
        return -1;
    lazy->filter = jinja_find_filter(name);
    if (!lazy->filter)
        return jinja_unsupported(heap, "the filter '%.*s' is not supported",
                                 (int)(name->size < 80 ? name->size : 80), name->bytes);
    return jinja_iterator_new(heap, next_mapped, lazy, out);
}

static int select_or_reject(struct jinja_heap *heap, struct jinja_value value,
                            const struct jinja_arguments *arguments, bool by_path,
                            bool is_rejecting, struct jinja_value *out)
{
    const struct jinja_string *name;
    struct lazy *lazy;

    if (lazy_new(heap, value, arguments, &lazy))
        return -1;
    lazy->is_rejecting = is_rejecting;
    if (by_path) {
        if (lazy->arguments.n_items == 0)
            return jinja_fail(heap, "Missing parameter for attribute name");
        lazy->path = lazy->arguments.items[0];
        lazy->arguments.items++;
        lazy->arguments.n_items--;
    }
    if (lazy->arguments.n_items > 0) {
        if (take_name(heap, "select", lazy, &name))
            return -1;
        lazy->test = jinja_find_test(name);
        if (!lazy->test)
            return jinja_unsupported(heap, "the test '%.*s' is not supported",
                                     (int)(name->size < 80 ? name->size : 80), name->bytes);
    }
    return jinja_iterator_new(heap, next_selected, lazy, out);
}

static int run_select(struct jinja_heap *heap, struct jinja_value value,
                      const struct jinja_arguments *arguments, struct jinja_value *out)
{
    return select_or_reject(heap, value, arguments, false, false, out);
}

static int run_reject(struct jinja_heap *heap, struct jinja_value value,
                      const struct jinja_arguments *arguments, struct jinja_value *out)
{
    return select_or_reject(heap, value, arguments, false, true, out);
}

static int run_selectattr(struct jinja_heap *heap, struct jinja_value value,
                          const struct jinja_arguments *arguments, struct jinja_value *out)
{
    return select_or_reject(heap, value, arguments, true, false, out);
}

static int run_rejectattr(struct jinja_heap *heap, struct jinja_value value,
                          const struct jinja_arguments *arguments, struct jinja_value *out)
{
    return select_or_reject(heap, value, arguments, true, true, out);
}
