#include "jinja_operators.h"

#include <string.h>

#include "jinja/jinja_big.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_iterate.h"
#include "jinja/jinja_number.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_value.h"

static const char *const signs[] = {
    [JINJA_ADD] = "+", [JINJA_SUBTRACT] = "-", [JINJA_MULTIPLY] = "*", [JINJA_DIVIDE] = "/",
    [JINJA_FLOOR_DIVIDE] = "//", [JINJA_MODULO] = "%", [JINJA_POWER] = "**",
};

static int refuse(struct jinja_heap *heap, enum jinja_operator operator, struct jinja_value a,
                  struct jinja_value b)
{
    if (operator == JINJA_ADD &&
        (a.kind == JINJA_STRING || a.kind == JINJA_LIST || a.kind == JINJA_TUPLE))
        return jinja_fail(heap, "can only concatenate %s (not \"%s\") to %s", jinja_type_name(a),
                          jinja_type_name(b), jinja_type_name(a));
    return jinja_fail(heap, "unsupported operand type(s) for %s: '%s' and '%s'", signs[operator],
                      jinja_type_name(a), jinja_type_name(b));
}

/* A marked string makes the other one escape itself. */
static int concat(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b,
                  struct jinja_value *out)
{
    bool is_safe = a.string->is_safe || b.string->is_safe;

    if (is_safe && (jinja_escape(heap, a, &a) || jinja_escape(heap, b, &b)))
        return -1;
    if (jinja_string_concat(heap, a.string, b.string, out))
        return -1;
    out->string->is_safe = is_safe;
    return 0;
}

static int concat_lists(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b,
                        struct jinja_value *out)
{
    size_t n = a.list->n_items;

    if (jinja_list_new(heap, a.kind, n + b.list->n_items, out))
        return -1;
    if (n > 0)
        memcpy(out->list->items, a.list->items, n * sizeof *out->list->items);
    if (b.list->n_items > 0)
        memcpy(out->list->items + n, b.list->items, b.list->n_items * sizeof *out->list->items);
    return 0;
}

static bool is_sequence(struct jinja_value value)
{
    return value.kind == JINJA_STRING || value.kind == JINJA_LIST || value.kind == JINJA_TUPLE;
}

static int repeat_string(struct jinja_heap *heap, const struct jinja_string *string, size_t n,
                         struct jinja_value *out)
{
    size_t size;
    char *bytes;

    if (__builtin_mul_overflow(string->size, n, &size) || size > JINJA_STRING_MAX)
        return jinja_fail(heap, "a string of more than %d MB", JINJA_STRING_MAX / 1000 / 1000);
    bytes = jinja_alloc(heap, size, 1);
    if (!bytes || jinja_spend(heap, size / 64))
        return -1;
    for (size_t at = 0; at < size; at += string->size)
        memcpy(bytes + at, string->bytes, string->size);
    if (jinja_string_text(heap, "", out))
        return -1;
    out->string->bytes = bytes;
    out->string->size = size;
    out->string->is_safe = string->is_safe;
    return 0;
}

static int repeat(struct jinja_heap *heap, struct jinja_value sequence, struct jinja_value times,
                  struct jinja_value *out)
{
    size_t n_items = sequence.kind == JINJA_STRING ? 0 : sequence.list->n_items, total;
    int64_t n;

    if (!jinja_to_int64(times, &n))
        return jinja_fail(heap, "a sequence is repeated too often");
    if (n < 0)
        n = 0;
    if (sequence.kind == JINJA_STRING)
        return repeat_string(heap, sequence.string, (size_t)n, out);
    if (__builtin_mul_overflow(n_items, (size_t)n, &total))
        return jinja_fail(heap, "a list that is too long");
    if (jinja_list_new(heap, sequence.kind, total, out))
        return -1;
    for (size_t i = 0; i < total; i++)
        out->list->items[i] = sequence.list->items[i % n_items];
    return 0;
}

int jinja_binary(struct jinja_heap *heap, enum jinja_operator operator, struct jinja_value a,
                 struct jinja_value b, struct jinja_value *out)
{
    if (jinja_is_number(a) && jinja_is_number(b))
        return jinja_arithmetic(heap, operator, a, b, out);
    if (operator == JINJA_MODULO && a.kind == JINJA_STRING)
        return jinja_printf(heap, a.string, b, out);
    if (a.kind == JINJA_UNDEFINED || b.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, a.kind == JINJA_UNDEFINED ? a : b);
    if (operator == JINJA_ADD && a.kind == b.kind && a.kind == JINJA_STRING)
        return concat(heap, a, b, out);
    if (operator == JINJA_ADD && a.kind == b.kind && is_sequence(a))
        return concat_lists(heap, a, b, out);
    if (operator == JINJA_MULTIPLY && is_sequence(a) && jinja_is_whole(b))
        return repeat(heap, a, b, out);
    if (operator == JINJA_MULTIPLY && jinja_is_whole(a) && is_sequence(b))
        return repeat(heap, b, a, out);
    if (operator == JINJA_SUBTRACT && (a.kind == JINJA_VIEW || b.kind == JINJA_VIEW))
        return jinja_unsupported(heap, "views of dicts as sets are not supported");
    return refuse(heap, operator, a, b);
}

static int contains(struct jinja_heap *heap, struct jinja_value item, struct jinja_value in)
{
    struct jinja_value other;
    struct jinja_walk walk;
    int more, is_equal;

    if (in.kind == JINJA_STRING) {
        if (item.kind != JINJA_STRING)
            return jinja_fail(heap, "'in <string>' requires string as left operand, not %s",
                              jinja_type_name(item));
        if (jinja_spend(heap, in.string->size / 64))
            return -1;
        return memmem(in.string->bytes, in.string->size, item.string->bytes,
                      item.string->size) != NULL;
    }
    if (in.kind == JINJA_DICT)
        return jinja_dict_get(heap, in.dict, item, &other);
    if (in.kind == JINJA_VIEW && in.view->kind == JINJA_VIEW_KEYS)
        return jinja_dict_get(heap, in.view->dict, item, &other);
    if (!jinja_is_iterable(in))
        return jinja_fail(heap, "argument of type '%s' is not iterable", jinja_type_name(in));
    if (jinja_walk_begin(heap, in, &walk))
        return -1;
    while ((more = jinja_walk_next(heap, &walk, &other)) > 0) {
        is_equal = jinja_equal(heap, other, item);
        if (is_equal)
            return is_equal;
    }
    return more;
}

int jinja_relation(struct jinja_heap *heap, enum jinja_operator operator, struct jinja_value a,
                   struct jinja_value b)
{
    bool is_ordered;
    int order, found;

    switch (operator) {
    case JINJA_EQ: return jinja_equal(heap, a, b);
    case JINJA_NE:
        found = jinja_equal(heap, a, b);
        return found < 0 ? -1 : !found;
    case JINJA_IN: return contains(heap, a, b);
    case JINJA_NOT_IN:
        found = contains(heap, a, b);
        return found < 0 ? -1 : !found;
    default: break;
    }
    if (jinja_compare(heap, a, b, &order, &is_ordered))
        return -1;
    if (!is_ordered)
        return 0;
    switch (operator) {
    case JINJA_LT: return order < 0;
    case JINJA_LE: return order <= 0;
    case JINJA_GT: return order > 0;
    default: return order >= 0;
    }
}

int jinja_signed(struct jinja_heap *heap, struct jinja_value a, bool is_negative,
                 struct jinja_value *out)
{
    if (a.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, a);
    if (a.kind == JINJA_FLOAT) {
        *out = jinja_float(is_negative ? -a.number : a.number);
        return 0;
    }
    if (!jinja_is_whole(a))
        return jinja_fail(heap, "bad operand type for unary %c: '%s'", is_negative ? '-' : '+',
                          jinja_type_name(a));
    return is_negative ? jinja_whole_negate(heap, a, out)
                       : jinja_whole_add(heap, a, jinja_int(0), out);
}
