/* jinja_text_filters.c - filters of strings and numbers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "jinja/jinja_filter_row.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_iterate.h"
#include "jinja/jinja_json.h"
#include "jinja/jinja_lookup.h"
#include "jinja/jinja_number.h"
#include "jinja/jinja_operators.h"
#include "jinja/jinja_split.h"
#include "jinja/jinja_strings.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"

#define FILTER(name)                                                                              \
    static int name(struct jinja_heap *heap, struct jinja_value value,                            \
                    const struct jinja_value *values, struct jinja_value *out)

/* ---- strings ---- */

static int change_case(struct jinja_heap *heap, struct jinja_value value,
                       void (*add)(struct buffer *out, const char *bytes, size_t size),
                       struct jinja_value *out)
{
    struct jinja_value text;

    return jinja_to_soft_str(heap, value, &text) || jinja_change_case(heap, text, add, out) ? -1
                                                                                           : 0;
}

FILTER(upper)
{
    (void)values;
    return change_case(heap, value, jinja_add_upper, out);
}

FILTER(lower)
{
    (void)values;
    return change_case(heap, value, jinja_add_lower, out);
}

FILTER(capitalize)
{
    (void)values;
    return change_case(heap, value, jinja_add_capitalized, out);
}

/* Words begin behind white space and - ( { [ <. */
static void add_words(struct buffer *out, const char *bytes, size_t size)
{
    bool is_inside = false;
    uint32_t code;

    for (size_t at = 0, n; at < size; at += n) {
        bool is_separator;

        n = jinja_decode(bytes, at, &code);
        is_separator = jinja_is_space(code) || (code < 0x80 && strchr("-({[<", (int)code) && code);
        if (is_separator || !is_inside) {
            jinja_add_upper(out, bytes + at, n);
            is_inside = !is_separator;
        } else {
            size_t end = at + n;

            while (end < size) { /* in one piece: a sigma looks at its neighbours */
                size_t next = jinja_decode(bytes, end, &code);

                if (jinja_is_space(code) || (code < 0x80 && strchr("-({[<", (int)code) && code))
                    break;
                end += next;
            }
            jinja_add_lower(out, bytes + at, end - at);
            n = end - at;
        }
    }
}

FILTER(title)
{
    (void)values;
    if (change_case(heap, value, add_words, out))
        return -1;
    out->string->is_safe = false;
    return 0;
}

FILTER(trim)
{
    struct jinja_value text;

    return jinja_to_soft_str(heap, value, &text) ||
                   jinja_strip(heap, text, values[0], true, true, out)
               ? -1 : 0;
}

FILTER(string)
{
    (void)values;
    return jinja_to_soft_str(heap, value, out);
}

FILTER(safe)
{
    struct jinja_value text;

    (void)values;
    return jinja_to_soft_str(heap, value, &text) || jinja_string_marked(heap, text, true, out) ? -1
                                                                                              : 0;
}

FILTER(escape)
{
    (void)values;
    return jinja_escape(heap, value, out);
}

FILTER(forceescape)
{
    struct jinja_value text;

    (void)values;
    return jinja_to_str(heap, value, &text) || jinja_escape(heap, text, out) ? -1 : 0;
}

FILTER(replace)
{
    struct jinja_value text, old, new;
    int64_t count;

    if (values[2].kind != JINJA_NONE && jinja_take_int(heap, "replace", values[2], -1, &count))
        return -1;
    if (values[2].kind == JINJA_NONE)
        count = -1;
    return jinja_to_str(heap, value, &text) || jinja_to_str(heap, values[0], &old) ||
                   jinja_to_str(heap, values[1], &new) ||
                   jinja_replace(heap, text, old.string, new.string, count, out)
               ? -1 : 0;
}

FILTER(center)
{
    struct jinja_value text;
    int64_t width;

    return jinja_take_int(heap, "center", values[0], 80, &width) ||
                   jinja_to_soft_str(heap, value, &text) ||
                   jinja_center(heap, text, width, out)
               ? -1 : 0;
}

/* ---- indent ---- */

enum { INDENT_MAX = 10000 };

static int take_indent(struct jinja_heap *heap, struct jinja_value width, struct jinja_value *out)
{
    int64_t n;

    if (width.kind == JINJA_STRING) {
        *out = width;
        return 0;
    }
    if (jinja_take_int(heap, "indent", width, 4, &n))
        return -1;
    if (n > INDENT_MAX)
        return jinja_fail(heap, "an indent of more than %d", INDENT_MAX);
    if (jinja_string_text(heap, " ", out))
        return -1;
    return jinja_binary(heap, JINJA_MULTIPLY, *out, jinja_int(n), out);
}

FILTER(indent)
{
    bool first = jinja_truth(values[1]), blank = jinja_truth(values[2]);
    struct jinja_value lines, indent, text, newline;

    if (value.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, value);
    if (value.kind != JINJA_STRING)
        return jinja_fail(heap, "indent: a string was expected, not '%s'", jinja_type_name(value));
    if (take_indent(heap, values[0], &indent) || jinja_string_text(heap, "\n", &newline) ||
        jinja_string_concat(heap, value.string, newline.string, &text))
        return -1;
    text.string->is_safe = value.string->is_safe;
    if (value.string->is_safe && values[0].kind == JINJA_STRING &&
        jinja_string_marked(heap, indent, true, &indent))
        return -1;
    if (jinja_split_lines(heap, text, false, &lines) || jinja_string_text(heap, "", &text))
        return -1;
    for (size_t i = 0; i < lines.list->n_items; i++) {
        struct jinja_string *line = lines.list->items[i].string;
        bool is_indented = i == 0 ? first : line->size > 0 || blank;

        if ((i > 0 && jinja_string_concat(heap, text.string, newline.string, &text)) ||
            (is_indented && jinja_string_concat(heap, text.string, indent.string, &text)) ||
            jinja_string_concat(heap, text.string, line, &text))
            return -1;
    }
    text.string->is_safe = value.string->is_safe;
    *out = text;
    return 0;
}

/* ---- shorter ---- */

static int concat_end(struct jinja_heap *heap, struct jinja_value head, struct jinja_value end,
                      struct jinja_value *out)
{
    return jinja_binary(heap, JINJA_ADD, head, end, out);
}

FILTER(truncate)
{
    struct jinja_value end = values[2], head;
    int64_t length, leeway;
    size_t n, n_end, cut;

    if (end.kind == JINJA_MISSING && jinja_string_text(heap, "...", &end))
        return -1;
    if (jinja_take_int(heap, "truncate", values[0], 255, &length) ||
        (values[3].kind != JINJA_NONE && jinja_take_int(heap, "truncate", values[3], 5, &leeway)) ||
        jinja_length(heap, value, &n) || jinja_length(heap, end, &n_end))
        return -1;
    if (values[3].kind == JINJA_NONE)
        leeway = 5;
    if (end.kind != JINJA_STRING || length < (int64_t)n_end || leeway < 0)
        return jinja_fail(heap, "truncate: a length that is at least that of the end is expected");
    *out = value;
    if ((int64_t)n <= length + leeway)
        return 0;
    if (value.kind != JINJA_STRING)
        return jinja_fail(heap, "truncate: a string was expected, not '%s'",
                          jinja_type_name(value));
    cut = jinja_string_offset(value.string, (size_t)length - n_end);
    if (jinja_string_part(heap, value.string, 0, cut, &head))
        return -1;
    if (!jinja_truth(values[1])) {
        size_t at = cut;

        while (at > 0 && value.string->bytes[at - 1] != ' ')
            at--;
        if (at > 0 && jinja_string_part(heap, value.string, 0, at - 1, &head))
            return -1;
    }
    return concat_end(heap, head, end, out);
}

FILTER(wordcount)
{
    struct jinja_value text;
    bool is_inside = false;
    int64_t n = 0;
    uint32_t code;

    (void)values;
    if (jinja_to_soft_str(heap, value, &text) || jinja_spend(heap, text.string->size / 16))
        return -1;
    for (size_t at = 0; at < text.string->size;) {
        bool is_word;

        at += jinja_decode(text.string->bytes, at, &code);
        is_word = jinja_is_word(code);
        n += is_word && !is_inside;
        is_inside = is_word;
    }
    *out = jinja_int(n);
    return 0;
}

/* Everything between < and > goes, comments first, and white space becomes one blank. */
FILTER(striptags)
{
    struct jinja_value text;
    struct buffer bare = {0};
    const char *bytes;
    bool has_blank = false, has_end = true, has_comment_end = true; /* from here on */
    uint32_t code;
    size_t size, n;

    (void)values;
    if (jinja_to_str(heap, value, &text) || jinja_spend(heap, text.string->size / 8))
        return -1;
    bytes = text.string->bytes;
    size = text.string->size;
    if (memmem(bytes, size, "&", 1))
        return jinja_unsupported(heap, "striptags of a text with entities (&...;) is not supported");
    for (size_t at = 0; at < size; at += n) {
        bool is_comment = size - at >= 4 && memcmp(bytes + at, "<!--", 4) == 0;
        bool *may_end = is_comment ? &has_comment_end : &has_end;
        const char *end = bytes[at] != '<' || !*may_end ? NULL
                        : is_comment ? memmem(bytes + at, size - at, "-->", 3)
                                     : memchr(bytes + at, '>', size - at);

        *may_end &= bytes[at] != '<' || end;
        n = jinja_decode(bytes, at, &code);
        if (end) {
            n = (size_t)(end - bytes) + (is_comment ? 3 : 1) - at;
        } else if (jinja_is_space(code)) {
            has_blank = bare.size > 0;
        } else {
            if (has_blank)
                buffer_add_char(&bare, ' ');
            has_blank = false;
            buffer_add(&bare, bytes + at, n);
        }
    }
    return jinja_take_buffer(heap, &bare, out);
}

static void add_quoted(struct buffer *out, const struct jinja_string *string, bool in_query)
{
    for (size_t i = 0; i < string->size; i++) {
        unsigned char c = (unsigned char)string->bytes[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || (c && strchr("_.-~", c)) ||
                        (c == '/' && !in_query);

        if (is_plain)
            buffer_add_char(out, (char)c);
        else if (c == ' ' && in_query)
            buffer_add_char(out, '+');
        else
            buffer_format(out, "%%%02X", c);
    }
}

/* Of what is put together from values that may be the same again and again. */
static int check_length(struct jinja_heap *heap, const struct buffer *text)
{
    if (text->size > JINJA_STRING_MAX)
        return jinja_fail(heap, "a string of more than %d MB", JINJA_STRING_MAX / 1000 / 1000);
    return 0;
}

static int add_query_pair(struct jinja_heap *heap, struct buffer *out, struct jinja_value pair)
{
    struct jinja_value items, name, value;

    if (jinja_to_list(heap, pair, JINJA_LIST, &items))
        return -1;
    if (items.list->n_items != 2)
        return jinja_fail(heap, "urlencode: pairs were expected");
    if (jinja_to_str(heap, items.list->items[0], &name) ||
        jinja_to_str(heap, items.list->items[1], &value))
        return -1;
    if (out->size > 0)
        buffer_add_char(out, '&');
    add_quoted(out, name.string, true);
    buffer_add_char(out, '=');
    add_quoted(out, value.string, true);
    return check_length(heap, out);
}

FILTER(urlencode)
{
    struct jinja_value text, item;
    struct buffer quoted = {0};
    struct jinja_view view = {.kind = JINJA_VIEW_ITEMS};
    struct jinja_walk walk;
    int more;

    (void)values;
    if (value.kind == JINJA_STRING || !jinja_is_iterable(value)) {
        if (jinja_to_str(heap, value, &text))
            return -1;
        add_quoted(&quoted, text.string, false);
        return jinja_take_buffer(heap, &quoted, out);
    }
    if (value.kind == JINJA_DICT) {
        view.dict = value.dict;
        value = (struct jinja_value){.kind = JINJA_VIEW, .view = &view};
    }
    if (jinja_walk_begin(heap, value, &walk))
        return -1;
    while ((more = jinja_walk_next(heap, &walk, &item)) > 0)
        if (add_query_pair(heap, &quoted, item)) {
            more = -1;
            break;
        }
    if (more < 0) {
        buffer_release(&quoted);
        return -1;
    }
    return jinja_take_buffer(heap, &quoted, out);
}

FILTER(xmlattr)
{
    struct jinja_value name, text;
    struct buffer attributes = {0};
    bool autospace = values[0].kind == JINJA_MISSING || jinja_truth(values[0]);

    if (value.kind != JINJA_DICT)
        return jinja_fail(heap, "xmlattr: a dict was expected, not '%s'", jinja_type_name(value));
    for (size_t i = 0; i < value.dict->n_entries; i++) {
        const struct jinja_dict_entry *entry = &value.dict->entries[i];

        if (entry->value.kind == JINJA_NONE || entry->value.kind == JINJA_UNDEFINED)
            continue;
        if (entry->key.kind != JINJA_STRING) {
            jinja_fail(heap, "xmlattr: names must be strings");
            break;
        }
        if (jinja_escape(heap, entry->key, &name) || jinja_escape(heap, entry->value, &text))
            break;
        if (attributes.size > 0 || autospace)
            buffer_add_char(&attributes, ' ');
        buffer_add(&attributes, name.string->bytes, name.string->size);
        buffer_add_text(&attributes, "=\"");
        buffer_add(&attributes, text.string->bytes, text.string->size);
        buffer_add_char(&attributes, '"');
        if (check_length(heap, &attributes))
            break;
        if (name.string->size == 0 || memchr(name.string->bytes, ' ', name.string->size) ||
            memchr(name.string->bytes, '/', name.string->size) ||
            memchr(name.string->bytes, '=', name.string->size) ||
            memmem(name.string->bytes, name.string->size, "&gt;", 4)) {
            buffer_release(&attributes);
            return jinja_fail(heap, "invalid character in attribute name");
        }
    }
    if (heap->err->code != ERROR_NONE) {
        buffer_release(&attributes);
        return -1;
    }
    return jinja_take_buffer(heap, &attributes, out);
}

/* ---- numbers ---- */

FILTER(to_int)
{
    struct jinja_value fallback = values[0].kind == JINJA_MISSING ? jinja_int(0) : values[0];
    int64_t base;
    double number;
    int found = 0;

    if (jinja_take_int(heap, "int", values[1], 10, &base))
        return -1;
    if (value.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, value);
    if (value.kind == JINJA_STRING && (base == 0 || (base >= 2 && base <= 36)))
        found = jinja_parse_int(heap, value.string, (unsigned)base, out);
    else if (jinja_is_whole(value))
        return jinja_binary(heap, JINJA_ADD, value, jinja_int(0), out);
    if (found)
        return found < 0 ? -1 : 0;
    number = value.kind == JINJA_FLOAT ? value.number : NAN;
    if (value.kind == JINJA_STRING && !jinja_parse_float(value.string, &number))
        number = NAN;
    if (isfinite(number))
        return jinja_truncate(heap, number, out);
    if (value.kind == JINJA_FLOAT && isinf(number)) /* Python lets this one through */
        return jinja_fail(heap, "cannot convert float infinity to integer");
    *out = fallback;
    return 0;
}

FILTER(to_float)
{
    struct jinja_value fallback = values[0].kind == JINJA_MISSING ? jinja_float(0) : values[0];
    double number;

    if (value.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, value);
    if (jinja_is_number(value))
        *out = jinja_float(jinja_to_double(value));
    else if (value.kind == JINJA_STRING && jinja_parse_float(value.string, &number))
        *out = jinja_float(number);
    else
        *out = fallback;
    return 0;
}

FILTER(to_abs)
{
    (void)values;
    if (value.kind == JINJA_UNDEFINED)
        return jinja_fail(heap, "bad operand type for abs(): 'Undefined'");
    if (!jinja_is_number(value))
        return jinja_fail(heap, "bad operand type for abs(): '%s'", jinja_type_name(value));
    return jinja_signed(heap, value, jinja_to_double(value) < 0 || (value.kind == JINJA_FLOAT &&
                                                                    signbit(value.number)), out);
}

/* ceil or floor of value * 10^precision, divided by 10^precision. */
static int round_to_side(struct jinja_heap *heap, struct jinja_value value, int64_t precision,
                         bool is_up, struct jinja_value *out)
{
    struct jinja_value scale, scaled;

    if (precision < -JINJA_DIGITS_MAX || precision > JINJA_DIGITS_MAX)
        return jinja_fail(heap, "round: a precision beyond %d", JINJA_DIGITS_MAX);
    if (jinja_binary(heap, JINJA_POWER, jinja_int(10), jinja_int(precision), &scale) ||
        jinja_binary(heap, JINJA_MULTIPLY, value, scale, &scaled))
        return -1;
    if (scaled.kind == JINJA_FLOAT &&
        jinja_truncate(heap, is_up ? ceil(scaled.number) : floor(scaled.number), &scaled))
        return -1;
    return jinja_binary(heap, JINJA_DIVIDE, scaled, scale, out);
}

FILTER(to_round)
{
    struct jinja_string *method;
    int64_t precision;

    if (jinja_take_int(heap, "round", values[0], 0, &precision) ||
        jinja_take_string(heap, "round", values[1], &method))
        return -1;
    if (value.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, value);
    if (!jinja_is_number(value))
        return jinja_fail(heap, "round: a number was expected, not '%s'", jinja_type_name(value));
    if (!method || jinja_string_is(method, "common"))
        return jinja_round(heap, value, precision, out);
    if (jinja_string_is(method, "ceil") || jinja_string_is(method, "floor"))
        return round_to_side(heap, value, precision, method->bytes[0] == 'c', out);
    return jinja_fail(heap, "round: the method must be common, ceil or floor");
}

FILTER(filesizeformat)
{
    static const char *const prefixes = "kMGTPEZY";
    bool is_binary = jinja_truth(values[0]);
    double base = is_binary ? 1024 : 1000, bytes, unit = base;
    struct jinja_value number;
    struct buffer text = {0};
    size_t i = 0;

    if (to_float(heap, value, (const struct jinja_value[]){{.kind = JINJA_NONE}}, &number))
        return -1;
    if (number.kind != JINJA_FLOAT)
        return jinja_fail(heap, "filesizeformat: a number was expected");
    bytes = number.number;
    if (bytes == 1) {
        buffer_add_text(&text, "1 Byte");
    } else if (bytes < base) {
        buffer_format(&text, "%.0f Bytes", trunc(bytes));
    } else {
        while (i + 1 < strlen(prefixes) && bytes >= unit * base) {
            unit *= base;
            i++;
        }
        buffer_format(&text, "%.1f %c%sB", bytes / unit,
                      is_binary && i == 0 ? 'K' : prefixes[i], is_binary ? "i" : "");
    }
    return jinja_take_buffer(heap, &text, out);
}

/* ---- JSON ---- */

static int take_separators(struct jinja_heap *heap, struct jinja_value value,
                           struct jinja_json_style *style)
{
    static const struct jinja_string comma_blank = {.bytes = ", ", .size = 2},
                                     comma = {.bytes = ",", .size = 1},
                                     colon = {.bytes = ": ", .size = 2};
    const struct jinja_list *list = value.list;

    style->item = style->has_indent ? comma : comma_blank;
    style->key = colon;
    if (value.kind == JINJA_MISSING || value.kind == JINJA_NONE)
        return 0;
    if ((value.kind != JINJA_LIST && value.kind != JINJA_TUPLE) || list->n_items != 2 ||
        list->items[0].kind != JINJA_STRING || list->items[1].kind != JINJA_STRING)
        return jinja_fail(heap, "tojson: separators must be two strings");
    style->item = *list->items[0].string;
    style->key = *list->items[1].string;
    return 0;
}

FILTER(tojson)
{
    struct jinja_json_style style = {.ensure_ascii = jinja_truth(values[0]),
                                     .sort_keys = jinja_truth(values[3])};
    struct jinja_value indent = values[1];
    struct buffer text = {0};

    style.has_indent = indent.kind != JINJA_MISSING && indent.kind != JINJA_NONE;
    if (style.has_indent) {
        if (take_indent(heap, indent, &indent))
            return -1;
        style.indent = *indent.string;
    }
    if (take_separators(heap, values[2], &style))
        return -1;
    if (jinja_add_json(heap, &text, value, &style)) {
        buffer_release(&text);
        return -1;
    }
    return jinja_take_buffer(heap, &text, out);
}

const struct jinja_filter_row jinja_text_filters[] = {
    {"tojson", "ensure_ascii,indent,separators,sort_keys", 0, tojson, NULL},
    {"trim", "chars", 0, trim, NULL},
    {"string", "", 0, string, NULL},
    {"safe", "", 0, safe, NULL},
    {"lower", "", 0, lower, NULL},
    {"upper", "", 0, upper, NULL},
    {"capitalize", "", 0, capitalize, NULL},
    {"title", "", 0, title, NULL},
    {"replace", "old,new,count", 2, replace, NULL},
    {"indent", "width,first,blank", 0, indent, NULL},
    {"escape", "", 0, escape, NULL},
    {"e", "", 0, escape, NULL},
    {"forceescape", "", 0, forceescape, NULL},
    {"center", "width", 0, center, NULL},
    {"truncate", "length,killwords,end,leeway", 0, truncate, NULL},
    {"wordcount", "", 0, wordcount, NULL},
    {"striptags", "", 0, striptags, NULL},
    {"urlencode", "", 0, urlencode, NULL},
    {"xmlattr", "autospace", 0, xmlattr, NULL},
    {"int", "default,base", 0, to_int, NULL},
    {"float", "default", 0, to_float, NULL},
    {"abs", "", 0, to_abs, NULL},
    {"round", "precision,method", 0, to_round, NULL},
    {"filesizeformat", "binary", 0, filesizeformat, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
