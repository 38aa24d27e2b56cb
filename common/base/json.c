#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/memory.h"
#include "base/utf8.h"

/* ---- the tree ---- */

static cJSON *need(cJSON *item)
{
    if (!item)
        memory_exhausted();
    return item;
}

struct place {
    cJSON *item;
    size_t number;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *one = a, *other = b;
    int order = strcmp(one->item->string, other->item->string);

    return order ? order : (one->number > other->number) - (one->number < other->number);
}

/* Of members of one name the last counts, as in Python. */
static void drop_earlier_members(cJSON *object)
{
    size_t n = (size_t)cJSON_GetArraySize(object), i = 0;
    struct place *places;
    cJSON *item;

    if (n < 2)
        return;
    places = memory_alloc(n * sizeof *places);
    cJSON_ArrayForEach(item, object) {
        places[i] = (struct place){item, i};
        i++;
    }
    qsort(places, n, sizeof *places, compare_places);
    for (i = 0; i + 1 < n; i++)
        if (strcmp(places[i].item->string, places[i + 1].item->string) == 0)
            cJSON_Delete(cJSON_DetachItemViaPointer(object, places[i].item));
    free(places);
}

static int read_value(struct json_reader *reader, cJSON **out, struct error *err);

static int read_members(struct json_reader *reader, cJSON *object, struct error *err)
{
    struct json_text key;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        char *name = memory_copy(key.bytes);
        cJSON *value = NULL;

        more = read_value(reader, &value, err);
        if (value && !cJSON_AddItemToObject(object, name, value))
            memory_exhausted();
        free(name);
        if (more)
            break;
    }
    drop_earlier_members(object);
    return more;
}

static int read_items(struct json_reader *reader, cJSON *array, struct error *err)
{
    int more;

    if (json_reader_array(reader, err))
        return -1;
    while ((more = json_reader_item(reader, err)) > 0) {
        cJSON *value = NULL;

        more = read_value(reader, &value, err);
        if (value)
            cJSON_AddItemToArray(array, value);
        if (more)
            break;
    }
    return more;
}

/* A number may have any number of digits. NaN and the infinities have no valueint. */
static int read_number(struct json_reader *reader, cJSON *number, struct error *err)
{
    struct buffer digits = {0};
    size_t start = reader->position;
    int rc = json_reader_skip(reader, err);

    if (rc == 0) {
        buffer_add(&digits, reader->text + start, reader->position - start);
        number->valuedouble = strtod(digits.data, NULL);
    }
    buffer_release(&digits);
    return rc;
}

static int read_value(struct json_reader *reader, cJSON **out, struct error *err)
{
    struct json_text text;
    bool flag;

    switch (json_reader_peek(reader)) {
    case JSON_OBJECT:
        *out = need(cJSON_CreateObject());
        return read_members(reader, *out, err);
    case JSON_ARRAY:
        *out = need(cJSON_CreateArray());
        return read_items(reader, *out, err);
    case JSON_STRING:
        if (json_reader_string(reader, &text, err))
            return -1;
        *out = need(cJSON_CreateString(text.bytes));
        return 0;
    case JSON_NUMBER:
        *out = need(cJSON_CreateNumber(0));
        return read_number(reader, *out, err);
    case JSON_BOOL:
        if (json_reader_bool(reader, &flag, err))
            return -1;
        *out = need(cJSON_CreateBool(flag));
        return 0;
    default: /* null, or no value: the reader says */
        if (json_reader_skip(reader, err))
            return -1;
        *out = need(cJSON_CreateNull());
        return 0;
    }
}

cJSON *json_parse(const char *text, size_t size, struct error *err)
{
    struct json_reader reader;
    cJSON *tree = NULL;
    int rc;

    json_reader_init(&reader, text, size);
    reader.takes_constants = true;
    rc = read_value(&reader, &tree, err) || json_reader_finish(&reader, err);
    if (rc == 0 && reader.has_nul) /* a tree's strings would end there */
        rc = error_set(err, ERROR_FORMAT, "a NUL (\\u0000) in a string");
    json_reader_release(&reader);
    if (rc == 0)
        return tree;
    cJSON_Delete(tree);
    return NULL;
}

/* ---- look-ups ---- */

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

bool json_bool(const cJSON *object, const char *name, bool fallback)
{
    int found = json_find_bool(object, name);

    return found < 0 ? fallback : found != 0;
}

int json_find_bool(const cJSON *object, const char *name)
{
    const cJSON *member = json_find(object, name);

    return cJSON_IsBool(member) ? cJSON_IsTrue(member) != 0 : -1;
}

/* ---- writing ---- */

void json_add_string(struct buffer *out, const char *text)
{
    json_add_bytes(out, text, strlen(text));
}

/* ASCII that stands for itself. */
static size_t count_plain(const unsigned char *bytes, size_t size)
{
    size_t n = 0;

    while (n < size && bytes[n] >= 0x20 && bytes[n] < 0x80 && bytes[n] != '"' && bytes[n] != '\\')
        n++;
    return n;
}

void json_add_bytes(struct buffer *out, const char *text, size_t size)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const unsigned char *bytes = (const unsigned char *)text;

    buffer_add_char(out, '"');
    for (size_t i = 0; i < size;) {
        size_t n_plain = count_plain(bytes + i, size - i), length;
        const char *escaped;

        buffer_add(out, text + i, n_plain);
        i += n_plain;
        if (i == size)
            break;
        length = utf8_sequence(bytes + i, size - i);
        escaped = text[i] ? strchr(from, text[i]) : NULL;

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

/* ---- editing ---- */

struct member_place {
    size_t start, end; /* of the key and its value */
    size_t value;      /* where the value starts */
    size_t previous;   /* end of the value before, or behind the opening brace */
    size_t next;       /* where the next key starts, or 0 when this is the last */
    bool is_found;
};

/* The last of that name. `previous` and `end` of the result also describe the last member when the
 * name is absent. */
static struct member_place find_member(const char *text, size_t size, const char *name)
{
    struct json_reader reader;
    struct member_place place = {0}, found = {0};
    struct json_text key;
    struct error err = {0};

    json_reader_init(&reader, text, size);
    reader.takes_constants = true;
    json_reader_object(&reader, &err);
    place.end = reader.position;
    for (;;) {
        size_t previous = reader.position;
        const char *quote = memchr(text + previous, '"', size - previous);

        if (json_reader_member(&reader, &key, &err) <= 0)
            break;
        place = (struct member_place){.previous = previous, .start = (size_t)(quote - text),
                                      .is_found = json_text_is(key, name)};
        if (found.is_found && !found.next)
            found.next = place.start;
        json_reader_peek(&reader); /* steps over white space */
        place.value = reader.position;
        json_reader_skip(&reader, &err);
        place.end = reader.position;
        if (place.is_found)
            found = place;
    }
    json_reader_release(&reader);
    return found.is_found ? found : place;
}

static void remove_member(struct buffer *text, const struct member_place *place)
{
    if (place->next)
        buffer_splice(text, place->start, place->next - place->start, "");
    else /* the last member takes the comma and the white space before it along */
        buffer_splice(text, place->previous, place->end - place->previous, "");
}

void json_edit_member(struct buffer *text, const char *name, const char *value)
{
    struct member_place place = find_member(text->data, text->size, name);
    struct buffer added = {0};

    if (place.is_found && value) {
        buffer_splice(text, place.value, place.end - place.value, value);
    } else if (place.is_found) {
        for (; place.is_found; place = find_member(text->data, text->size, name))
            remove_member(text, &place); /* the ones before it, too: they would count now */
    } else if (value) {
        buffer_format(&added, "%s\n  ", place.value ? "," : "");
        json_add_string(&added, name);
        buffer_format(&added, ": %s%s", value, place.value ? "" : "\n");
        buffer_splice(text, place.end, 0, added.data);
    }
    buffer_release(&added);
}
