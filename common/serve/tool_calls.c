#include "tool_calls.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/json.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "serve/call_values.h"

static void drop_calls(struct tool_calls *calls, size_t n_left)
{
    while (calls->n_calls > n_left) {
        struct tool_call *call = &calls->calls[--calls->n_calls];

        free(call->name);
        free(call->arguments);
        free(call->id);
    }
}

void tool_calls_release(struct tool_calls *calls)
{
    drop_calls(calls, 0);
    free(calls->calls);
    *calls = (struct tool_calls){0};
}

/* ---- what stands within the marks ---- */

static bool begins_with(const char *at, const char *end, const char *text)
{
    return (size_t)(end - at) >= strlen(text) && memcmp(at, text, strlen(text)) == 0;
}

static bool read_json(const char *at, const char *end, struct tool_calls *calls)
{
    at = call_skip_blank(at, end);
    return at < end && call_read_json(at, (size_t)(end - at), false, calls) > 0;
}

/* name>{"a": 1} or name> and its <parameter=…>s */
static bool read_function(const char *at, const char *end, struct tool_calls *calls)
{
    static const struct call_tags tags = {"<parameter=", ">", ">", "</parameter>"};
    const char *name_end = call_find(at, end, ">"), *rest;

    if (!name_end || name_end == at || memchr(at, '<', (size_t)(name_end - at)))
        return false;
    rest = call_skip_blank(name_end + 1, end);
    if (rest < end && *rest == '{')
        call_add(calls, call_copy(at, name_end), call_copy(rest, end));
    else
        call_add_tagged(calls, call_copy(at, name_end), name_end, end, &tags);
    return true;
}

static bool is_word(const char *text)
{
    return *text && !text[strcspn(text, " \t\r\n<")];
}

/* JSON, <function=f>…, or f and its <arg_key>s, which it may lack. */
static bool read_block(const char *at, const char *end, struct tool_calls *calls)
{
    static const struct call_tags tags = {"<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"};
    static const char function[] = "<function=";
    const char *name_end;
    char *name;

    at = call_skip_blank(at, end);
    if (at < end && (*at == '{' || *at == '['))
        return read_json(at, end, calls);
    if (begins_with(at, end, function))
        return read_function(at + strlen(function), end, calls);
    name_end = call_find(at, end, "<arg_key>");
    name_end = name_end ? name_end : end;
    name = call_copy(at, name_end);
    if (!is_word(name)) {
        free(name);
        return false;
    }
    call_add_tagged(calls, name, name_end, end, &tags);
    return true;
}

/* <invoke name="f"> with <parameter name="a">1</parameter>, one or several. */
static bool read_invokes(const char *at, const char *end, struct tool_calls *calls)
{
    static const struct call_tags tags = {"<parameter name=\"", "\"", ">", "</parameter>"};
    static const char begin[] = "<invoke name=\"";
    size_t n_before = calls->n_calls;

    while ((at = call_find(at, end, begin))) {
        const char *name = at + strlen(begin), *name_end = call_find(name, end, "\"");
        const char *close = call_find(name, end, "</invoke>");

        if (!name_end)
            return false;
        close = close ? close : end;
        call_add_tagged(calls, call_copy(name, name_end), name_end, close, &tags);
        at = close;
    }
    return calls->n_calls > n_before;
}

/* Nine letters or digits, as the templates of the family insist. */
static char *make_short_id(void)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char bytes[9] = {0};
    char id[10] = {0};

    if (getrandom(bytes, sizeof bytes, 0) < 0)
        memset(bytes, 0, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        id[i] = letters[bytes[i] % (sizeof letters - 1)];
    return memory_copy(id);
}

static bool is_short_id(const char *text)
{
    size_t n = 0;

    while (isalnum((unsigned char)text[n]))
        n++;
    return n == 9 && !text[n];
}

/* Mistral's: a list of objects; or f[ARGS]{"a": 1}, f[CALL_ID]id[ARGS]{"a": 1}. */
static bool read_mistral(const char *at, const char *end, struct tool_calls *calls)
{
    const char *arguments, *id, *name_end;
    size_t n_before = calls->n_calls;

    at = call_skip_blank(at, end);
    if (at < end && (*at == '[' || *at == '{')) {
        if (!read_json(at, end, calls))
            return false;
    } else {
        arguments = call_find(at, end, "[ARGS]");
        if (!arguments || arguments == at)
            return false;
        id = call_find(at, arguments, "[CALL_ID]");
        name_end = id ? id : arguments;
        call_add(calls, call_copy(at, name_end), call_copy(arguments + strlen("[ARGS]"), end));
        if (id)
            calls->calls[n_before].id = call_copy(id + strlen("[CALL_ID]"), arguments);
    }
    for (size_t i = n_before; i < calls->n_calls; i++) {
        struct tool_call *call = &calls->calls[i];

        if (!call->id || !is_short_id(call->id)) {
            free(call->id);
            call->id = make_short_id();
        }
    }
    return true;
}

#define BAR "\xef\xbd\x9c"
#define LOW "\xe2\x96\x81"
#define DEEPSEEK(words) "<" BAR words BAR ">"

/* ```json … ```; what stands between may hold fences, too. */
static char *copy_fenced(const char *at, const char *end)
{
    static const char fence[] = "```", language[] = "json";
    const char *begin = call_find(at, end, fence), *close = end, *next;

    if (!begin)
        return call_copy(at, end);
    begin += strlen(fence);
    if (begins_with(begin, end, language))
        begin += strlen(language);
    for (next = begin; (next = call_find(next, end, fence)); next += strlen(fence))
        close = next;
    return call_copy(begin, close);
}

/* function, the mark between, f and fenced JSON; or f, the mark, JSON. */
static bool read_deepseek(const char *at, const char *end, struct tool_calls *calls)
{
    static const char begin[] = DEEPSEEK("tool" LOW "call" LOW "begin");
    static const char between[] = DEEPSEEK("tool" LOW "sep");
    static const char close_mark[] = DEEPSEEK("tool" LOW "call" LOW "end");
    size_t n_before = calls->n_calls;

    while ((at = call_find(at, end, begin))) {
        const char *head = at + strlen(begin), *close = call_find(head, end, close_mark);
        const char *rest, *line;

        close = close ? close : end;
        rest = call_find(head, close, between);
        if (!rest)
            return false;
        line = rest + strlen(between);
        if (call_skip_blank(line, close) < close && *call_skip_blank(line, close) == '{') {
            call_add(calls, call_copy(head, rest), call_copy(line, close));
        } else {
            const char *line_end = call_find(line, close, "\n");

            line_end = line_end ? line_end : close;
            call_add(calls, call_copy(line, line_end), copy_fenced(line_end, close));
        }
        at = close;
    }
    return calls->n_calls > n_before;
}

/* A list; what is said directly is no call. */
static bool read_list(const char *at, const char *end, struct tool_calls *calls)
{
    size_t n_before = calls->n_calls, n_left = n_before;
    bool is_read = read_json(at, end, calls);

    for (size_t i = n_before; is_read && i < calls->n_calls; i++) {
        struct tool_call call = calls->calls[i];

        if (strcmp(call.name, "directly_answer") != 0 &&
            strcmp(call.name, "directly-answer") != 0) {
            calls->calls[i] = calls->calls[n_left];
            calls->calls[n_left++] = call;
        }
    }
    drop_calls(calls, n_left);
    return is_read && calls->n_calls > n_before;
}

static bool read_either(const char *at, const char *end, struct tool_calls *calls)
{
    return read_json(at, end, calls) || call_read_python(at, end, calls);
}

/* ---- the marks of the families ---- */

static const struct family {
    const char *begin, *end; /* NULL: up to the next */
    bool (*read)(const char *at, const char *end, struct tool_calls *calls);
} families[] = {
    {"<tool_call>", "</tool_call>", read_block},
    {"<seed:tool_call>", "</seed:tool_call>", read_block},
    {"<minimax:tool_call>", "</minimax:tool_call>", read_invokes},
    {"<TOOLCALL>", "</TOOLCALL>", read_block},
    {"<tool_calls>", "</tool_calls>", read_block},
    {"[TOOL_CALLS]", NULL, read_mistral},
    {DEEPSEEK("tool" LOW "calls" LOW "begin"), DEEPSEEK("tool" LOW "calls" LOW "end"),
     read_deepseek},
    {"<|START_ACTION|>", "<|END_ACTION|>", read_json},
    {"Action:\n```json", NULL, read_list},
    {"Action: ```json", NULL, read_list},
    {"<|tool_call_start|>", "<|tool_call_end|>", call_read_python},
    {"<|tools_prefix|>", "<|tools_suffix|>", call_read_named},
    {"<|python_start|>", "<|python_end|>", read_either},
    {"<|python_tag|>", NULL, read_either},
    {"<function=", "</function>", read_function},
};

enum { N_FAMILIES = sizeof families / sizeof *families };

/* All blocks of this family; where the first begins, or NULL. A block that is none leaves all as it
 * was. */
static const char *read_blocks(const struct family *family, const char *text, const char *end,
                               struct tool_calls *calls)
{
    const char *first = call_find(text, end, family->begin), *at = first;

    while (at) {
        const char *inner = at + strlen(family->begin);
        const char *close = call_find(inner, end, family->end ? family->end : family->begin);

        if (!close)
            close = end;
        if (!family->read(inner, close, calls)) {
            tool_calls_release(calls);
            return NULL;
        }
        at = call_find(close, end, family->begin);
    }
    return first;
}

/* Llama's: the whole text is a call. */
static const char *read_whole(const char *text, const char *end, struct tool_calls *calls)
{
    const char *at = call_skip_blank(text, end);
    size_t n;

    if (at == end || *at != '{')
        return NULL;
    n = call_read_json(at, (size_t)(end - at), true, calls);
    if (n && call_skip_blank(at + n, end) == end)
        return text;
    tool_calls_release(calls);
    return NULL;
}

/* Bytes before white space at the end of text[n]. */
static size_t trim(const char *text, size_t n)
{
    while (n && strchr(" \t\r\n", text[n - 1]))
        n--;
    return n;
}

void tool_calls_find(struct buffer *text, bool is_start, struct tool_calls *calls)
{
    const char *start = text->data, *end = start ? start + text->size : NULL, *first = NULL;
    size_t n;

    if (!text->size)
        return;
    for (size_t i = 0; !first && i < N_FAMILIES; i++)
        first = read_blocks(&families[i], start, end, calls);
    if (!first && is_start)
        first = read_whole(start, end, calls);
    if (!first)
        return;
    n = trim(start, (size_t)(first - start));
    buffer_splice(text, n, text->size - n, "");
}

/* The schema of an argument, as one of `tools` declares it; NULL: none does. */
static const cJSON *find_schema(const cJSON *tools, const char *name, const char *argument)
{
    const cJSON *tool;

    cJSON_ArrayForEach(tool, tools) {
        const cJSON *function = json_find(tool, "function");
        const char *declared = json_find_string(function ? function : tool, "name");

        if (declared && strcmp(declared, name) == 0)
            return json_find(json_find(json_find(function ? function : tool, "parameters"),
                                       "properties"), argument);
    }
    return NULL;
}

static void fit_arguments(struct tool_call *call, const cJSON *tools)
{
    struct json_reader json;
    struct error error = {0};
    struct buffer fitted = {0};
    struct json_text key;

    json_reader_init(&json, call->arguments, strlen(call->arguments));
    json_reader_object(&json, &error);
    while (json_reader_member(&json, &key, &error) > 0) {
        const char *type = json_find_string(find_schema(tools, call->name, key.bytes), "type");
        bool becomes_text = type && strcmp(type, "string") == 0 &&
                            json_reader_peek(&json) != JSON_STRING;
        size_t start;

        buffer_add_text(&fitted, fitted.size ? ", " : "{");
        json_add_bytes(&fitted, key.bytes, key.length);
        buffer_add_text(&fitted, ": ");
        json_reader_peek(&json);
        start = json.position;
        if (json_reader_skip(&json, &error))
            break;
        if (becomes_text)
            json_add_bytes(&fitted, json.text + start, json.position - start);
        else
            buffer_add(&fitted, json.text + start, json.position - start);
    }
    json_reader_release(&json);
    buffer_add_text(&fitted, fitted.size ? "}" : "{}");
    free(call->arguments);
    call->arguments = fitted.data;
}

void tool_calls_fit(struct tool_calls *calls, const char *tools)
{
    struct error error = {0};
    cJSON *parsed = calls->n_calls ? json_parse(tools, strlen(tools), &error) : NULL;

    for (size_t i = 0; parsed && i < calls->n_calls; i++)
        if (calls->calls[i].is_bare)
            fit_arguments(&calls->calls[i], parsed);
    cJSON_Delete(parsed);
}

/* Where `mark` begins in text[n], also when it is cut by the end; else n. */
static size_t find_mark(const char *text, size_t n, const char *mark)
{
    size_t length = strlen(mark), held = length - 1 < n ? length - 1 : n;
    const char *found = memmem(text, n, mark, length);

    if (found)
        return (size_t)(found - text);
    while (held && memcmp(text + n - held, mark, held) != 0)
        held--;
    return n - held;
}

size_t tool_calls_count_before(const struct buffer *text, bool is_start)
{
    size_t n = text->size, at;

    if (!n)
        return 0;
    at = (size_t)(call_skip_blank(text->data, text->data + n) - text->data);
    if (is_start && (at == n || text->data[at] == '{'))
        return 0;
    for (size_t i = 0; i < N_FAMILIES; i++) {
        at = find_mark(text->data, n, families[i].begin);
        n = at < n ? at : n;
    }
    return trim(text->data, n);
}
