#include "json_reader.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

void json_reader_init(struct json_reader *reader, const char *text, size_t size)
{
    *reader = (struct json_reader){.text = text, .size = size};
}

void json_reader_release(struct json_reader *reader)
{
    buffer_release(&reader->scratch);
    *reader = (struct json_reader){0};
}

bool json_text_is(struct json_text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.bytes, word, text.length) == 0;
}

static int fail(const struct json_reader *reader, struct error *err, const char *what)
{
    if (reader->size == 0)
        return error_set(err, ERROR_FORMAT, "is empty");
    return error_set(err, ERROR_FORMAT, "at byte %zu: %s", reader->position,
                     reader->position >= reader->size ? "not valid JSON: it ends too early"
                                                      : what);
}

/* The next byte that is not white space, or 0 at the end. */
static char next_byte(struct json_reader *reader)
{
    while (reader->position < reader->size) {
        char c = reader->text[reader->position];

        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return c;
        reader->position++;
    }
    return '\0';
}

enum json_kind json_reader_peek(struct json_reader *reader)
{
    char c = next_byte(reader);

    switch (c) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't':
    case 'f': return JSON_BOOL;
    case 'n': return JSON_NULL;
    case 'N':
    case 'I': return reader->takes_constants ? JSON_NUMBER : JSON_NONE;
    default: return c == '-' || (c >= '0' && c <= '9') ? JSON_NUMBER : JSON_NONE;
    }
}

static int enter(struct json_reader *reader, char opener, char closer, const char *expected,
                 struct error *err)
{
    if (next_byte(reader) != opener)
        return fail(reader, err, expected);
    if (reader->depth == JSON_DEPTH_MAX)
        return error_set(err, ERROR_FORMAT, "at byte %zu: JSON nested too deep (more than %d)",
                         reader->position, JSON_DEPTH_MAX);
    reader->position++;
    reader->depth++;
    reader->is_first[reader->depth] = true;
    reader->closer[reader->depth] = closer;
    return 0;
}

int json_reader_object(struct json_reader *reader, struct error *err)
{
    return enter(reader, '{', '}', "not an object", err);
}

int json_reader_array(struct json_reader *reader, struct error *err)
{
    return enter(reader, '[', ']', "not a list", err);
}

/* 1: another element follows; 0: the container was closed. */
static int next_element(struct json_reader *reader, struct error *err)
{
    bool is_first = reader->is_first[reader->depth];
    char c = next_byte(reader);

    reader->is_first[reader->depth] = false;
    if (c == reader->closer[reader->depth]) {
        reader->position++;
        reader->depth--;
        return 0;
    }
    if (is_first)
        return 1;
    if (c != ',')
        return fail(reader, err, "not valid JSON: ',' or the end of the list was expected");
    reader->position++;
    return 1;
}

int json_reader_item(struct json_reader *reader, struct error *err)
{
    return next_element(reader, err);
}

static int read_hex4(struct json_reader *reader, uint32_t *value, struct error *err)
{
    *value = 0;
    for (int i = 0; i < 4; i++, reader->position++) {
        char c = reader->position < reader->size ? reader->text[reader->position] : '\0';
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

        if (digit < 0)
            return fail(reader, err, "not valid JSON: four hexadecimal digits were expected");
        *value = *value << 4 | (uint32_t)digit;
    }
    return 0;
}

static int read_unicode_escape(struct json_reader *reader, struct error *err)
{
    uint32_t high, low;

    if (read_hex4(reader, &high, err))
        return -1;
    if (high >= 0xd800 && high < 0xdc00 && reader->size - reader->position >= 6 &&
        memcmp(reader->text + reader->position, "\\u", 2) == 0) {
        reader->position += 2;
        if (read_hex4(reader, &low, err))
            return -1;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(reader, err, "not valid JSON: a lone surrogate in a string");
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    } else if (high >= 0xd800 && high < 0xe000) {
        return fail(reader, err, "not valid JSON: a lone surrogate in a string");
    }
    reader->has_nul |= high == 0;
    utf8_add(&reader->scratch, high);
    return 0;
}

static int read_escape(struct json_reader *reader, struct error *err)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = reader->position < reader->size ? reader->text[reader->position] : '\0';
    const char *found = c ? strchr(from, c) : NULL;

    if (c == 'u') {
        reader->position++;
        return read_unicode_escape(reader, err);
    }
    if (!found)
        return fail(reader, err, "not valid JSON: unknown escape in a string");
    buffer_add_char(&reader->scratch, to[found - from]);
    reader->position++;
    return 0;
}

int json_reader_string(struct json_reader *reader, struct json_text *value, struct error *err)
{
    const unsigned char *bytes = (const unsigned char *)reader->text;

    if (next_byte(reader) != '"')
        return fail(reader, err, "not a string");
    reader->position++;
    buffer_clear(&reader->scratch);
    for (;;) {
        size_t start = reader->position;

        while (reader->position < reader->size) {
            unsigned char c = bytes[reader->position];
            size_t length = 1;

            if (c < 0x20 || c == '"' || c == '\\')
                break;
            if (c >= 0x80)
                length = utf8_sequence(bytes + reader->position, reader->size - reader->position);
            if (length == 0)
                return fail(reader, err, "invalid UTF-8 in a string");
            reader->position += length;
        }
        buffer_add(&reader->scratch, reader->text + start, reader->position - start);
        if (reader->position >= reader->size || bytes[reader->position] < 0x20)
            return fail(reader, err, "not valid JSON: a control character in a string");
        if (bytes[reader->position++] == '"')
            break;
        if (read_escape(reader, err))
            return -1;
    }
    *value = (struct json_text){reader->scratch.data, reader->scratch.size};
    return 0;
}

int json_reader_member(struct json_reader *reader, struct json_text *key, struct error *err)
{
    int more = next_element(reader, err);

    if (more <= 0)
        return more;
    if (next_byte(reader) != '"')
        return fail(reader, err, "not valid JSON: a name was expected");
    if (json_reader_string(reader, key, err))
        return -1;
    if (next_byte(reader) != ':')
        return fail(reader, err, "not valid JSON: ':' was expected");
    reader->position++;
    return 1;
}

/* Steps behind a number that Python has a word for; false when there is none. */
static bool scan_constant(struct json_reader *reader, double *value)
{
    static const struct {
        const char *word;
        double value;
    } constants[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};

    if (!reader->takes_constants)
        return false;
    next_byte(reader);
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        size_t length = strlen(constants[i].word);

        if (reader->size - reader->position < length ||
            memcmp(reader->text + reader->position, constants[i].word, length) != 0)
            continue;
        reader->position += length;
        *value = constants[i].value;
        return true;
    }
    return false;
}

/* Checks the grammar of RFC 8259 section 6 and steps behind the number. */
static int scan_number(struct json_reader *reader, struct error *err)
{
    const char *text = reader->text;
    size_t *at = &reader->position, digits;

#define IS_DIGIT (*at < reader->size && text[*at] >= '0' && text[*at] <= '9')
    if (next_byte(reader) == '-')
        ++*at;
    if (*at < reader->size && text[*at] == '0') {
        ++*at;
    } else {
        for (digits = 0; IS_DIGIT; digits++)
            ++*at;
        if (digits == 0)
            return fail(reader, err, "not a number");
    }
    if (*at < reader->size && text[*at] == '.') {
        ++*at;
        for (digits = 0; IS_DIGIT; digits++)
            ++*at;
        if (digits == 0)
            return fail(reader, err, "not valid JSON: digits were expected behind the point");
    }
    if (*at < reader->size && (text[*at] == 'e' || text[*at] == 'E')) {
        ++*at;
        if (*at < reader->size && (text[*at] == '+' || text[*at] == '-'))
            ++*at;
        for (digits = 0; IS_DIGIT; digits++)
            ++*at;
        if (digits == 0)
            return fail(reader, err, "not valid JSON: digits were expected in the exponent");
    }
#undef IS_DIGIT
    return 0;
}

int json_reader_number(struct json_reader *reader, double *value, struct error *err)
{
    char digits[64];
    size_t start, length;

    if (scan_constant(reader, value))
        return 0;
    next_byte(reader);
    start = reader->position;
    if (scan_number(reader, err))
        return -1;
    length = reader->position - start;
    if (length >= sizeof digits)
        return error_set(err, ERROR_FORMAT, "at byte %zu: a number of %zu characters", start,
                         length);
    memcpy(digits, reader->text + start, length);
    digits[length] = '\0';
    *value = strtod(digits, NULL);
    return 0;
}

int json_reader_size(struct json_reader *reader, size_t *value, struct error *err)
{
    size_t start, number = 0;

    next_byte(reader);
    start = reader->position;
    if (scan_number(reader, err))
        return -1;
    if (reader->text[start] == '-')
        return error_set(err, ERROR_FORMAT, "at byte %zu: the number is negative", start);
    for (size_t i = start; i < reader->position; i++) {
        char c = reader->text[i];

        if (c < '0' || c > '9')
            return error_set(err, ERROR_FORMAT, "at byte %zu: not a whole number", start);
        if (__builtin_mul_overflow(number, (size_t)10, &number) ||
            __builtin_add_overflow(number, (size_t)(c - '0'), &number))
            return error_set(err, ERROR_FORMAT, "at byte %zu: a number too large for 64 bits",
                             start);
    }
    *value = number;
    return 0;
}

static int read_word(struct json_reader *reader, const char *word, struct error *err)
{
    size_t length = strlen(word);

    next_byte(reader);
    if (reader->size - reader->position < length ||
        memcmp(reader->text + reader->position, word, length) != 0)
        return fail(reader, err, "not valid JSON: a value was expected");
    reader->position += length;
    return 0;
}

int json_reader_bool(struct json_reader *reader, bool *value, struct error *err)
{
    *value = next_byte(reader) == 't';
    return read_word(reader, *value ? "true" : "false", err);
}

int json_reader_skip(struct json_reader *reader, struct error *err)
{
    struct json_text ignored;
    double constant;
    int more;

    switch (json_reader_peek(reader)) {
    case JSON_OBJECT:
        if (json_reader_object(reader, err))
            return -1;
        while ((more = json_reader_member(reader, &ignored, err)) > 0)
            if (json_reader_skip(reader, err))
                return -1;
        return more;
    case JSON_ARRAY:
        if (json_reader_array(reader, err))
            return -1;
        while ((more = json_reader_item(reader, err)) > 0)
            if (json_reader_skip(reader, err))
                return -1;
        return more;
    case JSON_STRING: return json_reader_string(reader, &ignored, err);
    case JSON_NUMBER: return scan_constant(reader, &constant) ? 0 : scan_number(reader, err);
    case JSON_NULL: return read_word(reader, "null", err);
    default: return read_word(reader, next_byte(reader) == 't' ? "true" : "false", err);
    }
}

int json_reader_finish(struct json_reader *reader, struct error *err)
{
    if (next_byte(reader) || reader->position < reader->size)
        return fail(reader, err, "something after the JSON value");
    return 0;
}
