#include "members.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/memory.h"

struct reading {
    struct json_reader json;
    struct refusal *refusal;
    void *out;
};

static void *field_of(void *out, const struct member_row *row)
{
    return (char *)out + row->offset;
}

void members_init(const struct member_row *rows, void *out)
{
    for (; rows->kind != MEMBER_END; rows++) {
        void *field = field_of(out, rows);

        switch (rows->kind) {
        case MEMBER_NUMBER:
        case MEMBER_INTEGER:
            *(double *)field = NAN;
            break;
        case MEMBER_SEED:
            *(struct member_seed *)field = (struct member_seed){0};
            break;
        case MEMBER_BOOL:
            *(int *)field = -1;
            break;
        default:
            *(char **)field = NULL;
        }
    }
}

void members_release(const struct member_row *rows, void *out)
{
    for (const struct member_row *row = rows; row->kind != MEMBER_END; row++)
        if (row->kind >= MEMBER_STRING)
            free(*(char **)field_of(out, row));
    members_init(rows, out);
}

static int refuse_json(struct reading *reading, const struct error *error)
{
    return refusal_set(reading->refusal, 400, NULL, NULL, "the request is not JSON: %s",
                       error->text);
}

static int refuse_type(struct reading *reading, const struct member_row *row)
{
    static const char *const types[] = {
        [MEMBER_NUMBER] = "a number", [MEMBER_INTEGER] = "a whole number",
        [MEMBER_SEED] = "a whole number of 64 bits", [MEMBER_BOOL] = "true or false",
        [MEMBER_STRING] = "a string", [MEMBER_LIST] = "a list", [MEMBER_OBJECT] = "an object"};

    return refusal_set(reading->refusal, 400, NULL, row->name, "'%s' must be %s", row->name,
                       types[row->kind]);
}

static int read_number(struct reading *reading, const struct member_row *row, double *out)
{
    struct error error = {0};
    double value;

    if (json_reader_peek(&reading->json) != JSON_NUMBER)
        return refuse_type(reading, row);
    if (json_reader_number(&reading->json, &value, &error))
        return refuse_json(reading, &error);
    if (row->kind == MEMBER_INTEGER && value != floor(value))
        return refuse_type(reading, row);
    if (!(value >= row->least && value <= row->most))
        return refusal_set(reading->refusal, 400, NULL, row->name,
                           "'%s' is from %.10g to %.10g, not %.10g", row->name, row->least,
                           row->most, value);
    *out = value;
    return 0;
}

/* From the digits: a double would lose bits of them. Negative ones count as their 64 bits. */
static int read_seed(struct reading *reading, const struct member_row *row,
                     struct member_seed *seed)
{
    static const double least = -9223372036854775808.0, most = 18446744073709551616.0;
    struct error error = {0};
    const char *digits;
    char *end;
    double value;

    if (json_reader_peek(&reading->json) != JSON_NUMBER)
        return refuse_type(reading, row);
    digits = reading->json.text + reading->json.position;
    if (json_reader_number(&reading->json, &value, &error))
        return refuse_json(reading, &error);
    /* Those next to 2^64 are 2^64 as doubles. */
    if (value != floor(value) || value < least || value > most)
        return refuse_type(reading, row);
    errno = 0;
    seed->is_given = true;
    seed->value = *digits == '-' ? (unsigned long long)strtoll(digits, &end, 10)
                                 : strtoull(digits, &end, 10);
    if (end == reading->json.text + reading->json.position)
        return errno ? refuse_type(reading, row) : 0;
    if (value == 0x1p64)
        return refuse_type(reading, row);
    /* 2.0 or 2e3 */
    seed->value = value < 0 ? (unsigned long long)(long long)value : (unsigned long long)value;
    return 0;
}

static int read_string(struct reading *reading, const struct member_row *row, char **out)
{
    struct error error = {0};
    struct json_text text;

    if (json_reader_peek(&reading->json) != JSON_STRING)
        return refuse_type(reading, row);
    if (json_reader_string(&reading->json, &text, &error))
        return refuse_json(reading, &error);
    if (memchr(text.bytes, '\0', text.length))
        return refusal_set(reading->refusal, 400, NULL, row->name, "'%s' holds a NUL character",
                           row->name);
    free(*out);
    *out = memory_copy(text.bytes);
    return 0;
}

static int read_slice(struct reading *reading, const struct member_row *row, char **out)
{
    enum json_kind kind = json_reader_peek(&reading->json);
    size_t start = reading->json.position;
    struct error error = {0};

    if ((row->kind == MEMBER_LIST && kind != JSON_ARRAY) ||
        (row->kind == MEMBER_OBJECT && kind != JSON_OBJECT))
        return refuse_type(reading, row);
    if (json_reader_skip(&reading->json, &error))
        return refuse_json(reading, &error);
    free(*out);
    *out = memory_format("%.*s", (int)(reading->json.position - start),
                         reading->json.text + start);
    return 0;
}

static int read_bool(struct reading *reading, const struct member_row *row, int *out)
{
    struct error error = {0};
    bool value;

    if (json_reader_peek(&reading->json) != JSON_BOOL)
        return refuse_type(reading, row);
    if (json_reader_bool(&reading->json, &value, &error))
        return refuse_json(reading, &error);
    *out = value;
    return 0;
}

static int read_member(struct reading *reading, const struct member_row *row)
{
    void *field = field_of(reading->out, row);

    switch (row->kind) {
    case MEMBER_NUMBER:
    case MEMBER_INTEGER:
        return read_number(reading, row, field);
    case MEMBER_SEED:
        return read_seed(reading, row, field);
    case MEMBER_BOOL:
        return read_bool(reading, row, field);
    case MEMBER_STRING:
        return read_string(reading, row, field);
    default:
        return read_slice(reading, row, field);
    }
}

static const struct member_row *find_row(const struct member_row *rows, struct json_text name)
{
    for (; rows->kind != MEMBER_END; rows++)
        if (json_text_is(name, rows->name))
            return rows;
    return NULL;
}

static const struct refused_member *find_refused(const struct refused_member *refused,
                                                 struct json_text name)
{
    for (; refused && refused->name; refused++)
        if (json_text_is(name, refused->name))
            return refused;
    return NULL;
}

/* What is not read: passed over, unless it would change the answer. */
static int pass_over(struct reading *reading, const struct refused_member *refused)
{
    const char *values, *instead;
    struct error error = {0};
    size_t start;

    json_reader_peek(&reading->json);
    start = reading->json.position;
    if (json_reader_skip(&reading->json, &error))
        return refuse_json(reading, &error);
    if (!refused || refused_member_is_harmless(refused, reading->json.text + start,
                                               reading->json.position - start))
        return 0;
    values = refused->harmless ? refused->harmless : "";
    instead = refused->instead ? refused->instead : "";
    return refusal_set(reading->refusal, 400, NULL, refused->name, "'%s'%s%s is not supported%s%s",
                       refused->name, *values ? " other than " : "", values,
                       *instead ? "; " : "", instead);
}

static int read_object(struct reading *reading, const struct member_row *rows,
                       const struct refused_member *refused)
{
    struct error error = {0};
    struct json_text name;
    int more;

    if (json_reader_peek(&reading->json) != JSON_OBJECT)
        return refusal_set(reading->refusal, 400, NULL, NULL, "the request is not a JSON object");
    if (json_reader_object(&reading->json, &error))
        return refuse_json(reading, &error);
    while ((more = json_reader_member(&reading->json, &name, &error)) > 0) {
        bool is_null = json_reader_peek(&reading->json) == JSON_NULL;
        const struct member_row *row = is_null ? NULL : find_row(rows, name);

        if (row ? read_member(reading, row)
                : pass_over(reading, is_null ? NULL : find_refused(refused, name)))
            return -1;
    }
    if (more < 0 || json_reader_finish(&reading->json, &error))
        return refuse_json(reading, &error);
    return 0;
}

int members_read(const struct member_row *rows, const struct refused_member *refused,
                 const char *text, size_t size, void *out, struct refusal *refusal)
{
    struct reading reading = {.refusal = refusal, .out = out};
    int rc;

    members_init(rows, out);
    json_reader_init(&reading.json, text, size);
    rc = read_object(&reading, rows, refused);
    json_reader_release(&reading.json);
    return rc;
}

enum json_kind members_first_kind(const char *list)
{
    struct json_reader json;
    struct error error = {0};
    enum json_kind kind = JSON_NONE;

    json_reader_init(&json, list, strlen(list));
    if (json_reader_array(&json, &error) == 0 && json_reader_item(&json, &error) > 0)
        kind = json_reader_peek(&json);
    json_reader_release(&json);
    return kind;
}
