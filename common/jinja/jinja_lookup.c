#include "jinja_lookup.h"

#include <stdio.h>
#include <string.h>

#include "jinja/jinja_big.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_iterate.h"
#include "jinja/jinja_loop.h"
#include "jinja/jinja_macro.h"
#include "jinja/jinja_methods.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"

/* ---- attributes ---- */

static int bound_method(struct jinja_heap *heap, struct jinja_value self,
                        const struct jinja_method_row *row, struct jinja_value *out)
{
    struct jinja_method *method = jinja_alloc(heap, 1, sizeof *method);

    if (!method)
        return -1;
    *method = (struct jinja_method){.self = self, .row = row};
    *out = (struct jinja_value){.kind = JINJA_METHOD, .method = method};
    return 1;
}

static int macro_attribute(struct jinja_heap *heap, const struct jinja_macro *macro,
                           const struct jinja_string *name, struct jinja_value *out)
{
    const struct jinja_node *node = macro->node;

    if (jinja_string_is(name, "name")) {
        *out = node->name ? (struct jinja_value){.kind = JINJA_STRING, .string = node->name}
                          : jinja_none();
        return 1;
    }
    if (jinja_string_is(name, "arguments")) {
        if (jinja_list_new(heap, JINJA_TUPLE, node->items.n_items, out))
            return -1;
        for (size_t i = 0; i < node->items.n_items; i++)
            out->list->items[i] = (struct jinja_value){.kind = JINJA_STRING,
                                                       .string = node->items.items[i]->name};
        return 1;
    }
    if (jinja_string_is(name, "catch_kwargs"))
        *out = jinja_bool(node->has_kwargs);
    else if (jinja_string_is(name, "catch_varargs"))
        *out = jinja_bool(node->has_varargs);
    else if (jinja_string_is(name, "caller"))
        *out = jinja_bool(node->has_caller);
    else
        return 0;
    return 1;
}

static int range_attribute(const struct jinja_range *range, const struct jinja_string *name,
                           struct jinja_value *out)
{
    if (jinja_string_is(name, "start"))
        *out = jinja_int(range->start);
    else if (jinja_string_is(name, "stop"))
        *out = jinja_int(range->stop);
    else if (jinja_string_is(name, "step"))
        *out = jinja_int(range->step);
    else
        return 0;
    return 1;
}

/* Attributes of Python's numbers, which no template asks for. */
static int number_attribute(struct jinja_heap *heap, const struct jinja_string *name)
{
    static const char *const names[] = {
        "real", "imag", "numerator", "denominator", "conjugate", "bit_length", "bit_count",
        "is_integer", "hex", "as_integer_ratio", "to_bytes", "from_bytes", "fromhex",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (jinja_string_is(name, names[i]))
            return jinja_unsupported(heap, "'%s' of a number is not supported", names[i]);
    return 0;
}

/* What is no method: 1, 0 when there is none, -1 on error. */
static int plain_attribute(struct jinja_heap *heap, struct jinja_value of,
                           const struct jinja_string *name, struct jinja_value *out)
{
    switch (of.kind) {
    case JINJA_NAMESPACE: {
        struct jinja_string key = *name;

        return jinja_dict_get(heap, of.dict,
                              (struct jinja_value){.kind = JINJA_STRING, .string = &key}, out);
    }
    case JINJA_LOOP: return jinja_loop_attribute(heap, of.loop, name, out);
    case JINJA_MACRO: return macro_attribute(heap, of.macro, name, out);
    case JINJA_RANGE: return range_attribute(of.range, name, out);
    case JINJA_BOOL: case JINJA_INT: case JINJA_BIG: case JINJA_FLOAT:
        return number_attribute(heap, name);
    case JINJA_CYCLER:
        *out = of.cycler->items->items[of.cycler->position];
        return jinja_string_is(name, "current");
    case JINJA_TUPLE:
        if (!of.list->is_group ||
            (!jinja_string_is(name, "grouper") && !jinja_string_is(name, "list")))
            return 0;
        *out = of.list->items[name->size == 4];
        return 1;
    default: return 0;
    }
}

/* 1 found (or refused: undefined), 0 not there, -1 error. */
static int find_attribute(struct jinja_heap *heap, struct jinja_value of,
                          const struct jinja_string *name, struct jinja_value *out)
{
    const struct jinja_method_row *row;
    bool is_unsafe;
    int found;

    if (of.kind == JINJA_UNDEFINED && name->size > 2 && memcmp(name->bytes, "__", 2) == 0)
        return jinja_undefined_hint(heap, "access to an attribute '__…' is unsafe", out) ? -1 : 1;
    if (of.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, of);
    found = plain_attribute(heap, of, name, out);
    if (found)
        return found;
    row = jinja_find_method(of, name, &is_unsafe);
    if (row)
        return bound_method(heap, of, row, out);
    if (!is_unsafe)
        return 0;
    {
        static const char format[] = "access to attribute '%.*s' of '%s' object is unsafe";
        char *hint = jinja_alloc(heap, sizeof format + name->size + 16, 1);

        if (!hint)
            return -1;
        snprintf(hint, sizeof format + name->size + 16, format, (int)name->size, name->bytes,
                 jinja_type_name(of));
        return jinja_undefined_hint(heap, hint, out) ? -1 : 1;
    }
}

/* ---- items ---- */

/* An index from either end; false: out of range. */
static bool in_range(int64_t index, size_t n, size_t *at)
{
    if (index < 0)
        index += (int64_t)n;
    *at = (size_t)index;
    return index >= 0 && *at < n;
}

static int item_of_string(struct jinja_heap *heap, struct jinja_string *string, int64_t index,
                          struct jinja_value *out)
{
    size_t at, start;
    uint32_t code;

    if (jinja_spend(heap, string->size / 64))
        return -1;
    if (!in_range(index, jinja_string_chars(string), &at))
        return 0;
    start = jinja_string_offset(string, at);
    return jinja_string_part(heap, string, start, jinja_decode(string->bytes, start, &code), out)
               ? -1 : 1;
}

/* 1 found, 0 not there, -1 error. */
static int find_item(struct jinja_heap *heap, struct jinja_value of, struct jinja_value index,
                     struct jinja_value *out)
{
    int64_t number;
    size_t at;

    if (of.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, of);
    if (of.kind == JINJA_DICT)
        return jinja_is_hashable(index) ? jinja_dict_get(heap, of.dict, index, out) : 0;
    if (!jinja_to_int64(index, &number))
        return 0;
    switch (of.kind) {
    case JINJA_STRING: return item_of_string(heap, of.string, number, out);
    case JINJA_LIST: case JINJA_TUPLE:
        if (!in_range(number, of.list->n_items, &at))
            return 0;
        *out = of.list->items[at];
        return 1;
    case JINJA_RANGE:
        if (!in_range(number, of.range->n_items, &at))
            return 0;
        *out = jinja_int(of.range->start + (int64_t)at * of.range->step);
        return 1;
    default: return 0;
    }
}

int jinja_get_attribute(struct jinja_heap *heap, struct jinja_value of,
                        const struct jinja_string *name, struct jinja_value *out)
{
    struct jinja_value index = {.kind = JINJA_STRING, .string = (struct jinja_string *)name};
    int found = find_attribute(heap, of, name, out);

    if (found == 0)
        found = find_item(heap, of, index, out);
    if (found == 0)
        return jinja_undefined_item(heap, of, index, out);
    return found < 0 ? -1 : 0;
}

int jinja_get_attribute_only(struct jinja_heap *heap, struct jinja_value of,
                             const struct jinja_string *name, struct jinja_value *out)
{
    struct jinja_value index = {.kind = JINJA_STRING, .string = (struct jinja_string *)name};
    int found = find_attribute(heap, of, name, out);

    if (found == 0)
        return jinja_undefined_item(heap, of, index, out);
    return found < 0 ? -1 : 0;
}

int jinja_get_item(struct jinja_heap *heap, struct jinja_value of, struct jinja_value index,
                   struct jinja_value *out)
{
    int found = find_item(heap, of, index, out);

    if (found == 0 && index.kind == JINJA_STRING)
        found = find_attribute(heap, of, index.string, out);
    if (found == 0)
        return jinja_undefined_item(heap, of, index, out);
    return found < 0 ? -1 : 0;
}

/* ---- slices ---- */

static int take_bound(struct jinja_heap *heap, struct jinja_value value, int64_t fallback,
                      int64_t *out)
{
    *out = fallback;
    if (value.kind == JINJA_MISSING || value.kind == JINJA_NONE || jinja_to_int64(value, out))
        return 0;
    if (value.kind == JINJA_BIG) {
        *out = value.big->is_negative ? INT64_MIN / 4 : INT64_MAX / 4;
        return 0;
    }
    return jinja_fail(heap, "slice indices must be integers or none, not '%s'",
                      jinja_type_name(value));
}

static int64_t clamp(int64_t index, int64_t n, bool is_down)
{
    if (index < 0) {
        index = index < -n ? -1 : index + n;
        return index < 0 ? (is_down ? -1 : 0) : index;
    }
    return index >= n ? (is_down ? n - 1 : n) : index;
}

struct slice {
    int64_t start, stop, step;
    size_t n;
};

static int find_slice(struct jinja_heap *heap, struct jinja_value start, struct jinja_value stop,
                      struct jinja_value step, size_t n_items, struct slice *slice)
{
    int64_t n = (int64_t)n_items, begin, end;
    bool is_down;

    if (take_bound(heap, step, 1, &slice->step))
        return -1;
    if (slice->step == 0)
        return jinja_fail(heap, "slice step cannot be zero");
    if (slice->step < -n - 1 || slice->step > n + 1)
        slice->step = slice->step < 0 ? -n - 1 : n + 1; /* the same items */
    is_down = slice->step < 0;
    if (take_bound(heap, start, is_down ? n - 1 : 0, &begin) ||
        take_bound(heap, stop, is_down ? -n - 1 : n, &end))
        return -1;
    begin = clamp(begin, n, is_down);
    end = clamp(end, n, is_down);
    slice->start = begin;
    slice->stop = end;
    slice->n = 0;
    if (is_down ? end < begin : begin < end)
        slice->n = (size_t)((is_down ? begin - end - 1 : end - begin - 1) /
                            (is_down ? -slice->step : slice->step)) + 1;
    return 0;
}

static int slice_string(struct jinja_heap *heap, struct jinja_string *string,
                        const struct slice *slice, struct jinja_value *out)
{
    struct buffer text = {0};
    size_t at = jinja_string_offset(string, (size_t)(slice->start < 0 ? 0 : slice->start)), n;
    uint32_t code;

    if (slice->step == 1 || slice->n == 0) {
        size_t end = slice->n ? jinja_string_offset(string, (size_t)slice->start + slice->n) : at;

        return jinja_string_part(heap, string, at, end - at, out);
    }
    if (jinja_spend(heap, string->size / 16))
        return -1;
    for (size_t i = 0; i < slice->n; i++) {
        n = jinja_decode(string->bytes, at, &code);
        buffer_add(&text, string->bytes + at, n);
        for (int64_t k = slice->step; i + 1 < slice->n && k > 0; k--)
            at += jinja_decode(string->bytes, at, &code);
        for (int64_t k = slice->step; i + 1 < slice->n && k < 0; k++)
            at = jinja_previous(string->bytes, at);
    }
    if (jinja_take_buffer(heap, &text, out))
        return -1;
    out->string->is_safe = string->is_safe;
    return 0;
}

/* A range again. */
static int slice_range(struct jinja_heap *heap, const struct jinja_range *range,
                       const struct slice *slice, struct jinja_value *out)
{
    struct jinja_range *made = jinja_alloc(heap, 1, sizeof *made);

    if (!made)
        return -1;
    *made = (struct jinja_range){.n_items = slice->n};
    if (__builtin_mul_overflow(range->step, slice->step, &made->step) ||
        __builtin_mul_overflow(range->step, slice->start, &made->start) ||
        __builtin_mul_overflow(range->step, slice->stop, &made->stop) ||
        __builtin_add_overflow(range->start, made->start, &made->start) ||
        __builtin_add_overflow(range->start, made->stop, &made->stop))
        return jinja_fail(heap, "the numbers of a range are too large");
    *out = (struct jinja_value){.kind = JINJA_RANGE, .range = made};
    return 0;
}

int jinja_get_slice(struct jinja_heap *heap, struct jinja_value of, struct jinja_value start,
                    struct jinja_value stop, struct jinja_value step, struct jinja_value *out)
{
    struct slice slice;
    size_t n;

    if (of.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, of);
    if (of.kind != JINJA_STRING && of.kind != JINJA_LIST && of.kind != JINJA_TUPLE &&
        of.kind != JINJA_RANGE)
        return jinja_fail(heap, "'%s' object has no slices", jinja_type_name(of));
    if (jinja_length(heap, of, &n) || find_slice(heap, start, stop, step, n, &slice))
        return -1;
    if (of.kind == JINJA_STRING)
        return jinja_spend(heap, of.string->size / 256) ||
                       slice_string(heap, of.string, &slice, out)
                   ? -1 : 0;
    if (of.kind == JINJA_RANGE)
        return slice_range(heap, of.range, &slice, out);
    if (jinja_list_new(heap, of.kind, slice.n, out))
        return -1;
    for (size_t i = 0; i < slice.n; i++)
        out->list->items[i] = of.list->items[slice.start + (int64_t)i * slice.step];
    return 0;
}

/* ---- paths ---- */

static bool is_number(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] < '0' || bytes[i] > '9')
            return false;
    return size > 0;
}

int jinja_get_path(struct jinja_heap *heap, struct jinja_value of, struct jinja_value path,
                   struct jinja_value fallback, struct jinja_value *out)
{
    const struct jinja_string *text = path.string;
    struct jinja_value part;

    *out = of;
    if (path.kind == JINJA_MISSING || path.kind == JINJA_NONE)
        return 0;
    if (path.kind != JINJA_STRING) {
        if (jinja_get_item(heap, of, path, out))
            return -1;
        if (out->kind == JINJA_UNDEFINED && fallback.kind != JINJA_MISSING)
            *out = fallback;
        return 0;
    }
    for (size_t start = 0, end; start <= text->size; start = end + 1) {
        const char *dot = memchr(text->bytes + start, '.', text->size - start);

        end = dot ? (size_t)(dot - text->bytes) : text->size;
        if (is_number(text->bytes + start, end - start)
                ? jinja_big_parse(heap, text->bytes + start, end - start, 10, false, &part)
                : jinja_string_part(heap, text, start, end - start, &part))
            return -1;
        if (jinja_get_item(heap, *out, part, out))
            return -1;
        if (out->kind == JINJA_UNDEFINED && fallback.kind != JINJA_MISSING)
            *out = fallback;
    }
    return 0;
}

/* ---- str.format ---- */

struct formatter {
    struct jinja_heap *heap;
    const struct jinja_arguments *arguments;
    const struct jinja_dict *map; /* of format_map, else NULL */
    size_t n_automatic;
    bool is_safe;
    struct buffer out;
};

static int first_value(struct formatter *formatter, const char *name, size_t size,
                       struct jinja_value *out)
{
    struct jinja_heap *heap = formatter->heap;
    struct jinja_value index = jinja_int((int64_t)formatter->n_automatic), key;
    int64_t at;

    if (size == 0)
        formatter->n_automatic++;
    else if (is_number(name, size)
                 ? jinja_big_parse(heap, name, size, 10, false, &index) : false)
        return -1;
    if (!formatter->map && (size == 0 || is_number(name, size))) {
        if (!jinja_to_int64(index, &at) || at < 0 ||
            (size_t)at >= formatter->arguments->n_items)
            return jinja_fail(heap, "a field of a format has no value");
        *out = formatter->arguments->items[at];
        return 0;
    }
    for (size_t i = 0; i < formatter->arguments->n_named && !formatter->map; i++) {
        const struct jinja_named *named = &formatter->arguments->named[i];

        if (named->name->size == size && memcmp(named->name->bytes, name, size) == 0) {
            *out = named->value;
            return 0;
        }
    }
    if (jinja_string_copy(heap, name, size, &key))
        return -1;
    if (formatter->map && jinja_dict_get(heap, formatter->map, key, out) == 1)
        return 0;
    return jinja_fail(heap, "'%.*s' is not in the values of a format", (int)size, name);
}

/* name, .attribute and [item] behind it. */
static int field_value(struct formatter *formatter, const char *field, size_t size,
                       struct jinja_value *out)
{
    struct jinja_value key;
    size_t at = 0;

    while (at < size && field[at] != '.' && field[at] != '[')
        at++;
    if (first_value(formatter, field, at, out))
        return -1;
    while (at < size) {
        bool is_item = field[at] == '[';
        size_t start = at + 1, end = start;

        while (end < size && (is_item ? field[end] != ']' : field[end] != '.' && field[end] != '['))
            end++;
        if (end == start || (is_item && end == size))
            return jinja_fail(formatter->heap, "a field of a format is not valid");
        if (is_item && is_number(field + start, end - start)
                ? jinja_big_parse(formatter->heap, field + start, end - start, 10, false, &key)
                : jinja_string_copy(formatter->heap, field + start, end - start, &key))
            return -1;
        if (is_item ? jinja_get_item(formatter->heap, *out, key, out)
                    : jinja_get_attribute(formatter->heap, *out, key.string, out))
            return -1;
        at = end + is_item;
    }
    return 0;
}

static int add_field(struct formatter *formatter, struct jinja_value value, char conversion,
                     const struct jinja_string *spec)
{
    struct jinja_heap *heap = formatter->heap;
    struct jinja_format format;
    struct buffer text = {0};

    if (conversion == 'r' || conversion == 's') {
        int rc = conversion == 'r' ? jinja_add_repr(heap, &text, value)
                                   : jinja_add_str(heap, &text, value);

        if (rc) {
            buffer_release(&text);
            return -1;
        }
        if (jinja_take_buffer(heap, &text, &value))
            return -1;
    }
    if (spec->size > 0 && !jinja_is_number(value) && value.kind != JINJA_STRING)
        return jinja_fail(heap, "unsupported format string passed to %s.__format__",
                          jinja_type_name(value));
    if (spec->size == 0 && jinja_to_soft_str(heap, value, &value))
        return -1;
    if (formatter->is_safe && value.kind == JINJA_STRING && jinja_escape(heap, value, &value))
        return -1;
    if (jinja_parse_format(heap, spec, &format))
        return -1;
    if (format.has_precision && jinja_is_whole(value) &&
        (!format.type || strchr("bcdoxXn", format.type)))
        return jinja_fail(heap, "precision not allowed in integer format specifier");
    return jinja_add_formatted(heap, &formatter->out, value, &format);
}

/* Behind a '{': the field up to its '}', whose place is set. */
static int add_replacement(struct formatter *formatter, const struct jinja_string *text,
                           size_t start, size_t *end)
{
    size_t close = start, depth = 0, name;
    struct jinja_string spec = {.bytes = ""};
    struct jinja_value value;
    char conversion = '\0';

    while (close < text->size && text->bytes[close] != '}') {
        if (text->bytes[close] == '{')
            return jinja_unsupported(formatter->heap,
                                     "a format with a field in a field is not supported");
        close++;
    }
    if (close == text->size)
        return jinja_fail(formatter->heap, "expected '}' before end of string");
    for (name = start; name < close; name++) {
        depth += (text->bytes[name] == '[') - (size_t)(text->bytes[name] == ']');
        if (depth == 0 && (text->bytes[name] == '!' || text->bytes[name] == ':'))
            break;
    }
    *end = close;
    close = name;
    if (name < *end && text->bytes[name] == '!') {
        if (name + 1 == *end || (name + 2 < *end && text->bytes[name + 2] != ':'))
            return jinja_fail(formatter->heap, "a conversion of a format is not valid");
        conversion = text->bytes[name + 1];
        if (conversion != 'r' && conversion != 's')
            return jinja_unsupported(formatter->heap, "the conversion '!%c' is not supported",
                                     conversion);
        close = name + 2;
    }
    if (close < *end)
        spec = (struct jinja_string){.bytes = text->bytes + close + 1, .size = *end - close - 1};
    return field_value(formatter, text->bytes + start, name - start, &value) ||
                   add_field(formatter, value, conversion, &spec)
               ? -1 : 0;
}

static int add_all(struct formatter *formatter, const struct jinja_string *text)
{
    buffer_add(&formatter->out, "", 0);
    for (size_t at = 0; at < text->size; at++) {
        char c = text->bytes[at];

        if ((c == '{' || c == '}') && at + 1 < text->size && text->bytes[at + 1] == c) {
            buffer_add_char(&formatter->out, c);
            at++;
        } else if (c == '{') {
            if (add_replacement(formatter, text, at + 1, &at))
                return -1;
        } else if (c == '}') {
            return jinja_fail(formatter->heap, "single '}' encountered in format string");
        } else {
            buffer_add_char(&formatter->out, c);
        }
    }
    return jinja_spend(formatter->heap, text->size / 16);
}

int jinja_str_format(struct jinja_heap *heap, struct jinja_value self, bool is_map,
                     const struct jinja_arguments *arguments, struct jinja_value *out)
{
    struct formatter formatter = {.heap = heap, .arguments = arguments,
                                  .is_safe = self.string->is_safe};

    if (is_map) {
        if (arguments->n_items != 1 || arguments->n_named > 0 ||
            arguments->items[0].kind != JINJA_DICT)
            return jinja_fail(heap, "format_map() takes exactly one dict");
        formatter.map = arguments->items[0].dict;
    }
    if (add_all(&formatter, self.string)) {
        buffer_release(&formatter.out);
        return -1;
    }
    if (jinja_take_buffer(heap, &formatter.out, out))
        return -1;
    out->string->is_safe = self.string->is_safe;
    return 0;
}
