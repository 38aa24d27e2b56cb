#include "jinja_strings.h"

#include <string.h>

#include "jinja/jinja_iterate.h"
#include "jinja/jinja_split.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"

#define METHOD(name)                                                                              \
    static int str_##name(struct jinja_heap *heap, struct jinja_value self,                       \
                          const struct jinja_value *values, struct jinja_value *out)

static int finish(struct jinja_heap *heap, struct jinja_value self, struct buffer *text,
                  struct jinja_value *out)
{
    if (jinja_take_buffer(heap, text, out))
        return -1;
    out->string->is_safe = self.string->is_safe;
    return 0;
}

/* ---- case ---- */

int jinja_change_case(struct jinja_heap *heap, struct jinja_value self,
                      void (*add)(struct buffer *out, const char *bytes, size_t size),
                      struct jinja_value *out)
{
    struct buffer text = {0};

    if (jinja_spend(heap, self.string->size / 16))
        return -1;
    add(&text, self.string->bytes, self.string->size);
    return finish(heap, self, &text, out);
}

METHOD(upper)
{
    (void)values;
    return jinja_change_case(heap, self, jinja_add_upper, out);
}

METHOD(lower)
{
    (void)values;
    return jinja_change_case(heap, self, jinja_add_lower, out);
}

METHOD(swapcase)
{
    (void)values;
    return jinja_change_case(heap, self, jinja_add_swapped, out);
}

METHOD(capitalize)
{
    (void)values;
    return jinja_change_case(heap, self, jinja_add_capitalized, out);
}

METHOD(title)
{
    (void)values;
    return jinja_change_case(heap, self, jinja_add_titled, out);
}

/* ---- ends ---- */

static bool is_in_set(uint32_t code, const struct jinja_string *set)
{
    uint32_t other;

    if (!set)
        return jinja_is_space(code);
    for (size_t at = 0; at < set->size;) {
        at += jinja_decode(set->bytes, at, &other);
        if (other == code)
            return true;
    }
    return false;
}

int jinja_strip(struct jinja_heap *heap, struct jinja_value self, struct jinja_value chars,
                bool left, bool right, struct jinja_value *out)
{
    struct jinja_string *set = NULL;
    size_t start = 0, end = self.string->size;
    uint32_t code;

    if (chars.kind != JINJA_NONE && jinja_take_string(heap, "strip", chars, &set))
        return -1;
    if (jinja_spend(heap, self.string->size / 64))
        return -1;
    while (left && start < end) {
        size_t n = jinja_decode(self.string->bytes, start, &code);

        if (jinja_spend(heap, set ? set->size / 16 : 0))
            return -1;
        if (!is_in_set(code, set))
            break;
        start += n;
    }
    while (right && end > start) {
        size_t before = jinja_previous(self.string->bytes, end);

        jinja_decode(self.string->bytes, before, &code);
        if (jinja_spend(heap, set ? set->size / 16 : 0))
            return -1;
        if (!is_in_set(code, set))
            break;
        end = before;
    }
    return jinja_string_part(heap, self.string, start, end - start, out);
}

METHOD(strip)
{
    return jinja_strip(heap, self, values[0], true, true, out);
}

METHOD(lstrip)
{
    return jinja_strip(heap, self, values[0], true, false, out);
}

METHOD(rstrip)
{
    return jinja_strip(heap, self, values[0], false, true, out);
}

static bool starts_with(const char *bytes, size_t size, const struct jinja_string *part)
{
    return part->size <= size && memcmp(bytes, part->bytes, part->size) == 0;
}

static bool ends_with(const char *bytes, size_t size, const struct jinja_string *part)
{
    return part->size <= size && memcmp(bytes + size - part->size, part->bytes, part->size) == 0;
}

METHOD(removeprefix)
{
    struct jinja_string *part;
    size_t n;

    if (jinja_take_string(heap, "removeprefix", values[0], &part))
        return -1;
    n = starts_with(self.string->bytes, self.string->size, part) ? part->size : 0;
    return jinja_string_part(heap, self.string, n, self.string->size - n, out);
}

METHOD(removesuffix)
{
    struct jinja_string *part;
    size_t n;

    if (jinja_take_string(heap, "removesuffix", values[0], &part))
        return -1;
    n = ends_with(self.string->bytes, self.string->size, part) ? part->size : 0;
    return jinja_string_part(heap, self.string, 0, self.string->size - n, out);
}

/* ---- a window between two indices ---- */

struct window {
    size_t start, end; /* bytes */
    size_t first;      /* code points before it */
    bool is_empty;     /* the start lies behind the end: nothing is found, not even "" */
};

static int take_index(struct jinja_heap *heap, struct jinja_value value, size_t n_chars,
                      int64_t fallback, int64_t *out)
{
    if (value.kind == JINJA_NONE)
        value.kind = JINJA_MISSING;
    if (jinja_take_int(heap, "a string method", value, fallback, out))
        return -1;
    if (*out < 0)
        *out += (int64_t)n_chars;
    if (*out < 0)
        *out = 0;
    return 0;
}

static int take_window(struct jinja_heap *heap, struct jinja_string *string,
                       const struct jinja_value *values, struct window *window)
{
    size_t n;
    int64_t start, end;

    if (jinja_spend(heap, string->size / 64))
        return -1;
    n = jinja_string_chars(string);
    if (take_index(heap, values[0], n, 0, &start) ||
        take_index(heap, values[1], n, (int64_t)n, &end))
        return -1;
    if (end > (int64_t)n)
        end = (int64_t)n;
    window->is_empty = start > end;
    window->first = (size_t)start;
    window->start = jinja_string_offset(string, (size_t)start);
    window->end = window->is_empty ? window->start : jinja_string_offset(string, (size_t)end);
    return 0;
}

static int has_affix(struct jinja_heap *heap, struct jinja_value self,
                     const struct jinja_value *values, bool at_end, struct jinja_value *out)
{
    bool is_tuple = values[0].kind == JINJA_TUPLE, is_there = false;
    size_t n = is_tuple ? values[0].list->n_items : 1;
    struct window window;

    if (take_window(heap, self.string, values + 1, &window))
        return -1;
    for (size_t i = 0; i < n && !is_there; i++) {
        struct jinja_value item = is_tuple ? values[0].list->items[i] : values[0];

        if (item.kind != JINJA_STRING)
            return jinja_fail(heap, "%s first arg must be str or a tuple of str, not %s",
                              at_end ? "endswith" : "startswith", jinja_type_name(item));
        if (jinja_spend(heap, item.string->size / 64 + 1))
            return -1;
        is_there = !window.is_empty &&
                   (at_end ? ends_with : starts_with)(self.string->bytes + window.start,
                                                      window.end - window.start, item.string);
    }
    *out = jinja_bool(is_there);
    return 0;
}

METHOD(startswith)
{
    return has_affix(heap, self, values, false, out);
}

METHOD(endswith)
{
    return has_affix(heap, self, values, true, out);
}

/* ---- finding ---- */

static size_t count_chars(const char *bytes, size_t size)
{
    struct jinja_string text = {.bytes = bytes, .size = size, .n_chars = SIZE_MAX};

    return jinja_string_chars(&text);
}

static int find(struct jinja_heap *heap, struct jinja_value self, const struct jinja_value *values,
                bool last, bool must_be_there, struct jinja_value *out)
{
    const char *bytes = self.string->bytes, *at = NULL;
    struct jinja_string *part;
    struct window window;

    if (jinja_take_string(heap, "find", values[0], &part) ||
        take_window(heap, self.string, values + 1, &window) ||
        jinja_spend(heap, last ? self.string->size / 64 * (1 + part->size / 64) : 0))
        return -1;
    bytes += window.start;
    if (!window.is_empty)
        at = last ? jinja_find_last(bytes, window.end - window.start, part)
                  : memmem(bytes, window.end - window.start, part->bytes, part->size);
    if (!at && must_be_there)
        return jinja_fail(heap, "substring not found");
    *out = jinja_int(at ? (int64_t)(window.first + count_chars(bytes, (size_t)(at - bytes))) : -1);
    return 0;
}

METHOD(find_first)
{
    return find(heap, self, values, false, false, out);
}

METHOD(rfind)
{
    return find(heap, self, values, true, false, out);
}

METHOD(index_first)
{
    return find(heap, self, values, false, true, out);
}

METHOD(rindex_last)
{
    return find(heap, self, values, true, true, out);
}

METHOD(count)
{
    struct jinja_string *part;
    struct window window;
    size_t n = 0, at;

    if (jinja_take_string(heap, "count", values[0], &part) ||
        take_window(heap, self.string, values + 1, &window))
        return -1;
    at = window.start;
    if (part->size == 0)
        n = window.is_empty ? 0 : count_chars(self.string->bytes + at, window.end - at) + 1;
    while (part->size > 0) {
        const char *found = memmem(self.string->bytes + at, window.end - at, part->bytes,
                                   part->size);

        if (!found)
            break;
        n++;
        at = (size_t)(found - self.string->bytes) + part->size;
    }
    *out = jinja_int((int64_t)n);
    return 0;
}

/* "" is found before each character and behind the last. */
static void replace_nothing(const struct jinja_string *string, const struct jinja_string *new,
                            int64_t count, struct buffer *text)
{
    uint32_t code;

    for (size_t at = 0, n; at <= string->size; at += n) {
        if (count-- > 0)
            buffer_add(text, new->bytes, new->size);
        if (at == string->size)
            break;
        n = jinja_decode(string->bytes, at, &code);
        buffer_add(text, string->bytes + at, n);
    }
}

static void replace_text(const struct jinja_string *string, const struct jinja_string *old,
                         const struct jinja_string *new, int64_t count, struct buffer *text)
{
    const char *at = string->bytes, *end = at + string->size, *found;

    while (count-- > 0 && text->size <= JINJA_STRING_MAX &&
           (found = memmem(at, (size_t)(end - at), old->bytes, old->size)) != NULL) {
        buffer_add(text, at, (size_t)(found - at));
        buffer_add(text, new->bytes, new->size);
        at = found + old->size;
    }
    buffer_add(text, at, (size_t)(end - at));
}

int jinja_replace(struct jinja_heap *heap, struct jinja_value self, const struct jinja_string *old,
                  const struct jinja_string *new, int64_t count, struct jinja_value *out)
{
    struct buffer text = {0};
    size_t most;

    if (count < 0)
        count = INT64_MAX;
    if (jinja_spend(heap, self.string->size / 16))
        return -1;
    if (old->size == 0 && (__builtin_mul_overflow(self.string->size + 1, new->size, &most) ||
                           most > JINJA_STRING_MAX))
        return jinja_fail(heap, "a string of more than %d MB", JINJA_STRING_MAX / 1000 / 1000);
    if (old->size == 0)
        replace_nothing(self.string, new, count, &text);
    else
        replace_text(self.string, old, new, count, &text);
    return finish(heap, self, &text, out);
}

METHOD(replace)
{
    struct jinja_value old = values[0], new = values[1];
    int64_t count;

    if (old.kind != JINJA_STRING || new.kind != JINJA_STRING)
        return jinja_fail(heap, "replace() wants strings, not '%s' and '%s'", jinja_type_name(old),
                          jinja_type_name(new));
    if (jinja_take_int(heap, "replace", values[2], -1, &count))
        return -1;
    if (self.string->is_safe && (jinja_escape(heap, old, &old) || jinja_escape(heap, new, &new)))
        return -1;
    return jinja_replace(heap, self, old.string, new.string, count, out);
}

/* ---- splitting, in jinja_split.c ---- */

METHOD(split)
{
    return jinja_split(heap, self, values, false, out);
}

METHOD(rsplit)
{
    return jinja_split(heap, self, values, true, out);
}

METHOD(splitlines)
{
    return jinja_split_lines(heap, self, jinja_truth(values[0]), out);
}

METHOD(partition)
{
    return jinja_partition(heap, self, values[0], false, out);
}

METHOD(rpartition)
{
    return jinja_partition(heap, self, values[0], true, out);
}

METHOD(join)
{
    struct jinja_walk walk;
    struct jinja_value item, text = {.kind = JINJA_MISSING};
    int more;

    if (jinja_walk_begin(heap, values[0], &walk) || jinja_string_text(heap, "", &text))
        return -1;
    for (size_t i = 0; (more = jinja_walk_next(heap, &walk, &item)) > 0; i++) {
        if (item.kind != JINJA_STRING)
            return jinja_fail(heap, "sequence item %zu: expected str instance, %s found", i,
                              jinja_type_name(item));
        if (self.string->is_safe && jinja_escape(heap, item, &item))
            return -1;
        if ((i > 0 && jinja_string_concat(heap, text.string, self.string, &text)) ||
            jinja_string_concat(heap, text.string, item.string, &text))
            return -1;
    }
    text.string->is_safe = self.string->is_safe;
    *out = text;
    return more;
}

/* ---- in a width ---- */

enum { WIDTH_MAX = 1000 * 1000 };

static int pad(struct jinja_heap *heap, struct jinja_value self, const struct jinja_value *values,
               char side, struct jinja_value *out)
{
    struct jinja_string *fill = NULL;
    struct buffer text = {0};
    size_t n, space, left;
    int64_t width;

    if (jinja_take_int(heap, "a width", values[0], 0, &width) ||
        jinja_take_string(heap, "a filling", values[1], &fill))
        return -1;
    if (fill && jinja_string_chars(fill) != 1)
        return jinja_fail(heap, "the fill character must be exactly one character long");
    if (width > WIDTH_MAX)
        return jinja_fail(heap, "a width of more than %d", WIDTH_MAX);
    n = jinja_string_chars(self.string);
    space = width > (int64_t)n ? (size_t)width - n : 0;
    left = side == 'l' ? 0 : side == 'r' ? space : space / 2 + (space & (size_t)width & 1);
    if (jinja_spend(heap, space / 16))
        return -1;
    for (size_t i = 0; i < left; i++)
        buffer_add(&text, fill ? fill->bytes : " ", fill ? fill->size : 1);
    buffer_add(&text, self.string->bytes, self.string->size);
    for (size_t i = left; i < space; i++)
        buffer_add(&text, fill ? fill->bytes : " ", fill ? fill->size : 1);
    return finish(heap, self, &text, out);
}

int jinja_center(struct jinja_heap *heap, struct jinja_value self, int64_t width,
                 struct jinja_value *out)
{
    const struct jinja_value values[2] = {jinja_int(width)};

    return pad(heap, self, values, 'c', out);
}

METHOD(center)
{
    return pad(heap, self, values, 'c', out);
}

METHOD(ljust)
{
    return pad(heap, self, values, 'l', out);
}

METHOD(rjust)
{
    return pad(heap, self, values, 'r', out);
}

METHOD(zfill)
{
    size_t n = jinja_string_chars(self.string), sign;
    struct buffer text = {0};
    int64_t width;

    if (jinja_take_int(heap, "zfill", values[0], 0, &width))
        return -1;
    if (width > WIDTH_MAX)
        return jinja_fail(heap, "a width of more than %d", WIDTH_MAX);
    sign = n > 0 && (self.string->bytes[0] == '-' || self.string->bytes[0] == '+');
    buffer_add(&text, self.string->bytes, sign);
    for (int64_t i = (int64_t)n; i < width; i++)
        buffer_add_char(&text, '0');
    buffer_add(&text, self.string->bytes + sign, self.string->size - sign);
    return finish(heap, self, &text, out);
}

METHOD(expandtabs)
{
    struct buffer text = {0};
    size_t column = 0;
    int64_t width;
    uint32_t code;

    if (jinja_take_int(heap, "expandtabs", values[0], 8, &width))
        return -1;
    if (width > 1000)
        return jinja_fail(heap, "a width of more than 1000");
    for (size_t at = 0, n; at < self.string->size; at += n) {
        n = jinja_decode(self.string->bytes, at, &code);
        if (code != '\t') {
            buffer_add(&text, self.string->bytes + at, n);
            column = code == '\n' || code == '\r' ? 0 : column + 1;
            continue;
        }
        for (int64_t i = width > 0 ? width - (int64_t)column % width : 0; i > 0; i--, column++)
            buffer_add_char(&text, ' ');
        if (text.size > JINJA_STRING_MAX)
            break; /* finish refuses it */
    }
    return finish(heap, self, &text, out);
}

/* ---- what it consists of ---- */

/* Whether every character is such, and there is one. */
static int all_are(struct jinja_heap *heap, const struct jinja_string *string,
                   bool (*is_such)(uint32_t code), struct jinja_value *out)
{
    bool is_true = string->size > 0;
    uint32_t code;

    if (jinja_spend(heap, string->size / 16))
        return -1;
    for (size_t at = 0; at < string->size && is_true;) {
        at += jinja_decode(string->bytes, at, &code);
        is_true = is_such(code);
    }
    *out = jinja_bool(is_true);
    return 0;
}

static bool is_alnum(uint32_t code)
{
    return jinja_is_alpha(code) || jinja_is_numeric(code);
}

METHOD(isalpha)
{
    (void)values;
    return all_are(heap, self.string, jinja_is_alpha, out);
}

METHOD(isalnum)
{
    (void)values;
    return all_are(heap, self.string, is_alnum, out);
}

METHOD(isdigit)
{
    (void)values;
    return all_are(heap, self.string, jinja_is_digit, out);
}

METHOD(isnumeric)
{
    (void)values;
    return all_are(heap, self.string, jinja_is_numeric, out);
}

METHOD(isspace)
{
    (void)values;
    return all_are(heap, self.string, jinja_is_space, out);
}

METHOD(isprintable)
{
    (void)values;
    if (all_are(heap, self.string, jinja_is_printable, out))
        return -1;
    out->boolean |= self.string->size == 0;
    return 0;
}

METHOD(isascii)
{
    (void)values;
    *out = jinja_bool(jinja_string_chars(self.string) == self.string->size);
    return jinja_spend(heap, self.string->size / 64);
}

METHOD(isidentifier)
{
    uint32_t code;

    (void)values;
    if (all_are(heap, self.string, jinja_continues_identifier, out))
        return -1;
    if (out->boolean) {
        jinja_decode(self.string->bytes, 0, &code);
        out->boolean = jinja_starts_identifier(code);
    }
    return 0;
}

bool jinja_is_in_case(const struct jinja_string *string, bool upper)
{
    bool has_letter = false;
    uint32_t code;

    for (size_t at = 0; at < string->size;) {
        at += jinja_decode(string->bytes, at, &code);
        if (!jinja_is_cased(code))
            continue;
        has_letter = true;
        if (upper ? !jinja_is_upper(code) : !jinja_is_lower(code))
            return false;
    }
    return has_letter;
}

static int is_case(struct jinja_heap *heap, const struct jinja_string *string, bool upper,
                   struct jinja_value *out)
{
    *out = jinja_bool(jinja_is_in_case(string, upper));
    return jinja_spend(heap, string->size / 16);
}

METHOD(isupper)
{
    (void)values;
    return is_case(heap, self.string, true, out);
}

METHOD(islower)
{
    (void)values;
    return is_case(heap, self.string, false, out);
}

METHOD(istitle)
{
    bool has_letter = false, is_true = true, is_inside = false;
    uint32_t code;

    (void)values;
    for (size_t at = 0; at < self.string->size && is_true;) {
        bool is_cased;

        at += jinja_decode(self.string->bytes, at, &code);
        is_cased = jinja_is_cased(code);
        if (is_cased)
            is_true = jinja_is_lower(code) == is_inside;
        has_letter |= is_cased;
        is_inside = is_cased;
    }
    *out = jinja_bool(has_letter && is_true);
    return jinja_spend(heap, self.string->size / 16);
}

static int refuse(struct jinja_heap *heap, struct jinja_value self,
                  const struct jinja_arguments *arguments, struct jinja_value *out)
{
    (void)self;
    (void)arguments;
    (void)out;
    return jinja_unsupported(heap, "the string methods casefold, encode, maketrans and translate "
                                   "are not supported");
}

const struct jinja_method_row jinja_string_methods[] = {
    {"split", "sep,maxsplit", 0, str_split, NULL},
    {"strip", "/chars", 0, str_strip, NULL},
    {"lstrip", "/chars", 0, str_lstrip, NULL},
    {"rstrip", "/chars", 0, str_rstrip, NULL},
    {"startswith", "/prefix,start,end", 1, str_startswith, NULL},
    {"endswith", "/suffix,start,end", 1, str_endswith, NULL},
    {"replace", "/old,new,count", 2, str_replace, NULL},
    {"capitalize", "", 0, str_capitalize, NULL},
    {"title", "", 0, str_title, NULL},
    {"upper", "", 0, str_upper, NULL},
    {"lower", "", 0, str_lower, NULL},
    {"swapcase", "", 0, str_swapcase, NULL},
    {"join", "/iterable", 1, str_join, NULL},
    {"find", "/sub,start,end", 1, str_find_first, NULL},
    {"rfind", "/sub,start,end", 1, str_rfind, NULL},
    {"index", "/sub,start,end", 1, str_index_first, NULL},
    {"rindex", "/sub,start,end", 1, str_rindex_last, NULL},
    {"count", "/sub,start,end", 1, str_count, NULL},
    {"rsplit", "sep,maxsplit", 0, str_rsplit, NULL},
    {"splitlines", "keepends", 0, str_splitlines, NULL},
    {"partition", "/sep", 1, str_partition, NULL},
    {"rpartition", "/sep", 1, str_rpartition, NULL},
    {"removeprefix", "/prefix", 1, str_removeprefix, NULL},
    {"removesuffix", "/suffix", 1, str_removesuffix, NULL},
    {"center", "/width,fillchar", 1, str_center, NULL},
    {"ljust", "/width,fillchar", 1, str_ljust, NULL},
    {"rjust", "/width,fillchar", 1, str_rjust, NULL},
    {"zfill", "/width", 1, str_zfill, NULL},
    {"expandtabs", "tabsize", 0, str_expandtabs, NULL},
    {"isalpha", "", 0, str_isalpha, NULL},
    {"isalnum", "", 0, str_isalnum, NULL},
    {"isdigit", "", 0, str_isdigit, NULL},
    {"isdecimal", "", 0, str_isdigit, NULL},
    {"isnumeric", "", 0, str_isnumeric, NULL},
    {"isspace", "", 0, str_isspace, NULL},
    {"isprintable", "", 0, str_isprintable, NULL},
    {"isascii", "", 0, str_isascii, NULL},
    {"isidentifier", "", 0, str_isidentifier, NULL},
    {"isupper", "", 0, str_isupper, NULL},
    {"islower", "", 0, str_islower, NULL},
    {"istitle", "", 0, str_istitle, NULL},
    {"format", NULL, 0, NULL, NULL},
    {"format_map", NULL, 0, NULL, NULL},
    {"casefold", NULL, 0, NULL, refuse},
    {"encode", NULL, 0, NULL, refuse},
    {"maketrans", NULL, 0, NULL, refuse},
    {"translate", NULL, 0, NULL, refuse},
    {NULL, NULL, 0, NULL, NULL},
};
