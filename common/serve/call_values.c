#include "call_values.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_reader.h"
#include "base/memory.h"

const char *call_skip_blank(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n", *at))
        at++;
    return at;
}

const char *call_find(const char *at, const char *end, const char *mark)
{
    return at < end ? memmem(at, (size_t)(end - at), mark, strlen(mark)) : NULL;
}

char *call_copy(const char *at, const char *end)
{
    at = call_skip_blank(at, end);
    while (end > at && strchr(" \t\r\n", end[-1]))
        end--;
    return memory_format("%.*s", (int)(end - at), at);
}

/* ---- JSON ---- */

static bool is_object(const char *text)
{
    struct json_reader json;
    struct error error = {0};
    bool answer;

    json_reader_init(&json, text, strlen(text));
    answer = json_reader_peek(&json) == JSON_OBJECT && json_reader_skip(&json, &error) == 0 &&
             json_reader_finish(&json, &error) == 0;
    json_reader_release(&json);
    return answer;
}

void call_add(struct tool_calls *calls, char *name, char *arguments)
{
    calls->calls = memory_resize(calls->calls, calls->n_calls + 1, sizeof *calls->calls);
    calls->calls[calls->n_calls++] =
        (struct tool_call){.name = name, .arguments = arguments, .is_object = is_object(arguments)};
}

static char *slice(const struct json_reader *json, size_t start)
{
    return memory_format("%.*s", (int)(json->position - start), json->text + start);
}

/* A value as text: what a string holds, else its JSON. */
static char *read_text(struct json_reader *json, struct error *error)
{
    struct json_text text;
    size_t start;

    if (json_reader_peek(json) == JSON_STRING)
        return json_reader_string(json, &text, error) ? NULL : memory_copy(text.bytes);
    start = json->position;
    return json_reader_skip(json, error) ? NULL : slice(json, start);
}

/* {"name": "f", "arguments": {…}}, whatever the family calls the two, also within "function". */
static bool read_call(struct json_reader *json, bool needs_arguments, struct tool_calls *calls)
{
    static const char *const names[] = {"name", "tool_name", NULL};
    static const char *const arguments_names[] = {"arguments", "parameters", NULL};
    char *name = NULL, *arguments = NULL;
    struct error error = {0};
    struct json_text key;
    bool has_inner = false;
    int more;

    if (json_reader_peek(json) != JSON_OBJECT || json_reader_object(json, &error))
        return false;
    while ((more = json_reader_member(json, &key, &error)) > 0) {
        char **out = NULL;

        for (size_t i = 0; names[i]; i++)
            if (json_text_is(key, names[i]))
                out = &name;
        for (size_t i = 0; arguments_names[i]; i++)
            if (json_text_is(key, arguments_names[i]))
                out = &arguments;
        if (json_text_is(key, "function") && json_reader_peek(json) == JSON_OBJECT) {
            has_inner = read_call(json, needs_arguments, calls);
        } else if (out) {
            free(*out);
            *out = read_text(json, &error);
        } else {
            json_reader_skip(json, &error);
        }
        if (error.code)
            break;
    }
    if (more == 0 && !has_inner && name && *name && (arguments || !needs_arguments)) {
        call_add(calls, name, arguments ? arguments : memory_copy("{}"));
        return true;
    }
    free(name);
    free(arguments);
    return more == 0 && has_inner;
}

size_t call_read_json(const char *text, size_t n, bool needs_arguments, struct tool_calls *calls)
{
    struct json_reader json;
    struct error error = {0};
    size_t n_before = calls->n_calls, end;
    bool is_good = true;
    int more = 0;

    json_reader_init(&json, text, n);
    if (json_reader_peek(&json) != JSON_ARRAY) {
        is_good = read_call(&json, needs_arguments, calls);
    } else if (json_reader_array(&json, &error) == 0) {
        while (is_good && (more = json_reader_item(&json, &error)) > 0)
            is_good = read_call(&json, needs_arguments, calls);
        is_good &= more == 0;
    }
    end = json.position;
    json_reader_release(&json);
    return is_good && calls->n_calls > n_before ? end : 0;
}

/* {"f": {"a": 1}} */
static bool read_member_call(struct json_reader *json, struct tool_calls *calls)
{
    struct error error = {0};
    struct json_text key;
    char *name, *arguments;

    if (json_reader_peek(json) != JSON_OBJECT || json_reader_object(json, &error) ||
        json_reader_member(json, &key, &error) <= 0)
        return false;
    name = memory_copy(key.bytes);
    arguments = read_text(json, &error);
    if (arguments && *name) {
        call_add(calls, name, arguments);
        return json_reader_member(json, &key, &error) == 0;
    }
    free(name);
    free(arguments);
    return false;
}

bool call_read_named(const char *at, const char *end, struct tool_calls *calls)
{
    struct json_reader json;
    struct error error = {0};
    size_t n_before = calls->n_calls;
    bool is_good = true;
    int more = -1;

    json_reader_init(&json, at, (size_t)(end - at));
    if (json_reader_peek(&json) == JSON_ARRAY && json_reader_array(&json, &error) == 0)
        while (is_good && (more = json_reader_item(&json, &error)) > 0)
            is_good = read_member_call(&json, calls);
    json_reader_release(&json);
    return is_good && more == 0 && calls->n_calls > n_before;
}

/* ---- arguments one by one ---- */

/* Where it is no JSON, a value is a string: all of it, but for the lines that the tags stand on. */
static void add_value(struct buffer *arguments, const char *name, const char *at, const char *end)
{
    char *value = call_copy(at, end);
    struct json_reader json;
    struct error error = {0};
    bool is_json;

    json_reader_init(&json, value, strlen(value));
    is_json = *value && json_reader_skip(&json, &error) == 0 &&
              json_reader_finish(&json, &error) == 0;
    json_reader_release(&json);
    buffer_add_text(arguments, arguments->size ? ", " : "{");
    json_add_string(arguments, name);
    buffer_add_text(arguments, ": ");
    if (is_json) {
        buffer_add_text(arguments, value);
    } else {
        bool has_lines = at < end && *at == '\n';

        at += has_lines;
        end -= has_lines && at < end && end[-1] == '\n';
        json_add_bytes(arguments, at, (size_t)(end - at));
    }
    free(value);
}

static char *read_tagged(const char *at, const char *end, const struct call_tags *tags)
{
    struct buffer arguments = {0};

    while ((at = call_find(at, end, tags->name_begin))) {
        const char *name = at + strlen(tags->name_begin);
        const char *name_end = call_find(name, end, tags->name_end), *value, *value_end;
        char *name_text;

        value = name_end ? call_find(name_end, end, tags->value_begin) : NULL;
        value_end = value ? call_find(value, end, tags->value_end) : NULL;
        if (!value_end)
            break;
        value += strlen(tags->value_begin);
        name_text = call_copy(name, name_end);
        add_value(&arguments, name_text, value, value_end);
        free(name_text);
        at = value_end;
    }
    buffer_add_text(&arguments, arguments.size ? "}" : "{}");
    return arguments.data;
}

void call_add_tagged(struct tool_calls *calls, char *name, const char *at, const char *end,
                     const struct call_tags *tags)
{
    call_add(calls, name, read_tagged(at, end, tags));
    calls->calls[calls->n_calls - 1].is_bare = true;
}
