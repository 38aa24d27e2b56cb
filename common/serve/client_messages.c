#include "client_messages.h"

#include <string.h>

#include "base/json.h"
#include "base/json_reader.h"
#include "serve/members.h"

enum { MESSAGES_MAX = 1000 };

struct preparing {
    struct json_reader json;
    const struct client_messages_how *how;
    struct buffer *out;
    struct refusal *refusal;
};

static int fail(struct preparing *preparing, const char *what)
{
    return refusal_set(preparing->refusal, 400, NULL, "messages", "%s", what);
}

static int refuse(struct preparing *preparing, const struct error *error)
{
    return refusal_set(preparing->refusal, 400, NULL, "messages", "'messages': %s", error->text);
}

/* As it stands. */
static int copy_value(struct preparing *preparing)
{
    struct json_reader *json = &preparing->json;
    struct error error = {0};
    size_t start;

    json_reader_peek(json);
    start = json->position;
    if (json_reader_skip(json, &error))
        return refuse(preparing, &error);
    buffer_add(preparing->out, json->text + start, json->position - start);
    return 0;
}

/* An object, whose members f copies: it is given the name, and has written nothing of it yet. */
typedef int member_function(struct preparing *preparing, const char *name);

static int copy_object(struct preparing *preparing, member_function *f)
{
    struct json_reader *json = &preparing->json;
    struct error error = {0};
    struct buffer name = {0};
    struct json_text key;
    int more, rc = 0;

    if (json_reader_peek(json) != JSON_OBJECT)
        return copy_value(preparing);
    if (json_reader_object(json, &error))
        return refuse(preparing, &error);
    buffer_add_char(preparing->out, '{');
    for (bool is_first = true; rc == 0; is_first = false) {
        more = json_reader_member(json, &key, &error);
        if (more <= 0) {
            rc = more < 0 ? refuse(preparing, &error) : 0;
            break;
        }
        buffer_clear(&name);
        buffer_add(&name, key.bytes, key.length);
        if (!is_first)
            buffer_add_char(preparing->out, ',');
        json_add_bytes(preparing->out, name.data ? name.data : "", name.size);
        buffer_add_char(preparing->out, ':');
        rc = f(preparing, name.data ? name.data : "");
    }
    buffer_add_char(preparing->out, '}');
    buffer_release(&name);
    return rc;
}

typedef int item_function(struct preparing *preparing);

static int copy_list(struct preparing *preparing, item_function *f)
{
    struct json_reader *json = &preparing->json;
    struct error error = {0};
    int more;

    if (json_reader_peek(json) != JSON_ARRAY)
        return copy_value(preparing);
    if (json_reader_array(json, &error))
        return refuse(preparing, &error);
    buffer_add_char(preparing->out, '[');
    for (bool is_first = true; (more = json_reader_item(json, &error)) > 0; is_first = false) {
        if (!is_first)
            buffer_add_char(preparing->out, ',');
        if (f(preparing))
            return -1;
    }
    buffer_add_char(preparing->out, ']');
    return more < 0 ? refuse(preparing, &error) : 0;
}

/* ---- tool calls ---- */

/* Text that is the JSON of an object, as that; other text as it is. */
static int copy_arguments(struct preparing *preparing)
{
    struct error error = {0};
    struct json_reader inner;
    struct json_text text;
    bool is_object;

    if (json_reader_peek(&preparing->json) != JSON_STRING)
        return copy_value(preparing);
    if (json_reader_string(&preparing->json, &text, &error))
        return refuse(preparing, &error);
    json_reader_init(&inner, text.bytes, text.length);
    is_object = json_reader_peek(&inner) == JSON_OBJECT &&
                json_reader_skip(&inner, &error) == 0 && json_reader_finish(&inner, &error) == 0;
    json_reader_release(&inner);
    if (is_object)
        buffer_add(preparing->out, text.bytes, text.length);
    else
        json_add_bytes(preparing->out, text.bytes, text.length);
    return 0;
}

static int copy_function_member(struct preparing *preparing, const char *name)
{
    return strcmp(name, "arguments") == 0 ? copy_arguments(preparing) : copy_value(preparing);
}

static int copy_call_member(struct preparing *preparing, const char *name)
{
    return strcmp(name, "function") == 0 ? copy_object(preparing, copy_function_member)
                                         : copy_value(preparing);
}

static int copy_call(struct preparing *preparing)
{
    return copy_object(preparing, copy_call_member);
}

/* ---- content ---- */

/* {"type": "text", "text": "…"}: its text to `joined`. */
static int read_part(struct preparing *preparing, struct buffer *joined)
{
    struct json_reader *json = &preparing->json;
    struct error error = {0};
    struct json_text key, text;
    bool has_text = false, is_text = true;
    int more;

    if (json_reader_peek(json) != JSON_OBJECT || json_reader_object(json, &error))
        return fail(preparing, "'messages': a part of the content is not an object");
    while ((more = json_reader_member(json, &key, &error)) > 0) {
        bool is_type = json_text_is(key, "type");

        if (json_reader_peek(json) == JSON_STRING && (is_type || json_text_is(key, "text"))) {
            if (json_reader_string(json, &text, &error))
                return refuse(preparing, &error);
            if (is_type) {
                is_text = json_text_is(text, "text");
            } else {
                buffer_add(joined, text.bytes, text.length);
                has_text = true;
            }
        } else {
            is_text &= !is_type;
            if (json_reader_skip(json, &error))
                return refuse(preparing, &error);
        }
    }
    if (more < 0)
        return refuse(preparing, &error);
    if (!has_text || !is_text)
        return fail(preparing, "'messages': content parts other than text are not supported");
    return 0;
}

/* One string of all parts, a line feed between them; or the list as it is, once it is known to hold
 * nothing but text. */
static int copy_parts(struct preparing *preparing)
{
    struct json_reader *json = &preparing->json;
    size_t start = json->position;
    struct buffer joined = {0};
    struct error error = {0};
    int more = 0, rc = json_reader_array(json, &error) ? refuse(preparing, &error) : 0;

    while (rc == 0 && (more = json_reader_item(json, &error)) > 0) {
        if (joined.size)
            buffer_add_char(&joined, '\n');
        rc = read_part(preparing, &joined);
    }
    if (rc == 0 && more < 0)
        rc = refuse(preparing, &error);
    if (rc == 0 && preparing->how->flattens_parts)
        json_add_bytes(preparing->out, joined.data ? joined.data : "", joined.size);
    else if (rc == 0)
        buffer_add(preparing->out, json->text + start, json->position - start);
    buffer_release(&joined);
    return rc;
}

static int copy_content(struct preparing *preparing)
{
    struct error error = {0};

    switch (json_reader_peek(&preparing->json)) {
    case JSON_ARRAY:
        return copy_parts(preparing);
    case JSON_NULL:
        if (!preparing->how->is_lenient)
            return copy_value(preparing);
        buffer_add_text(preparing->out, "\"\"");
        return json_reader_skip(&preparing->json, &error) ? refuse(preparing, &error) : 0;
    case JSON_STRING:
        return copy_value(preparing);
    default:
        return fail(preparing, "'messages': content must be a string, or a list of parts");
    }
}

static int copy_role(struct preparing *preparing)
{
    struct error error = {0};
    struct json_text text;

    if (json_reader_peek(&preparing->json) != JSON_STRING)
        return fail(preparing, "'messages': the role of a message must be a string");
    if (json_reader_string(&preparing->json, &text, &error))
        return refuse(preparing, &error);
    if (preparing->how->is_lenient && json_text_is(text, "developer"))
        buffer_add_text(preparing->out, "\"system\"");
    else
        json_add_bytes(preparing->out, text.bytes, text.length);
    return 0;
}

/* ollama's; a list of none is none. */
static int copy_images(struct preparing *preparing)
{
    size_t start = preparing->out->size;
    const char *value;

    if (copy_value(preparing))
        return -1;
    value = preparing->out->data + start;
    if (*value == 'n' || (*value == '[' && members_first_kind(value) == JSON_NONE))
        return 0;
    return fail(preparing, "'messages': images are not supported");
}

static int copy_message_member(struct preparing *preparing, const char *name)
{
    if (strcmp(name, "content") == 0)
        return copy_content(preparing);
    if (strcmp(name, "images") == 0)
        return copy_images(preparing);
    if (strcmp(name, "role") == 0)
        return copy_role(preparing);
    if (strcmp(name, "tool_calls") == 0 && !preparing->how->keeps_strings)
        return copy_list(preparing, copy_call);
    return copy_value(preparing);
}

static bool has_role(const char *text, size_t size)
{
    struct json_reader json;
    struct error error = {0};
    struct json_text key;
    bool found = false;

    json_reader_init(&json, text, size);
    if (json_reader_object(&json, &error) == 0)
        while (!found && json_reader_member(&json, &key, &error) > 0) {
            found = json_text_is(key, "role");
            if (!found && json_reader_skip(&json, &error))
                break;
        }
    json_reader_release(&json);
    return found;
}

static int copy_message(struct preparing *preparing)
{
    size_t start;

    if (json_reader_peek(&preparing->json) != JSON_OBJECT)
        return fail(preparing, "'messages': a message is not an object");
    start = preparing->json.position;
    if (!has_role(preparing->json.text + start, preparing->json.size - start))
        return fail(preparing, "'messages': a message has no role");
    return copy_object(preparing, copy_message_member);
}

static size_t count(const char *messages)
{
    struct json_reader json;
    struct error error = {0};
    size_t n = 0;

    json_reader_init(&json, messages, strlen(messages));
    if (json_reader_array(&json, &error) == 0)
        while (json_reader_item(&json, &error) > 0 && json_reader_skip(&json, &error) == 0)
            n++;
    json_reader_release(&json);
    return n;
}

int client_messages_prepare(const char *messages, const struct client_messages_how *how,
                          struct buffer *out, struct refusal *refusal)
{
    struct preparing preparing = {.how = how, .out = out, .refusal = refusal};
    size_t n = count(messages);
    int rc;

    if (n == 0)
        return fail(&preparing, "'messages' is empty");
    if (n > MESSAGES_MAX)
        return refusal_set(refusal, 400, NULL, "messages", "'messages' holds %zu messages; at most "
                           "%d are taken", n, MESSAGES_MAX);
    json_reader_init(&preparing.json, messages, strlen(messages));
    rc = copy_list(&preparing, copy_message);
    json_reader_release(&preparing.json);
    return rc;
}

bool client_messages_without_last(const char *messages, struct buffer *out)
{
    struct json_reader json;
    struct error error = {0};
    size_t n = 0, end = 0, last = 0;

    json_reader_init(&json, messages, strlen(messages));
    if (json_reader_array(&json, &error) == 0)
        while (json_reader_item(&json, &error) > 0) {
            last = end;
            if (json_reader_skip(&json, &error))
                break;
            end = json.position;
            n++;
        }
    json_reader_release(&json);
    if (n < 2)
        return false;
    buffer_add(out, messages, last);
    buffer_add_char(out, ']');
    return true;
}
