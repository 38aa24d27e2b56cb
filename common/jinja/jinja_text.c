#include "jinja_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jinja/jinja_big.h"
#include "jinja/jinja_macro.h"
#include "jinja/jinja_unicode.h"

/* ---- numbers ---- */

/* Digits and exponent of the shortest text that reads back as `value` (not negative, finite):
 * d.ddd * 10^exponent. Returns the number of digits. */
static int shortest_digits(double value, char *digits, int *exponent)
{
    char text[40];
    int n = 0;

    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    *exponent = atoi(strchr(text, 'e') + 1);
    for (const char *at = text; *at != 'e'; at++)
        if (*at != '.')
            digits[n++] = *at;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

static void add_zeros(struct buffer *out, int n)
{
    while (n-- > 0)
        buffer_add_char(out, '0');
}

void jinja_add_float(struct buffer *out, double value)
{
    char digits[40];
    int exponent, n;

    if (isnan(value)) {
        buffer_add_text(out, "nan");
        return;
    }
    if (signbit(value))
        buffer_add_char(out, '-');
    if (isinf(value)) {
        buffer_add_text(out, "inf");
        return;
    }
    n = shortest_digits(fabs(value), digits, &exponent);
    if (exponent < -4 || exponent >= 16) {
        buffer_add_char(out, digits[0]);
        if (n > 1)
            buffer_add_char(out, '.');
        buffer_add(out, digits + 1, (size_t)n - 1);
        buffer_format(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        buffer_add_text(out, "0.");
        add_zeros(out, -exponent - 1);
        buffer_add(out, digits, (size_t)n);
    } else {
        int n_whole = exponent + 1;

        buffer_add(out, digits, (size_t)(n < n_whole ? n : n_whole));
        add_zeros(out, n_whole - n);
        buffer_add_char(out, '.');
        if (n > n_whole)
            buffer_add(out, digits + n_whole, (size_t)(n - n_whole));
        else
            buffer_add_char(out, '0');
    }
}

/* ---- strings ---- */

void jinja_add_string_repr(struct buffer *out, const struct jinja_string *string)
{
    bool has_single = memchr(string->bytes, '\'', string->size) != NULL;
    bool has_double = memchr(string->bytes, '"', string->size) != NULL;
    char quote = has_single && !has_double ? '"' : '\'';
    uint32_t code;

    buffer_add_char(out, quote);
    for (size_t at = 0, n; at < string->size; at += n) {
        n = jinja_decode(string->bytes, at, &code);
        if (code == (unsigned char)quote || code == '\\')
            buffer_format(out, "\\%c", (int)code);
        else if (code == '\n')
            buffer_add_text(out, "\\n");
        else if (code == '\r')
            buffer_add_text(out, "\\r");
        else if (code == '\t')
            buffer_add_text(out, "\\t");
        else if (jinja_is_printable(code))
            buffer_add(out, string->bytes + at, n);
        else
            buffer_format(out, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x",
                          code);
    }
    buffer_add_char(out, quote);
}

/* ---- repr ---- */

static int check_size(struct jinja_heap *heap, const struct buffer *out, size_t n)
{
    if (out->size + n > JINJA_STRING_MAX)
        return jinja_fail(heap, "a string of more than %d MB", JINJA_STRING_MAX / 1000 / 1000);
    return jinja_spend(heap, n / 64 + 1);
}

static int add_items(struct jinja_heap *heap, struct buffer *out, const struct jinja_list *list)
{
    for (size_t i = 0; i < list->n_items; i++) {
        if (i > 0)
            buffer_add_text(out, ", ");
        if (jinja_add_repr(heap, out, list->items[i]))
            return -1;
    }
    return 0;
}

static int add_list(struct jinja_heap *heap, struct buffer *out, struct jinja_value value)
{
    bool is_tuple = value.kind == JINJA_TUPLE;

    buffer_add_char(out, is_tuple ? '(' : '[');
    if (add_items(heap, out, value.list))
        return -1;
    if (is_tuple && value.list->n_items == 1)
        buffer_add_char(out, ',');
    buffer_add_char(out, is_tuple ? ')' : ']');
    return 0;
}

static int add_dict(struct jinja_heap *heap, struct buffer *out, const struct jinja_dict *dict)
{
    buffer_add_char(out, '{');
    for (size_t i = 0; i < dict->n_entries; i++) {
        if (i > 0)
            buffer_add_text(out, ", ");
        if (jinja_add_repr(heap, out, dict->entries[i].key))
            return -1;
        buffer_add_text(out, ": ");
        if (jinja_add_repr(heap, out, dict->entries[i].value))
            return -1;
    }
    buffer_add_char(out, '}');
    return 0;
}

static int add_view(struct jinja_heap *heap, struct buffer *out, const struct jinja_view *view)
{
    static const char *const names[] = {"dict_keys([", "dict_values([", "dict_items(["};
    const struct jinja_dict *dict = view->dict;

    buffer_add_text(out, names[view->kind]);
    for (size_t i = 0; i < dict->n_entries; i++) {
        if (i > 0)
            buffer_add_text(out, ", ");
        if (view->kind == JINJA_VIEW_ITEMS)
            buffer_add_char(out, '(');
        if (view->kind != JINJA_VIEW_VALUES && jinja_add_repr(heap, out, dict->entries[i].key))
            return -1;
        if (view->kind == JINJA_VIEW_ITEMS)
            buffer_add_text(out, ", ");
        if (view->kind != JINJA_VIEW_KEYS && jinja_add_repr(heap, out, dict->entries[i].value))
            return -1;
        if (view->kind == JINJA_VIEW_ITEMS)
            buffer_add_char(out, ')');
    }
    buffer_add_text(out, "])");
    return 0;
}

static void add_range(struct buffer *out, const struct jinja_range *range)
{
    buffer_format(out, "range(%lld, %lld", (long long)range->start, (long long)range->stop);
    if (range->step != 1)
        buffer_format(out, ", %lld", (long long)range->step);
    buffer_add_char(out, ')');
}

static void add_macro(struct buffer *out, const struct jinja_string *name)
{
    buffer_add_text(out, "<Macro ");
    if (name)
        jinja_add_string_repr(out, name);
    else
        buffer_add_text(out, "anonymous");
    buffer_add_char(out, '>');
}

static int add_container(struct jinja_heap *heap, struct buffer *out, struct jinja_value value)
{
    int rc;

    if (jinja_enter(heap))
        return -1;
    switch (value.kind) {
    case JINJA_DICT: rc = add_dict(heap, out, value.dict); break;
    case JINJA_VIEW: rc = add_view(heap, out, value.view); break;
    case JINJA_NAMESPACE:
        buffer_add_text(out, "<Namespace ");
        rc = add_dict(heap, out, value.dict);
        buffer_add_char(out, '>');
        break;
    default: rc = add_list(heap, out, value); break;
    }
    jinja_leave(heap);
    return rc;
}

int jinja_add_repr(struct jinja_heap *heap, struct buffer *out, struct jinja_value value)
{
    if (check_size(heap, out, value.kind == JINJA_STRING ? value.string->size : 8))
        return -1;
    switch (value.kind) {
    case JINJA_NONE: buffer_add_text(out, "None"); return 0;
    case JINJA_BOOL: buffer_add_text(out, value.boolean ? "True" : "False"); return 0;
    case JINJA_INT: buffer_format(out, "%lld", (long long)value.integer); return 0;
    case JINJA_BIG:
        if (jinja_spend(heap, value.big->n_limbs * value.big->n_limbs / 8))
            return -1;
        jinja_whole_add_text(out, value, 10);
        return 0;
    case JINJA_FLOAT: jinja_add_float(out, value.number); return 0;
    case JINJA_STRING:
        if (value.string->is_safe)
            buffer_add_text(out, "Markup(");
        jinja_add_string_repr(out, value.string);
        if (value.string->is_safe)
            buffer_add_char(out, ')');
        return 0;
    case JINJA_RANGE: add_range(out, value.range); return 0;
    case JINJA_LIST: case JINJA_TUPLE: case JINJA_DICT: case JINJA_VIEW: case JINJA_NAMESPACE:
        return add_container(heap, out, value);
    case JINJA_UNDEFINED: buffer_add_text(out, "Undefined"); return 0;
    case JINJA_MACRO: add_macro(out, value.macro->node->name); return 0;
    default: /* Python shows an address here */
        buffer_format(out, "<%s object>", jinja_type_name(value));
        return 0;
    }
}

int jinja_add_str(struct jinja_heap *heap, struct buffer *out, struct jinja_value value)
{
    if (value.kind == JINJA_UNDEFINED)
        return 0;
    if (value.kind != JINJA_STRING)
        return jinja_add_repr(heap, out, value);
    if (check_size(heap, out, value.string->size))
        return -1;
    buffer_add(out, value.string->bytes, value.string->size);
    return 0;
}

/* ---- strings of values ---- */

int jinja_take_buffer(struct jinja_heap *heap, struct buffer *buffer, struct jinja_value *out)
{
    int rc = jinja_string_copy(heap, buffer->data, buffer->size, out);

    buffer_release(buffer);
    return rc;
}

int jinja_to_soft_str(struct jinja_heap *heap, struct jinja_value value, struct jinja_value *out)
{
    struct buffer text = {0};

    if (value.kind == JINJA_STRING) {
        *out = value;
        return 0;
    }
    if (jinja_add_str(heap, &text, value)) {
        buffer_release(&text);
        return -1;
    }
    return jinja_take_buffer(heap, &text, out);
}

int jinja_to_str(struct jinja_heap *heap, struct jinja_value value, struct jinja_value *out)
{
    if (value.kind == JINJA_STRING && value.string->is_safe)
        return jinja_string_marked(heap, value, false, out);
    return jinja_to_soft_str(heap, value, out);
}

int jinja_escape(struct jinja_heap *heap, struct jinja_value value, struct jinja_value *out)
{
    static const char *const escapes[128] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['\''] = "&#39;", ['"'] = "&#34;",
    };
    struct buffer text = {0};
    struct jinja_value string;

    if (jinja_to_soft_str(heap, value, &string))
        return -1;
    if (string.string->is_safe) {
        *out = string;
        return 0;
    }
    for (size_t i = 0; i < string.string->size; i++) {
        unsigned char c = (unsigned char)string.string->bytes[i];

        if (c < 128 && escapes[c])
            buffer_add_text(&text, escapes[c]);
        else
            buffer_add_char(&text, (char)c);
    }
    if (jinja_take_buffer(heap, &text, out))
        return -1;
    out->string->is_safe = true;
    return 0;
}
