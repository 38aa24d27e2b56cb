#include "front_matter.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

enum { ITEM_BYTES_MAX = 300, ITEMS_MAX = 1000 };

static const char *const key_names[N_FRONT_KEYS] = {
    [FRONT_LICENSE] = "license",
    [FRONT_LICENSE_NAME] = "license_name",
    [FRONT_LICENSE_LINK] = "license_link",
    [FRONT_LANGUAGE] = "language",
};

struct span { /* a part of the text, no NUL behind it */
    const char *bytes;
    size_t length;
};

struct lines {
    const char *at, *end;
};

const char *front_key_name(enum front_key key)
{
    return key_names[key];
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span span)
{
    while (span.length && is_blank(span.bytes[0])) {
        span.bytes++;
        span.length--;
    }
    while (span.length && is_blank(span.bytes[span.length - 1]))
        span.length--;
    return span;
}

static bool next_line(struct lines *lines, struct span *line)
{
    const char *newline;

    if (lines->at == lines->end)
        return false;
    newline = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
    *line = (struct span){lines->at, (size_t)((newline ? newline : lines->end) - lines->at)};
    lines->at = newline ? newline + 1 : lines->end;
    return true;
}

static bool is_text(struct span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.bytes, text, span.length) == 0;
}

/* ---- values ---- */

static void make_unclear(struct front_value *value)
{
    for (size_t i = 0; i < value->n_items; i++)
        free(value->items[i]);
    free(value->items);
    *value = (struct front_value){.is_unclear = true};
}

static void add_item(struct front_value *value, struct span text)
{
    bool is_short = text.length && text.length <= ITEM_BYTES_MAX && value->n_items < ITEMS_MAX;

    for (size_t i = 0; is_short && i < text.length; i++)
        is_short = (unsigned char)text.bytes[i] >= ' ' && text.bytes[i] != 0x7f;
    if (value->is_unclear)
        return;
    if (!is_short) {
        make_unclear(value);
        return;
    }
    value->items = memory_resize(value->items, value->n_items + 1, sizeof *value->items);
    value->items[value->n_items++] = memory_format("%.*s", (int)text.length, text.bytes);
}

/* The text without a comment behind it. */
static struct span cut_comment(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] == '#' && (i == 0 || is_blank(text.bytes[i - 1]))) {
            text.length = i;
            break;
        }
    return trim(text);
}

/* 'it''s' or "text". Returns how much of `text` that is, 0 when it has no end or escapes in it. */
static size_t add_quoted(struct front_value *value, struct span text)
{
    char quote = text.bytes[0];
    struct buffer plain = {0};
    size_t i = 1;

    buffer_add(&plain, "", 0);
    for (; i < text.length; i++) {
        bool is_quote = text.bytes[i] == quote;

        if (is_quote && quote == '\'' && i + 1 < text.length && text.bytes[i + 1] == '\'')
            i++;
        else if (is_quote || (quote == '"' && text.bytes[i] == '\\'))
            break;
        buffer_add_char(&plain, text.bytes[i]);
    }
    if (i < text.length && text.bytes[i] == quote)
        add_item(value, (struct span){plain.data, plain.size});
    else
        i = text.length;
    buffer_release(&plain);
    return i < text.length ? i + 1 : 0;
}

/* What begins another kind of YAML than a plain text, or holds a mapping. */
static bool is_plain(struct span text)
{
    if (strchr("|>&*!%@`{}[],?\"'#", text.bytes[0]) ||
        (text.bytes[0] == '-' && (text.length == 1 || is_blank(text.bytes[1]))))
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] == ':' && (i + 1 == text.length || is_blank(text.bytes[i + 1])))
            return false;
    return true;
}

static bool is_null(struct span text)
{
    return text.length == 0 || is_text(text, "~") || is_text(text, "null") ||
           is_text(text, "Null") || is_text(text, "NULL");
}

/* One value that is no list. */
static void add_scalar(struct front_value *value, struct span text)
{
    size_t n;

    text = trim(text);
    if (text.length && strchr("\"'", text.bytes[0])) {
        n = add_quoted(value, text);
        text.bytes += n;
        text.length -= n;
        if (n == 0 || (text.length && cut_comment(text).length))
            make_unclear(value);
        return;
    }
    text = cut_comment(text);
    if (is_null(text))
        return;
    if (is_plain(text))
        add_item(value, text);
    else
        make_unclear(value);
}

/* [en, "zh"] */
static void add_list(struct front_value *value, struct span text)
{
    text = cut_comment(text);
    if (text.bytes[text.length - 1] != ']' ||
        memchr(text.bytes + 1, '[', text.length - 1)) {
        make_unclear(value);
        return;
    }
    text = trim((struct span){text.bytes + 1, text.length - 2});
    while (text.length) {
        const char *comma = memchr(text.bytes, ',', text.length);
        size_t n = comma ? (size_t)(comma - text.bytes) : text.length;

        add_scalar(value, (struct span){text.bytes, n});
        n += comma != NULL;
        text = trim((struct span){text.bytes + n, text.length - n});
    }
}

/* ---- lines ---- */

/* The key that the line begins with; its value is left in *text. */
static bool find_key(struct span line, enum front_key *key, struct span *text)
{
    for (int k = 0; k < N_FRONT_KEYS; k++) {
        size_t length = strlen(key_names[k]);

        if (line.length <= length || memcmp(line.bytes, key_names[k], length) != 0 ||
            line.bytes[length] != ':' ||
            (line.length > length + 1 && !is_blank(line.bytes[length + 1])))
            continue;
        *key = (enum front_key)k;
        *text = trim((struct span){line.bytes + length + 1, line.length - length - 1});
        return true;
    }
    return false;
}

/* Lines that go on with the value of a key: "- item", or what is indented. */
static void add_rest(struct front_value *value, struct lines *lines, bool has_begun)
{
    struct lines ahead = *lines;
    struct span line;

    while (next_line(&ahead, &line)) {
        struct span text = trim(line);
        bool is_item = text.length && text.bytes[0] == '-' &&
                       (text.length == 1 || is_blank(text.bytes[1]));

        if (text.length && text.bytes[0] != '#') {
            if (!is_item && !is_blank(line.bytes[0]))
                return;
            if (has_begun || !is_item)
                make_unclear(value);
            else
                add_scalar(value, (struct span){text.bytes + 1, text.length - 1});
        }
        *lines = ahead;
    }
}

static void read_value(struct front_value *value, struct span text, struct lines *lines)
{
    make_unclear(value); /* as if it had not been given before */
    value->is_unclear = false;
    text = text.length && text.bytes[0] == '#' ? (struct span){text.bytes, 0} : text;
    if (text.length && text.bytes[0] == '[')
        add_list(value, text);
    else
        add_scalar(value, text);
    add_rest(value, lines, text.length != 0);
}

/* The lines between the marks. */
static bool find_block(struct lines *lines, const char *text, size_t size)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t n_mark = size >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    struct lines all = {text + n_mark, text + size};
    struct span line;

    if (!next_line(&all, &line) || !is_text(trim(line), "---") || line.bytes[0] != '-')
        return false;
    lines->at = all.at;
    while (next_line(&all, &line))
        if (line.length && line.bytes[0] == '-' && is_text(trim(line), "---")) {
            lines->end = line.bytes;
            return true;
        }
    return false;
}

void front_matter_read(struct front_matter *matter, const char *text, size_t size)
{
    struct lines lines;
    struct span line, value;
    enum front_key key;

    *matter = (struct front_matter){0};
    if (!find_block(&lines, text, size))
        return;
    while (next_line(&lines, &line))
        if (find_key(line, &key, &value))
            read_value(&matter->values[key], value, &lines);
}

void front_matter_release(struct front_matter *matter)
{
    for (int k = 0; k < N_FRONT_KEYS; k++)
        make_unclear(&matter->values[k]);
    *matter = (struct front_matter){0};
}
