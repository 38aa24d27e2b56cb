/* call_python.c - calls as Python writes them, their arguments as JSON. */
#include "call_values.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "base/utf8.h"

enum { DEPTH_MAX = 100 };

struct reading {
    const char *at, *end;
    size_t depth;
};

static void skip_blank(struct reading *reading)
{
    reading->at = call_skip_blank(reading->at, reading->end);
}

static bool take(struct reading *reading, char c)
{
    skip_blank(reading);
    if (reading->at == reading->end || *reading->at != c)
        return false;
    reading->at++;
    return true;
}

static bool read_value(struct reading *reading, struct buffer *out);

/* ---- strings ---- */

/* n hexadecimal digits as a character. */
static bool read_code(struct reading *reading, size_t n, struct buffer *out)
{
    char digits[9] = {0}, *end;
    unsigned long code;

    if ((size_t)(reading->end - reading->at) < n)
        return false;
    memcpy(digits, reading->at, n);
    code = strtoul(digits, &end, 16);
    utf8_add(out, code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0xfffd : (uint32_t)code);
    reading->at += n;
    return end == digits + n && isxdigit((unsigned char)*digits);
}

/* What stands behind a backslash; an escape that Python does not have stays as it is. */
static bool read_escape(struct reading *reading, struct buffer *out)
{
    static const char names[] = "nrt\\'\"abfv0\n", meant[] = "\n\r\t\\'\"\a\b\f\v";
    char c = reading->at < reading->end ? *reading->at++ : '\0';
    const char *found = c ? strchr(names, c) : NULL;

    if (c == 'x' || c == 'u' || c == 'U')
        return read_code(reading, c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
    if (c == '\n')
        return true;
    if (!found) {
        buffer_add_char(out, '\\');
        if (c)
            buffer_add_char(out, c);
    } else {
        buffer_add_char(out, meant[found - names]);
    }
    return c != '\0';
}

static bool read_string(struct reading *reading, struct buffer *out)
{
    char quote = *reading->at++;
    struct buffer text = {0};
    bool is_good = true;

    while (is_good && reading->at < reading->end && *reading->at != quote) {
        char c = *reading->at++;

        if (c == '\\')
            is_good = read_escape(reading, &text);
        else
            buffer_add_char(&text, c);
    }
    is_good = is_good && reading->at < reading->end;
    if (is_good) {
        reading->at++;
        json_add_bytes(out, text.data ? text.data : "", text.size);
    }
    buffer_release(&text);
    return is_good;
}

/* ---- other values ---- */

static bool read_list(struct reading *reading, char close, struct buffer *out)
{
    reading->at++;
    buffer_add_char(out, '[');
    for (bool is_first = true; !take(reading, close); is_first = false) {
        if (!is_first && !take(reading, ','))
            return false;
        if (!is_first && take(reading, close))
            break;
        buffer_add_text(out, is_first ? "" : ", ");
        if (!read_value(reading, out))
            return false;
    }
    buffer_add_char(out, ']');
    return true;
}

static bool read_dict(struct reading *reading, struct buffer *out)
{
    reading->at++;
    buffer_add_char(out, '{');
    for (bool is_first = true; !take(reading, '}'); is_first = false) {
        if (!is_first && !take(reading, ','))
            return false;
        if (!is_first && take(reading, '}'))
            break;
        buffer_add_text(out, is_first ? "" : ", ");
        skip_blank(reading);
        if (reading->at == reading->end || !strchr("'\"", *reading->at) ||
            !read_string(reading, out) || !take(reading, ':'))
            return false;
        buffer_add_text(out, ": ");
        if (!read_value(reading, out))
            return false;
    }
    buffer_add_char(out, '}');
    return true;
}

/* A number, or one of Python's words. */
static bool read_word(struct reading *reading, struct buffer *out)
{
    static const struct {
        const char *word, *json;
    } words[] = {{"True", "true"}, {"False", "false"}, {"None", "null"},
                 {"true", "true"}, {"false", "false"}, {"null", "null"}};
    const char *start = reading->at;
    struct json_reader json;
    struct error error = {0};
    bool is_number;
    size_t n;

    while (reading->at < reading->end &&
           (isalnum((unsigned char)*reading->at) || strchr("+-._", *reading->at)))
        reading->at++;
    n = (size_t)(reading->at - start);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == n && memcmp(words[i].word, start, n) == 0) {
            buffer_add_text(out, words[i].json);
            return true;
        }
    json_reader_init(&json, start, n);
    is_number = n && json_reader_peek(&json) == JSON_NUMBER &&
                json_reader_skip(&json, &error) == 0 && json_reader_finish(&json, &error) == 0;
    json_reader_release(&json);
    if (is_number)
        buffer_add(out, start, n);
    return is_number;
}

static bool read_value(struct reading *reading, struct buffer *out)
{
    bool is_good;

    skip_blank(reading);
    if (reading->at == reading->end || reading->depth == DEPTH_MAX)
        return false;
    reading->depth++;
    switch (*reading->at) {
    case '\'':
    case '"':
        is_good = read_string(reading, out);
        break;
    case '[':
        is_good = read_list(reading, ']', out);
        break;
    case '(':
        is_good = read_list(reading, ')', out);
        break;
    case '{':
        is_good = read_dict(reading, out);
        break;
    default:
        is_good = read_word(reading, out);
    }
    reading->depth--;
    return is_good;
}

/* ---- calls ---- */

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-' || (c & 0x80);
}

/* Empty when there is none. */
static char *read_name(struct reading *reading)
{
    const char *start;

    skip_blank(reading);
    start = reading->at;
    while (reading->at < reading->end && is_name_char(*reading->at))
        reading->at++;
    return memory_format("%.*s", (int)(reading->at - start), start);
}

static bool read_arguments(struct reading *reading, struct buffer *out)
{
    buffer_add_char(out, '{');
    if (!take(reading, '('))
        return false;
    for (bool is_first = true; !take(reading, ')'); is_first = false) {
        char *name;
        bool is_good;

        if (!is_first && !take(reading, ','))
            return false;
        name = read_name(reading);
        is_good = *name && take(reading, '=');
        buffer_add_text(out, is_first ? "" : ", ");
        json_add_string(out, name);
        buffer_add_text(out, ": ");
        free(name);
        if (!is_good || !read_value(reading, out))
            return false;
    }
    buffer_add_char(out, '}');
    return true;
}

static bool read_call(struct reading *reading, struct tool_calls *calls)
{
    static const char ending[] = ".call";
    char *name = read_name(reading);
    size_t n = strlen(name);
    struct buffer arguments = {0};

    if (!n || !read_arguments(reading, &arguments)) {
        free(name);
        buffer_release(&arguments);
        return false;
    }
    if (n > strlen(ending) && strcmp(name + n - strlen(ending), ending) == 0)
        name[n - strlen(ending)] = '\0';
    call_add(calls, name, arguments.data);
    return true;
}

bool call_read_python(const char *at, const char *end, struct tool_calls *calls)
{
    struct reading reading = {.at = at, .end = end};
    size_t n_before = calls->n_calls;

    if (!take(&reading, '[')) {
        if (!read_call(&reading, calls))
            return false;
    } else {
        while (!take(&reading, ']'))
            if ((calls->n_calls > n_before && !take(&reading, ',')) ||
                !read_call(&reading, calls))
                return false;
    }
    skip_blank(&reading);
    return reading.at == reading.end && calls->n_calls > n_before;
}
