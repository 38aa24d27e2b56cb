#include "tool_calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_reader.h"
#include "base/memory.h"

void tool_calls_release(struct tool_calls *calls)
{
    for (size_t i = 0; i < calls->n_calls; i++) {
        free(calls->calls[i].name);
        free(calls->calls[i].arguments);
    }
    free(calls->calls);
    *calls = (struct tool_calls){0};
}

/* ---- JSON of the model ---- */

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

/* Takes both over. */
static void add(struct tool_calls *calls, char *name, char *arguments)
{
    calls->calls = memory_resize(calls->calls, calls->n_calls + 1, sizeof *calls->calls);
    calls->calls[calls->n_calls++] =
        (struct tool_call){name, arguments, is_object(arguments)};
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
static bool read_call(struct json_reader *json, struct tool_calls *calls)
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
            has_inner = read_call(json, calls);
        } else if (out) {
            free(*out);
            *out = read_text(json, &error);
        } else {
            json_reader_skip(json, &error);
        }
        if (error.code)
            break;
    }
    if (more == 0 && !has_inner && name && *name) {
        add(calls, name, arguments ? arguments : memory_copy("{}"));
        return true;
    }
    free(name);
    free(arguments);
    return more == 0 && has_inner;
}

/* One object or a list of them; the bytes that it takes, or 0. */
static size_t read_calls(const char *text, size_t n, struct tool_calls *calls)
{
    struct json_reader json;
    struct error error = {0};
    size_t n_before = calls->n_calls, end;
    bool is_good = true;
    int more = 0;

    json_reader_init(&json, text, n);
    if (json_reader_peek(&json) != JSON_ARRAY) {
        is_good = read_call(&json, calls);
    } else if (json_reader_array(&json, &error) == 0) {
        while (is_good && (more = json_reader_item(&json, &error)) > 0)
            is_good = read_call(&json, calls);
        is_good &= more == 0;
    }
    end = json.position;
    json_reader_release(&json);
    return is_good && calls->n_calls > n_before ? end : 0;
}

/* ---- the marks of the families ---- */

static const char *skip_blank(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n", *at))
        at++;
    return at;
}

static const char *find(const char *at, const char *end, const char *mark)
{
    return at < end ? memmem(at, (size_t)(end - at), mark, strlen(mark)) : NULL;
}

static char *copy_trimmed(const char *at, const char *end)
{
    at = skip_blank(at, end);
    while (end > at && strchr(" \t\r\n", end[-1]))
        end--;
    return memory_format("%.*s", (int)(end - at), at);
}

/* Where it is no JSON, a value is a string. */
static void add_value(struct buffer *arguments, const char *name, const char *value)
{
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
    if (is_json)
        buffer_add_text(arguments, value);
    else
        json_add_string(arguments, value);
}

struct tag_marks { /* of arguments one by one */
    const char *name_begin, *name_end, *value_begin, *value_end;
};

/* at: behind the name of the function. */
static char *read_tagged(const char *at, const char *end, const struct tag_marks *marks)
{
    struct buffer arguments = {0};

    while ((at = find(at, end, marks->name_begin))) {
        const char *name = at + strlen(marks->name_begin);
        const char *name_end = find(name, end, marks->name_end), *value, *value_end;
        char *name_text, *value_text;

        value = name_end ? find(name_end, end, marks->value_begin) : NULL;
        value_end = value ? find(value, end, marks->value_end) : NULL;
        if (!value_end)
            break;
        value += strlen(marks->value_begin);
        name_text = copy_trimmed(name, name_end);
        value_text = copy_trimmed(value, value_end);
        add_value(&arguments, name_text, value_text);
        free(name_text);
        free(value_text);
        at = value_end;
    }
    buffer_add_text(&arguments, arguments.size ? "}" : "{}");
    return arguments.data;
}

/* What stands within one block: JSON, <function=f>…, or f and its <arg_key>s. */
static bool read_block(const char *at, const char *end, struct tool_calls *calls)
{
    static const struct tag_marks parameters = {"<parameter=", ">", ">", "</parameter>"};
    static const struct tag_marks keys = {"<arg_key>", "</arg_key>", "<arg_value>",
                                          "</arg_value>"};
    const char *name, *name_end;

    at = skip_blank(at, end);
    if (at < end && (*at == '{' || *at == '['))
        return read_calls(at, (size_t)(end - at), calls) > 0;
    if (end - at > 10 && memcmp(at, "<function=", 10) == 0) {
        name = at + 10;
        name_end = find(name, end, ">");
        if (!name_end)
            return false;
        add(calls, copy_trimmed(name, name_end), read_tagged(name_end, end, &parameters));
        return true;
    }
    name_end = find(at, end, "<arg_key>");
    if (!name_end)
        return false;
    add(calls, copy_trimmed(at, name_end), read_tagged(name_end, end, &keys));
    return true;
}

static const struct block_marks {
    const char *begin, *end;
} blocks[] = {
    {"<tool_call>", "</tool_call>"},
    {"<seed:tool_call>", "</seed:tool_call>"},
    {"<TOOLCALL>", "</TOOLCALL>"},
    {"<tool_calls>", "</tool_calls>"},
    {"[TOOL_CALLS]", NULL},
};

/* All blocks of this family; where the first begins, or NULL. A block that is none leaves all as it
 * was. */
static const char *read_blocks(const struct block_marks *marks, const char *text, const char *end,
                               struct tool_calls *calls)
{
    const char *first = find(text, end, marks->begin), *at = first;

    while (at) {
        const char *inner = at + strlen(marks->begin);
        const char *close = marks->end ? find(inner, end, marks->end) : end;

        if (!close)
            close = end;
        if (!read_block(inner, close, calls)) {
            tool_calls_release(calls);
            return NULL;
        }
        at = find(close, end, marks->begin);
    }
    return first;
}

/* Llama's: the whole text is a call. */
static const char *read_whole(const char *text, const char *end, struct tool_calls *calls)
{
    const char *at = skip_blank(text, end);
    size_t n;

    if (at == end || *at != '{')
        return NULL;
    n = read_calls(at, (size_t)(end - at), calls);
    if (n && skip_blank(at + n, end) == end)
        return text;
    tool_calls_release(calls);
    return NULL;
}

void tool_calls_find(struct buffer *text, struct tool_calls *calls)
{
    const char *start = text->data, *end = start ? start + text->size : NULL, *first = NULL;
    size_t n;

    if (!text->size)
        return;
    for (size_t i = 0; !first && i < sizeof blocks / sizeof *blocks; i++)
        first = read_blocks(&blocks[i], start, end, calls);
    if (!first)
        first = read_whole(start, end, calls);
    if (!first)
        return;
    n = (size_t)(first - start);
    while (n && strchr(" \t\r\n", start[n - 1]))
        n--;
    buffer_splice(text, n, text->size - n, "");
}
