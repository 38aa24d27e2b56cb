#include "jinja_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "jinja/jinja_big.h"
#include "jinja/jinja_sort.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"

/* ---- writing ---- */

struct writer {
    struct jinja_heap *heap;
    struct buffer *out;
    const struct jinja_json_style *style;
    size_t level;
};

static int check_size(const struct writer *writer, size_t n)
{
    if (writer->out->size + n > JINJA_STRING_MAX)
        return jinja_fail(writer->heap, "a string of more than %d MB",
                          JINJA_STRING_MAX / 1000 / 1000);
    return jinja_spend(writer->heap, n / 64 + 1);
}

static void add_escaped(struct buffer *out, uint32_t code)
{
    if (code >= 0x10000)
        buffer_format(out, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                      0xdc00 + ((code - 0x10000) & 0x3ff));
    else
        buffer_format(out, "\\u%04x", code);
}

static int add_string(struct writer *writer, const struct jinja_string *string)
{
    static const char *const escapes[128] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n",
        ['\r'] = "\\r", ['\t'] = "\\t",
    };
    uint32_t code;

    if (check_size(writer, string->size))
        return -1;
    buffer_add_char(writer->out, '"');
    for (size_t at = 0, n; at < string->size; at += n) {
        n = jinja_decode(string->bytes, at, &code);
        if (code < 128 && escapes[code])
            buffer_add_text(writer->out, escapes[code]);
        else if (code < 0x20 || (code >= 0x7f && writer->style->ensure_ascii && code != 0x7f))
            add_escaped(writer->out, code);
        else
            buffer_add(writer->out, string->bytes + at, n);
        if (writer->out->size > JINJA_STRING_MAX)
            return check_size(writer, 0);
    }
    buffer_add_char(writer->out, '"');
    return 0;
}

static int add_number(struct writer *writer, struct jinja_value value)
{
    if (value.kind == JINJA_BOOL)
        buffer_add_text(writer->out, value.boolean ? "true" : "false");
    else if (value.kind != JINJA_FLOAT || isfinite(value.number))
        return jinja_add_repr(writer->heap, writer->out, value);
    else if (isnan(value.number))
        buffer_add_text(writer->out, "NaN");
    else
        buffer_add_text(writer->out, value.number < 0 ? "-Infinity" : "Infinity");
    return 0;
}

static int add_line(struct writer *writer)
{
    const struct jinja_string *indent = &writer->style->indent;

    if (!writer->style->has_indent)
        return 0;
    if (check_size(writer, writer->level * indent->size))
        return -1;
    buffer_add_char(writer->out, '\n');
    for (size_t i = 0; i < writer->level; i++)
        buffer_add(writer->out, indent->bytes, indent->size);
    return 0;
}

static int add_text(struct writer *writer, const struct jinja_string *text)
{
    if (check_size(writer, text->size))
        return -1;
    buffer_add(writer->out, text->bytes, text->size);
    return 0;
}

static int add_value(struct writer *writer, struct jinja_value value);

static int add_list(struct writer *writer, const struct jinja_list *list)
{
    if (list->n_items == 0) {
        buffer_add_text(writer->out, "[]");
        return 0;
    }
    buffer_add_char(writer->out, '[');
    writer->level++;
    for (size_t i = 0; i < list->n_items; i++)
        if ((i > 0 && add_text(writer, &writer->style->item)) || add_line(writer) ||
            add_value(writer, list->items[i]))
            return -1;
    writer->level--;
    if (add_line(writer))
        return -1;
    buffer_add_char(writer->out, ']');
    return 0;
}

static int add_key(struct writer *writer, struct jinja_value key)
{
    if (key.kind == JINJA_STRING)
        return add_string(writer, key.string);
    if (key.kind != JINJA_NONE && !jinja_is_number(key))
        return jinja_fail(writer->heap, "keys must be str, int, float, bool or None, not %s",
                          jinja_type_name(key));
    buffer_add_char(writer->out, '"');
    if (key.kind == JINJA_NONE)
        buffer_add_text(writer->out, "null");
    else if (add_number(writer, key))
        return -1;
    buffer_add_char(writer->out, '"');
    return 0;
}

static int compare_keys(struct jinja_heap *heap, const void *a, const void *b, int *order)
{
    const struct jinja_dict_entry *left = a, *right = b;
    bool is_ordered;

    *order = 0;
    return jinja_compare(heap, left->key, right->key, order, &is_ordered);
}

static int add_dict(struct writer *writer, const struct jinja_dict *dict)
{
    const struct jinja_dict_entry *entries = dict->entries;

    if (dict->n_entries == 0) {
        buffer_add_text(writer->out, "{}");
        return 0;
    }
    if (writer->style->sort_keys) {
        struct jinja_dict_entry *sorted = jinja_alloc(writer->heap, dict->n_entries,
                                                      sizeof *sorted);

        if (!sorted)
            return -1;
        memcpy(sorted, entries, dict->n_entries * sizeof *sorted);
        if (jinja_sort(writer->heap, sorted, dict->n_entries, sizeof *sorted, compare_keys))
            return -1;
        entries = sorted;
    }
    buffer_add_char(writer->out, '{');
    writer->level++;
    for (size_t i = 0; i < dict->n_entries; i++)
        if ((i > 0 && add_text(writer, &writer->style->item)) || add_line(writer) ||
            add_key(writer, entries[i].key) || add_text(writer, &writer->style->key) ||
            add_value(writer, entries[i].value))
            return -1;
    writer->level--;
    if (add_line(writer))
        return -1;
    buffer_add_char(writer->out, '}');
    return 0;
}

static int add_value(struct writer *writer, struct jinja_value value)
{
    int rc;

    if (check_size(writer, 8))
        return -1;
    switch (value.kind) {
    case JINJA_NONE: buffer_add_text(writer->out, "null"); return 0;
    case JINJA_BOOL: case JINJA_INT: case JINJA_BIG: case JINJA_FLOAT:
        return add_number(writer, value);
    case JINJA_STRING: return add_string(writer, value.string);
    case JINJA_LIST: case JINJA_TUPLE: case JINJA_DICT:
        if (jinja_enter(writer->heap))
            return -1;
        rc = value.kind == JINJA_DICT ? add_dict(writer, value.dict)
                                      : add_list(writer, value.list);
        jinja_leave(writer->heap);
        return rc;
    default:
        return jinja_fail(writer->heap, "Object of type %s is not JSON serializable",
                          jinja_type_name(value));
    }
}

int jinja_add_json(struct jinja_heap *heap, struct buffer *out, struct jinja_value value,
                   const struct jinja_json_style *style)
{
    struct writer writer = {.heap = heap, .out = out, .style = style};

    return add_value(&writer, value);
}

/* ---- reading ---- */

struct parser {
    struct jinja_heap *heap;
    struct json_reader reader;
};

static int read_value(struct parser *parser, struct jinja_value *out);

static int read_list(struct parser *parser, struct jinja_value *out)
{
    struct jinja_list_builder list = {0};
    struct jinja_value item;
    int more;

    if (json_reader_array(&parser->reader, parser->heap->err))
        return -1;
    while ((more = json_reader_item(&parser->reader, parser->heap->err)) > 0)
        if (read_value(parser, &item) || jinja_list_add(parser->heap, &list, item))
            return -1;
    return more < 0 ? -1 : jinja_list_finish(parser->heap, &list, JINJA_LIST, out);
}

static int read_dict(struct parser *parser, struct jinja_value *out)
{
    struct jinja_value key, item;
    struct json_text name;
    struct jinja_dict *dict;
    int more;

    if (json_reader_object(&parser->reader, parser->heap->err) ||
        jinja_dict_new(parser->heap, &dict))
        return -1;
    while ((more = json_reader_member(&parser->reader, &name, parser->heap->err)) > 0)
        if (jinja_string_copy(parser->heap, name.bytes, name.length, &key) ||
            read_value(parser, &item) || jinja_dict_set(parser->heap, dict, key, item))
            return -1;
    *out = (struct jinja_value){.kind = JINJA_DICT, .dict = dict};
    return more;
}

/* Without point and exponent it is an integer, of any size. */
static int read_number(struct parser *parser, struct jinja_value *out)
{
    struct json_reader *reader = &parser->reader;
    size_t start = reader->position, size;
    bool is_negative = reader->text[start] == '-';
    const char *text = reader->text + start;
    char *copy;

    if (json_reader_skip(reader, parser->heap->err))
        return -1;
    size = reader->position - start;
    if (strspn(text + is_negative, "0123456789") == size - is_negative)
        return jinja_big_parse(parser->heap, text + is_negative, size - is_negative, 10,
                               is_negative, out);
    copy = jinja_alloc(parser->heap, size + 1, 1); /* zeroed */
    if (!copy)
        return -1;
    memcpy(copy, text, size);
    *out = jinja_float(strtod(copy, NULL)); /* knows NaN and Infinity, too */
    return 0;
}

static int read_value(struct parser *parser, struct jinja_value *out)
{
    struct error *err = parser->heap->err;
    struct json_text text;

    switch (json_reader_peek(&parser->reader)) {
    case JSON_OBJECT: return read_dict(parser, out);
    case JSON_ARRAY: return read_list(parser, out);
    case JSON_NUMBER: return read_number(parser, out);
    case JSON_STRING:
        if (json_reader_string(&parser->reader, &text, err))
            return -1;
        return jinja_string_copy(parser->heap, text.bytes, text.length, out);
    case JSON_BOOL: {
        bool value;

        if (json_reader_bool(&parser->reader, &value, err))
            return -1;
        *out = jinja_bool(value);
        return 0;
    }
    default: /* null, or nothing: the reader says so */
        *out = jinja_none();
        return json_reader_skip(&parser->reader, err);
    }
}

int jinja_parse_json(struct jinja_heap *heap, const char *text, size_t size, const char *what,
                     struct jinja_value *out)
{
    struct parser parser = {.heap = heap};
    int rc;

    json_reader_init(&parser.reader, text, size);
    parser.reader.takes_constants = true;
    rc = read_value(&parser, out) || json_reader_finish(&parser.reader, heap->err) ? -1 : 0;
    json_reader_release(&parser.reader);
    if (rc)
        error_context(heap->err, "%s", what);
    return rc;
}
