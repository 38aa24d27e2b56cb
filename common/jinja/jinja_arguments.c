#include "jinja_arguments.h"

#include <string.h>

#include "jinja/jinja_value.h"

/* The i-th of names that are split at commas; its length goes to *n, NULL behind the last. */
static const char *name_at(const char *names, size_t i, size_t *n)
{
    while (*names) {
        *n = strcspn(names, ",");
        if (i-- == 0)
            return names;
        names += *n + (names[*n] == ',');
    }
    return NULL;
}

static int bind_named(struct jinja_heap *heap, const char *what, const char *names,
                      const struct jinja_named *named, struct jinja_value *values)
{
    const char *name;
    size_t n;

    for (size_t i = 0; (name = name_at(names, i, &n)) != NULL; i++) {
        if (named->name->size != n || memcmp(named->name->bytes, name, n) != 0)
            continue;
        if (values[i].kind != JINJA_MISSING)
            return jinja_fail(heap, "%s got two values for '%.*s'", what, (int)n, name);
        values[i] = named->value;
        return 0;
    }
    return jinja_fail(heap, "%s takes no argument '%.*s'", what,
                      (int)(named->name->size < 80 ? named->name->size : 80), named->name->bytes);
}

int jinja_bind(struct jinja_heap *heap, const char *what, const char *names, size_t n_required,
               const struct jinja_arguments *arguments,
               struct jinja_value values[JINJA_PARAMETERS_MAX])
{
    size_t n_names = 0, n = 0;

    memset(values, 0, JINJA_PARAMETERS_MAX * sizeof *values);
    if (*names == '/' && arguments->n_named > 0)
        return jinja_fail(heap, "%s takes no keyword arguments", what);
    names += *names == '/';
    while (name_at(names, n_names, &n))
        n_names++;
    if (arguments->n_items > n_names)
        return jinja_fail(heap, "%s takes at most %zu arguments, %zu are given", what, n_names,
                          arguments->n_items);
    for (size_t i = 0; i < arguments->n_items; i++)
        values[i] = arguments->items[i];
    for (size_t i = 0; i < arguments->n_named; i++)
        if (bind_named(heap, what, names, &arguments->named[i], values))
            return -1;
    for (size_t i = 0; i < n_required; i++)
        if (values[i].kind == JINJA_MISSING) {
            const char *name = name_at(names, i, &n);

            return jinja_fail(heap, "%s misses the argument '%.*s'", what, (int)n, name);
        }
    return 0;
}

const struct jinja_value *jinja_find_named(const struct jinja_arguments *arguments,
                                           const char *name)
{
    for (size_t i = 0; i < arguments->n_named; i++)
        if (jinja_string_is(arguments->named[i].name, name))
            return &arguments->named[i].value;
    return NULL;
}

int jinja_take_int(struct jinja_heap *heap, const char *what, struct jinja_value value,
                   int64_t fallback, int64_t *out)
{
    *out = fallback;
    if (value.kind == JINJA_MISSING || jinja_to_int64(value, out))
        return 0;
    if (value.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, value);
    return jinja_fail(heap, "%s: '%s' is no integer that can be used here", what,
                      jinja_type_name(value));
}

int jinja_take_string(struct jinja_heap *heap, const char *what, struct jinja_value value,
                      struct jinja_string **out)
{
    *out = value.kind == JINJA_STRING ? value.string : NULL;
    if (value.kind == JINJA_STRING || value.kind == JINJA_MISSING)
        return 0;
    return jinja_fail(heap, "%s: a string was expected, not '%s'", what, jinja_type_name(value));
}
