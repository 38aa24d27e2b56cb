#include "jinja_split.h"

#include <string.h>

#include "jinja/jinja_arguments.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"

/* The last place; memmem has no counterpart. */
const char *jinja_find_last(const char *bytes, size_t size, const struct jinja_string *part)
{
    for (size_t at = size - part->size + 1; part->size <= size && at-- > 0;)
        if (memcmp(bytes + at, part->bytes, part->size) == 0)
            return bytes + at;
    return NULL;
}

static int add_part(struct jinja_heap *heap, struct jinja_list_builder *list,
                    const struct jinja_string *of, size_t start, size_t end)
{
    struct jinja_value part;

    return jinja_string_part(heap, of, start, end - start, &part) ||
                   jinja_list_add(heap, list, part)
               ? -1 : 0;
}

/* Where the characters from `at` on end that are white space, or are none. */
static size_t skip_spaces(const struct jinja_string *string, size_t at, bool is_space)
{
    uint32_t code;

    while (at < string->size) {
        size_t n = jinja_decode(string->bytes, at, &code);

        if (jinja_is_space(code) != is_space)
            break;
        at += n;
    }
    return at;
}

/* The start of the characters that end at `end` and are white space, or are none. */
static size_t before_spaces(const struct jinja_string *string, size_t end, bool is_space)
{
    uint32_t code;

    while (end > 0) {
        size_t at = jinja_previous(string->bytes, end);

        jinja_decode(string->bytes, at, &code);
        if (jinja_is_space(code) != is_space)
            break;
        end = at;
    }
    return end;
}

/* Words; after `most` cuts the rest is one, without the white space at its end. */
static int split_words(struct jinja_heap *heap, const struct jinja_string *string, int64_t most,
                       struct jinja_list_builder *list)
{
    size_t at = skip_spaces(string, 0, true);

    while (at < string->size) {
        size_t end = most-- > 0 ? skip_spaces(string, at, false)
                                : before_spaces(string, string->size, true);

        if (add_part(heap, list, string, at, end))
            return -1;
        at = most < 0 ? string->size : skip_spaces(string, end, true);
    }
    return 0;
}

static int split_at(struct jinja_heap *heap, const struct jinja_string *string,
                    const struct jinja_string *separator, int64_t most,
                    struct jinja_list_builder *list)
{
    size_t at = 0;

    for (;;) {
        const char *found = most-- > 0 ? memmem(string->bytes + at, string->size - at,
                                                separator->bytes, separator->size) : NULL;
        size_t end = found ? (size_t)(found - string->bytes) : string->size;

        if (add_part(heap, list, string, at, end))
            return -1;
        if (!found)
            return 0;
        at = end + separator->size;
    }
}

static void reverse(struct jinja_list_builder *list)
{
    for (size_t i = 0, k = list->n_items; i + 1 < k--; i++) {
        struct jinja_value item = list->items[i];

        list->items[i] = list->items[k];
        list->items[k] = item;
    }
}

static int split_words_from_right(struct jinja_heap *heap, const struct jinja_string *string,
                                  int64_t most, struct jinja_list_builder *list)
{
    size_t end = before_spaces(string, string->size, true);

    while (end > 0) {
        size_t start = most-- > 0 ? before_spaces(string, end, false)
                                  : skip_spaces(string, 0, true);

        if (add_part(heap, list, string, start, end))
            return -1;
        end = most < 0 ? 0 : before_spaces(string, start, true);
    }
    reverse(list);
    return 0;
}

static int split_from_right(struct jinja_heap *heap, const struct jinja_string *string,
                            const struct jinja_string *separator, int64_t most,
                            struct jinja_list_builder *list)
{
    size_t end = string->size;

    for (;;) {
        const char *found;
        size_t start;

        if (jinja_spend(heap, end / 64 * (separator->size / 64)))
            return -1;
        found = most-- > 0 ? jinja_find_last(string->bytes, end, separator) : NULL;
        start = found ? (size_t)(found - string->bytes) + separator->size : 0;
        if (jinja_spend(heap, (end - start) / 64) || add_part(heap, list, string, start, end))
            return -1;
        if (!found)
            break;
        end = (size_t)(found - string->bytes);
    }
    reverse(list);
    return 0;
}

int jinja_split(struct jinja_heap *heap, struct jinja_value self,
                const struct jinja_value *values, bool from_right, struct jinja_value *out)
{
    struct jinja_list_builder list = {0};
    struct jinja_string *separator = NULL;
    int64_t most;
    int rc;

    if (values[0].kind != JINJA_NONE && jinja_take_string(heap, "split", values[0], &separator))
        return -1;
    if (separator && separator->size == 0)
        return jinja_fail(heap, "empty separator");
    if (jinja_take_int(heap, "split", values[1], -1, &most) ||
        jinja_spend(heap, self.string->size / 64))
        return -1;
    if (most < 0)
        most = INT64_MAX;
    if (separator)
        rc = (from_right ? split_from_right : split_at)(heap, self.string, separator, most, &list);
    else
        rc = (from_right ? split_words_from_right : split_words)(heap, self.string, most, &list);
    return rc ? -1 : jinja_list_finish(heap, &list, JINJA_LIST, out);
}

static bool ends_line(uint32_t code)
{
    return (code >= 0x0a && code <= 0x0d) || (code >= 0x1c && code <= 0x1e) || code == 0x85 ||
           code == 0x2028 || code == 0x2029;
}

int jinja_split_lines(struct jinja_heap *heap, struct jinja_value self, bool keep_ends,
                      struct jinja_value *out)
{
    const struct jinja_string *string = self.string;
    struct jinja_list_builder list = {0};
    size_t start = 0, at = 0;
    uint32_t code;

    if (jinja_spend(heap, string->size / 64))
        return -1;
    while (at < string->size) {
        size_t end = at;

        at += jinja_decode(string->bytes, at, &code);
        if (!ends_line(code))
            continue;
        if (code == '\r' && at < string->size && string->bytes[at] == '\n')
            at++;
        if (add_part(heap, &list, string, start, keep_ends ? at : end))
            return -1;
        start = at;
    }
    if (start < at && add_part(heap, &list, string, start, at))
        return -1;
    return jinja_list_finish(heap, &list, JINJA_LIST, out);
}

int jinja_partition(struct jinja_heap *heap, struct jinja_value self, struct jinja_value by,
                    bool last, struct jinja_value *out)
{
    const char *bytes = self.string->bytes, *found;
    struct jinja_string *separator;
    size_t at, size = self.string->size, n;

    if (jinja_take_string(heap, "partition", by, &separator))
        return -1;
    if (separator->size == 0)
        return jinja_fail(heap, "empty separator");
    if (jinja_spend(heap, size / 64 * (1 + (last ? separator->size / 64 : 0))) ||
        jinja_list_new(heap, JINJA_TUPLE, 3, out))
        return -1;
    found = last ? jinja_find_last(bytes, size, separator)
                 : memmem(bytes, size, separator->bytes, separator->size);
    at = found ? (size_t)(found - bytes) : last ? 0 : size;
    n = found ? separator->size : 0;
    return jinja_string_part(heap, self.string, 0, at, &out->list->items[0]) ||
                   jinja_string_part(heap, self.string, at, n, &out->list->items[1]) ||
                   jinja_string_part(heap, self.string, at + n, size - at - n,
                                     &out->list->items[2])
               ? -1 : 0;
}
