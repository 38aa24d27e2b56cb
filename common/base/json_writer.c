#include "json_writer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/digits.h"
#include "base/json.h"

enum { DEPTH_MAX = 63 };

static bool is_in_object(const struct json_writer *json)
{
    return json->objects >> json->depth & 1;
}

/* A new line, where those of this level have some. Returns whether there is one. */
static bool start_line(struct json_writer *json, unsigned depth)
{
    if (json->depth == 0 || json->depth > json->n_indented)
        return false;
    buffer_add_char(json->out, '\n');
    for (unsigned i = 0; i < depth; i++)
        buffer_add_text(json->out, "  ");
    return true;
}

/* What stands in front of every value. */
static void start_value(struct json_writer *json, const char *key)
{
    assert((key != NULL) == is_in_object(json));
    assert(json->depth || !json->has_items);
    if (json->has_items)
        buffer_add_char(json->out, ',');
    if (!start_line(json, json->depth) && json->has_items && json->is_spaced)
        buffer_add_char(json->out, ' ');
    json->has_items = true;
    if (key) {
        json_add_string(json->out, key);
        buffer_add_text(json->out, json->is_spaced ? ": " : ":");
    }
}

static void open_value(struct json_writer *json, const char *key, bool is_object)
{
    start_value(json, key);
    assert(json->depth < DEPTH_MAX);
    json->depth++;
    json->objects |= (uint64_t)is_object << json->depth;
    json->has_items = false;
    buffer_add_char(json->out, is_object ? '{' : '[');
}

void json_writer_object(struct json_writer *json, const char *key)
{
    open_value(json, key, true);
}

void json_writer_array(struct json_writer *json, const char *key)
{
    open_value(json, key, false);
}

void json_writer_end(struct json_writer *json)
{
    assert(json->depth);
    if (json->has_items)
        start_line(json, json->depth - 1);
    buffer_add_char(json->out, is_in_object(json) ? '}' : ']');
    json->objects &= ~((uint64_t)1 << json->depth);
    json->depth--;
    json->has_items = true;
}

void json_writer_string(struct json_writer *json, const char *key, const char *text)
{
    if (text)
        json_writer_bytes(json, key, text, strlen(text));
    else
        json_writer_null(json, key);
}

void json_writer_bytes(struct json_writer *json, const char *key, const char *text, size_t size)
{
    start_value(json, key);
    json_add_bytes(json->out, text, size);
}

void json_writer_size(struct json_writer *json, const char *key, size_t value)
{
    start_value(json, key);
    digits_add(json->out, value);
}

void json_writer_double(struct json_writer *json, const char *key, double value)
{
    start_value(json, key);
    json_add_number(json->out, value);
}

void json_writer_float(struct json_writer *json, const char *key, float value)
{
    if (!isfinite(value)) {
        json_writer_null(json, key);
        return;
    }
    start_value(json, key);
    digits_add_float(json->out, value);
}

void json_writer_bool(struct json_writer *json, const char *key, bool value)
{
    json_writer_raw(json, key, value ? "true" : "false");
}

void json_writer_null(struct json_writer *json, const char *key)
{
    json_writer_raw(json, key, "null");
}

void json_writer_raw(struct json_writer *json, const char *key, const char *text)
{
    start_value(json, key);
    buffer_add_text(json->out, text);
}
