#include "json.h"

#include <math.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/memory.h"
#include "base/utf8.h"

cJSON *json_parse(const char *text, size_t size, struct error *err)
{
    struct json_reader reader;
    cJSON *tree = NULL;
    int rc;

    json_reader_init(&reader, text, size);
    rc = json_reader_skip(&reader, err) || json_reader_finish(&reader, err);
    if (rc == 0 && reader.has_nul) /* cJSON would cut the string there */
        rc = error_set(err, ERROR_FORMAT, "a NUL (\\u0000) in a string");
    if (rc == 0) {
        tree = cJSON_ParseWithLength(text, size);
        if (!tree) /* it was valid: only memory can be missing */
            memory_exhausted();
    }
    json_reader_release(&reader);
    return tree;
}

const cJSON *json_find(const cJSON *object, const char *name)
{
    const cJSON *member =
        cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;

    return cJSON_IsNull(member) ? NULL : member;
}

const char *json_find_string(const cJSON *object, const char *name)
{
    const cJSON *member = json_find(object, name);

    return cJSON_IsString(member) ? member->valuestring : NULL;
}

int json_find_bool(const cJSON *object, const char *name)
{
    const cJSON *member = json_find(object, name);

    return cJSON_IsBool(member) ? cJSON_IsTrue(member) != 0 : -1;
}

void json_add_string(struct buffer *out, const char *text)
{
    json_add_bytes(out, text, strlen(text));
}

void json_add_bytes(struct buffer *out, const char *text, size_t size)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const unsigned char *bytes = (const unsigned char *)text;

    buffer_add_char(out, '"');
    for (size_t i = 0; i < size;) {
        size_t length = utf8_sequence(bytes + i, size - i);

        const char *escaped = text[i] ? strchr(from, text[i]) : NULL;

        if (escaped) {
            buffer_format(out, "\\%c", to[escaped - from]);
        } else if (bytes[i] < 0x20) {
            buffer_format(out, "\\u%04x", bytes[i]);
        } else if (length == 0) {
            buffer_add_text(out, "\xef\xbf\xbd");
        } else {
            buffer_add(out, text + i, length);
        }
        i += length ? length : 1;
    }
    buffer_add_char(out, '"');
}

void json_add_number(struct buffer *out, double value)
{
    if (isfinite(value))
        buffer_format(out, "%.17g", value);
    else
        buffer_add_text(out, "null");
}

struct member_place {
    size_t start, end; /* of the key and its value */
    size_t value;      /* where the value starts */
    size_t previous;   /* end of the value before, or behind the opening brace */
    size_t next;       /* where the next key starts, or 0 when this is the last */
    bool is_found;
};

/* `previous` and `end` of the result also describe the last member when the name is absent. */
static struct member_place find_member(const char *text, size_t size, const char *name)
{
    struct json_reader reader;
    struct member_place place = {0};
    struct json_text key;
    struct error err = {0};

    json_reader_init(&reader, text, size);
    json_reader_object(&reader, &err);
    place.end = reader.position;
    for (;;) {
        size_t previous = reader.position;
        const char *quote = memchr(text + previous, '"', size - previous);

        if (json_reader_member(&reader, &key, &err) <= 0)
            break;
        if (place.is_found) {
            place.next = (size_t)(quote - text);
            break;
        }
        place.previous = previous;
        place.start = (size_t)(quote - text);
        place.is_found = json_text_is(key, name);
        json_reader_peek(&reader); /* steps over white space */
        place.value = reader.position;
        json_reader_skip(&reader, &err);
        place.end = reader.position;
    }
    json_reader_release(&reader);
    return place;
}

void json_edit_member(struct buffer *text, const char *name, const char *value)
{
    struct member_place place = find_member(text->data, text->size, name);
    struct buffer added = {0};

    if (place.is_found && value) {
        buffer_splice(text, place.value, place.end - place.value, value);
    } else if (place.is_found && place.next) {
        buffer_splice(text, place.start, place.next - place.start, "");
    } else if (place.is_found) {
        /* The last member takes the comma and the white space before it along. */
        buffer_splice(text, place.previous, place.end - place.previous, "");
    } else if (value) {
        buffer_format(&added, "%s\n  ", place.value ? "," : "");
        json_add_string(&added, name);
        buffer_format(&added, ": %s%s", value, place.value ? "" : "\n");
        buffer_splice(text, place.end, 0, added.data);
    }
    buffer_release(&added);
}
