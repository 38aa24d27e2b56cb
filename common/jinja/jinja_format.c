#include "jinja_format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "jinja/jinja_big.h"
#include "jinja/jinja_number.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"
#include "base/utf8.h"

enum { PRECISION_MAX = 1000, WIDTH_MAX = 1000 * 1000 };

/* ---- in a width ---- */

static size_t n_chars(const char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static void add_fill(struct buffer *out, uint32_t fill, size_t n)
{
    while (n-- > 0)
        utf8_add(out, fill ? fill : ' ');
}

int jinja_add_padded(struct jinja_heap *heap, struct buffer *out, const char *text, size_t size,
                     const struct jinja_format *format, char default_align)
{
    size_t n = n_chars(text, size), space = format->width > n ? format->width - n : 0, left;
    char align = format->align ? format->align : default_align;

    if (format->width > WIDTH_MAX)
        return jinja_fail(heap, "a width of more than %d", WIDTH_MAX);
    if (out->size + size + space > JINJA_STRING_MAX || jinja_spend(heap, space / 16 + size / 64))
        return jinja_fail(heap, "a string of more than %d MB", JINJA_STRING_MAX / 1000 / 1000);
    left = align == '<' ? 0 : align == '^' ? space / 2 : space;
    if (align == '=' && size > 0) { /* between sign (or prefix) and digits */
        size_t head = text[0] == '-' || text[0] == '+' || text[0] == ' ';

        if (size > head + 1 && text[head] == '0' && strchr("xXoObB", text[head + 1]))
            head += 2;
        buffer_add(out, text, head);
        text += head;
        size -= head;
    }
    add_fill(out, format->fill, left);
    buffer_add(out, text, size);
    add_fill(out, format->fill, space - left);
    return 0;
}

/* ---- numbers ---- */

/* Digits in groups of so many, up to the first that is no digit. */
static void group_digits(struct buffer *text, size_t start, size_t n_digits, size_t group,
                         char separator)
{
    const char mark[2] = {separator, '\0'};

    for (size_t left = n_digits; left > group; left -= group)
        buffer_splice(text, start + left - group, 0, mark);
}

static int add_integer(struct jinja_heap *heap, struct buffer *out, struct jinja_value value,
                       const struct jinja_format *format)
{
    unsigned base = strchr("xX", format->type) && format->type ? 16
                  : format->type == 'o' ? 8 : format->type == 'b' ? 2 : 10;
    struct buffer text = {0};
    size_t start;
    int rc;

    if (format->has_precision && format->precision > PRECISION_MAX)
        return jinja_fail(heap, "a precision of more than %d", PRECISION_MAX);
    if (jinja_spend(heap, value.kind == JINJA_BIG ? value.big->n_limbs * value.big->n_limbs : 0))
        return -1;
    jinja_whole_add_text(&text, value, base);
    if (text.data[0] != '-' && (format->sign == '+' || format->sign == ' ')) {
        const char sign[2] = {format->sign, '\0'};

        buffer_splice(&text, 0, 0, sign);
    }
    start = text.data[0] == '-' || text.data[0] == '+' || text.data[0] == ' ';
    if (format->has_precision)
        while (text.size - start < format->precision)
            buffer_splice(&text, start, 0, "0");
    if (format->grouping)
        group_digits(&text, start, text.size - start, base == 10 ? 3 : 4, format->grouping);
    if (format->is_alternate && base != 10) {
        const char prefix[3] = {'0', format->type, '\0'};

        buffer_splice(&text, start, 0, prefix);
    }
    if (format->type == 'X')
        for (size_t i = 0; i < text.size; i++)
            if (text.data[i] >= 'a' && text.data[i] <= 'z')
                text.data[i] -= 'a' - 'A';
    rc = jinja_add_padded(heap, out, text.data, text.size, format, '>');
    buffer_release(&text);
    return rc;
}

/* Without a type: as repr, or like g with at least one digit behind the point. */
static void add_typeless(struct buffer *text, double value, const struct jinja_format *format)
{
    int precision = format->precision ? (int)format->precision : 1;

    if (!format->has_precision) {
        jinja_add_float(text, value);
        return;
    }
    buffer_format(text, "%.*g", precision, value);
    if (isfinite(value) && !strpbrk(text->data, ".e")) {
        if ((int)strspn(text->data + (text->data[0] == '-'), "0123456789") >= precision &&
            value != 0) {
            char digits[64];

            snprintf(digits, sizeof digits, "%.*e", precision - 1 > 40 ? 40 : precision - 1,
                     value);
            buffer_clear(text);
            buffer_add_text(text, digits);
        } else {
            buffer_add_text(text, ".0");
        }
    }
}

static int add_float(struct jinja_heap *heap, struct buffer *out, double value,
                     const struct jinja_format *format)
{
    int precision = format->has_precision ? (int)format->precision : 6;
    char type = format->type == '%' ? 'f' : format->type == 'n' ? 'g' : format->type;
    struct buffer text = {0};
    char pattern[16];
    int rc;

    if (format->has_precision && format->precision > PRECISION_MAX)
        return jinja_fail(heap, "a precision of more than %d", PRECISION_MAX);
    if (format->type == '%')
        value *= 100;
    if (type) {
        snprintf(pattern, sizeof pattern, "%%%s.*%c", format->is_alternate ? "#" : "", type);
        buffer_format(&text, pattern, precision, value);
    } else {
        add_typeless(&text, value, format);
    }
    if (text.data[0] != '-' && (format->sign == '+' || format->sign == ' ')) {
        const char sign[2] = {format->sign, '\0'};

        buffer_splice(&text, 0, 0, sign);
    }
    if (format->grouping) {
        size_t start = strspn(text.data, "+- ");

        group_digits(&text, start, strspn(text.data + start, "0123456789"), 3, format->grouping);
    }
    if (format->type == '%')
        buffer_add_char(&text, '%');
    rc = jinja_add_padded(heap, out, text.data, text.size, format, '>');
    buffer_release(&text);
    return rc;
}

static int add_text(struct jinja_heap *heap, struct buffer *out, struct jinja_string *string,
                    const struct jinja_format *format)
{
    size_t size = string->size;

    if (format->has_precision && format->precision < jinja_string_chars(string))
        size = jinja_string_offset(string, format->precision);
    return jinja_add_padded(heap, out, string->bytes, size, format, '<');
}

static int add_character(struct jinja_heap *heap, struct buffer *out, int64_t code,
                         const struct jinja_format *format)
{
    struct buffer text = {0};
    int rc;

    if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return jinja_fail(heap, "%lld is no character", (long long)code);
    utf8_add(&text, (uint32_t)code);
    rc = jinja_add_padded(heap, out, text.data, text.size, format, '<');
    buffer_release(&text);
    return rc;
}

int jinja_add_formatted(struct jinja_heap *heap, struct buffer *out, struct jinja_value value,
                        const struct jinja_format *format)
{
    char type = format->type;
    int64_t code;

    if (value.kind == JINJA_STRING && (type == 0 || type == 's')) {
        struct jinja_format plain = *format;

        if (format->is_zero)
            plain.align = '<';
        if (format->grouping || format->sign || format->is_alternate || plain.align == '=')
            return jinja_fail(heap, "a format of numbers does not fit 'str'");
        return add_text(heap, out, value.string, &plain);
    }
    if (jinja_is_whole(value) && type == 'c' && jinja_to_int64(value, &code))
        return add_character(heap, out, code, format);
    if (jinja_is_whole(value) && (type == 0 || strchr("dxXobn", type)))
        return add_integer(heap, out, value, format);
    if (jinja_is_number(value) && (type == 0 || strchr("eEfFgGn%", type)))
        return add_float(heap, out, jinja_to_double(value), format);
    return jinja_fail(heap, "the format '%c' does not fit '%s'", type ? type : '?',
                      jinja_type_name(value));
}

/* ---- {:spec} ---- */

static int read_size(struct jinja_heap *heap, const struct jinja_string *spec, size_t *at,
                     size_t limit, size_t *value)
{
    *value = 0;
    for (; *at < spec->size && spec->bytes[*at] >= '0' && spec->bytes[*at] <= '9'; ++*at) {
        *value = *value * 10 + (size_t)(spec->bytes[*at] - '0');
        if (*value > limit)
            return jinja_fail(heap, "a format with a number above %zu", limit);
    }
    return 0;
}

static char take_one_of(const struct jinja_string *spec, size_t *at, const char *letters)
{
    if (*at < spec->size && spec->bytes[*at] && strchr(letters, spec->bytes[*at]))
        return spec->bytes[(*at)++];
    return '\0';
}

static void take_alignment(const struct jinja_string *spec, size_t *at,
                           struct jinja_format *format)
{
    size_t behind;
    uint32_t code;

    if (spec->size == 0)
        return;
    behind = jinja_decode(spec->bytes, 0, &code);
    format->align = take_one_of(spec, &behind, "<>^=");
    if (format->align) {
        format->fill = code;
        *at = behind;
        return;
    }
    format->align = take_one_of(spec, at, "<>^=");
}

int jinja_parse_format(struct jinja_heap *heap, const struct jinja_string *spec,
                       struct jinja_format *format)
{
    size_t at = 0;

    *format = (struct jinja_format){0};
    take_alignment(spec, &at, format);
    format->sign = take_one_of(spec, &at, "+- ");
    format->is_alternate = take_one_of(spec, &at, "#") != '\0';
    if (take_one_of(spec, &at, "0") && !format->align) {
        format->is_zero = true;
        format->fill = '0';
        format->align = '=';
    }
    if (read_size(heap, spec, &at, WIDTH_MAX, &format->width))
        return -1;
    format->grouping = take_one_of(spec, &at, ",_");
    if (take_one_of(spec, &at, ".")) {
        format->has_precision = true;
        if (read_size(heap, spec, &at, PRECISION_MAX, &format->precision))
            return -1;
    }
    format->type = take_one_of(spec, &at, "sdboxXcneEfFgG%");
    return at == spec->size ? 0 : jinja_fail(heap, "a format that is not valid");
}

/* ---- '%' ---- */

struct printf_state {
    struct jinja_heap *heap;
    const struct jinja_string *format;
    size_t at;
    struct jinja_value values;
    size_t n_used;
    bool is_safe; /* what is put in is escaped */
    struct buffer out;
};

static int next_value(struct printf_state *state, struct jinja_value *out)
{
    struct jinja_value values = state->values;
    size_t n = values.kind == JINJA_TUPLE ? values.list->n_items : 1;

    if (state->n_used >= n)
        return jinja_fail(state->heap, "not enough arguments for format string");
    *out = values.kind == JINJA_TUPLE ? values.list->items[state->n_used] : values;
    state->n_used++;
    return 0;
}

/* %(name): the member of a dict; 0 when there is no name here, 1 when there was. */
static int named_value(struct printf_state *state, struct jinja_value *out)
{
    const struct jinja_string *format = state->format;
    size_t start = state->at + 1, end = start, depth = 1;
    struct jinja_value key;
    int found;

    if (state->at >= format->size || format->bytes[state->at] != '(')
        return 0;
    for (; end < format->size && depth > 0; end++)
        depth += (format->bytes[end] == '(') - (size_t)(format->bytes[end] == ')');
    if (depth > 0)
        return jinja_fail(state->heap, "incomplete format key");
    if (state->values.kind != JINJA_DICT)
        return jinja_fail(state->heap, "format requires a mapping");
    if (jinja_string_copy(state->heap, format->bytes + start, end - 1 - start, &key))
        return -1;
    found = jinja_dict_get(state->heap, state->values.dict, key, out);
    if (found == 0)
        return jinja_fail(state->heap, "'%.*s' is not in the values of a format",
                          (int)(end - 1 - start), format->bytes + start);
    state->at = end;
    state->n_used = 1;
    return found;
}

/* A number or a * for one of the values. */
static int read_count(struct printf_state *state, size_t *count)
{
    struct jinja_value value;
    int64_t number;

    if (state->at < state->format->size && state->format->bytes[state->at] == '*') {
        state->at++;
        if (next_value(state, &value))
            return -1;
        if (!jinja_to_int64(value, &number) || number < 0 || number > PRECISION_MAX)
            return jinja_fail(state->heap, "'*' wants an integer up to %d", PRECISION_MAX);
        *count = (size_t)number;
        return 0;
    }
    return read_size(state->heap, state->format, &state->at, WIDTH_MAX, count);
}

static int read_flags(struct printf_state *state, struct jinja_format *format)
{
    char flag;

    while ((flag = take_one_of(state->format, &state->at, "-+ #0")) != '\0') {
        if (flag == '-') {
            format->align = '<';
            format->fill = 0;
        } else if (flag == '0' && !format->align) {
            format->align = '=';
            format->fill = '0';
        } else if (flag == '#') {
            format->is_alternate = true;
        } else if (flag == '+' || (flag == ' ' && !format->sign)) {
            format->sign = flag;
        }
    }
    if (read_count(state, &format->width))
        return -1;
    if (take_one_of(state->format, &state->at, ".")) {
        format->has_precision = true;
        if (read_count(state, &format->precision))
            return -1;
    }
    take_one_of(state->format, &state->at, "hlL");
    return 0;
}

/* %s and %r of anything. */
static int add_as_text(struct printf_state *state, struct jinja_value value,
                       struct jinja_format *format)
{
    struct buffer text = {0};
    struct jinja_value string;
    int rc = format->type == 's' ? jinja_add_str(state->heap, &text, value)
                                 : jinja_add_repr(state->heap, &text, value);
    bool is_marked = format->type == 's' && value.kind == JINJA_STRING && value.string->is_safe;

    if (rc) {
        buffer_release(&text);
        return -1;
    }
    if (jinja_take_buffer(state->heap, &text, &string))
        return -1;
    if (state->is_safe && !is_marked && jinja_escape(state->heap, string, &string))
        return -1;
    if (!format->align || format->align == '=')
        format->align = '>';
    format->fill = 0;
    return add_text(state->heap, &state->out, string.string, format);
}

static int add_as_number(struct printf_state *state, struct jinja_value value,
                         struct jinja_format *format)
{
    struct jinja_value number = value;

    if (value.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(state->heap, value);
    if (!jinja_is_number(value))
        return jinja_fail(state->heap, "%%%c format: a number is required, not %s", format->type,
                          jinja_type_name(value));
    if (strchr("dxXo", format->type)) {
        if (value.kind == JINJA_FLOAT && format->type != 'd')
            return jinja_fail(state->heap, "%%%c format: an integer is required, not float",
                              format->type);
        if (value.kind == JINJA_FLOAT && jinja_truncate(state->heap, value.number, &number))
            return -1;
    } else {
        number = jinja_float(jinja_to_double(value));
    }
    return jinja_add_formatted(state->heap, &state->out, number, format);
}

static int add_as_character(struct printf_state *state, struct jinja_value value,
                            struct jinja_format *format)
{
    int64_t code;

    if (!format->align)
        format->align = '>';
    format->has_precision = false;
    if (value.kind == JINJA_STRING && jinja_string_chars(value.string) == 1)
        return add_text(state->heap, &state->out, value.string, format);
    if (!jinja_to_int64(value, &code))
        return jinja_fail(state->heap, "%%c requires int or char");
    return add_character(state->heap, &state->out, code, format);
}

static int add_conversion(struct printf_state *state)
{
    struct jinja_format format = {0};
    struct jinja_value value;
    int has_value = named_value(state, &value);

    if (has_value < 0 || read_flags(state, &format))
        return -1;
    if (take_one_of(state->format, &state->at, "%")) {
        buffer_add_char(&state->out, '%');
        return 0;
    }
    format.type = take_one_of(state->format, &state->at, "sradiuoxXeEfFgGc");
    if (!format.type)
        return jinja_fail(state->heap, "unsupported format character, or none, behind '%%'");
    if (!has_value && next_value(state, &value))
        return -1;
    if (format.type == 'i' || format.type == 'u')
        format.type = 'd';
    if (format.type == 'a')
        return jinja_unsupported(state->heap, "the format '%%a' is not supported");
    if (format.type == 's' || format.type == 'r')
        return add_as_text(state, value, &format);
    return format.type == 'c' ? add_as_character(state, value, &format)
                              : add_as_number(state, value, &format);
}

/* What Python takes for a mapping here, which need not be used: all that has indices. */
static bool is_mapping(struct jinja_value value)
{
    return value.kind == JINJA_DICT || value.kind == JINJA_LIST || value.kind == JINJA_RANGE ||
           value.kind == JINJA_UNDEFINED;
}

static int print_all(struct printf_state *state)
{
    const struct jinja_string *format = state->format;

    buffer_add(&state->out, "", 0);
    while (state->at < format->size) {
        const char *start = format->bytes + state->at;
        const char *mark = memchr(start, '%', format->size - state->at);
        size_t n = mark ? (size_t)(mark - start) : format->size - state->at;

        buffer_add(&state->out, start, n);
        state->at += n + (mark != NULL);
        if (mark && add_conversion(state))
            return -1;
    }
    if (state->values.kind == JINJA_TUPLE ? state->n_used < state->values.list->n_items
                                          : state->n_used == 0 && !is_mapping(state->values))
        return jinja_fail(state->heap, "not all arguments converted during string formatting");
    return 0;
}

int jinja_printf(struct jinja_heap *heap, const struct jinja_string *format,
                 struct jinja_value values, struct jinja_value *out)
{
    struct printf_state state = {.heap = heap, .format = format, .values = values,
                                 .is_safe = format->is_safe};

    if (print_all(&state)) {
        buffer_release(&state.out);
        return -1;
    }
    if (jinja_take_buffer(heap, &state.out, out))
        return -1;
    out->string->is_safe = state.is_safe;
    return 0;
}
