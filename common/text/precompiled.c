/* precompiled.c - look-ups in a double-array trie that a file brought along.
 *
 * The blob: a 32-bit size, so many bytes of units (32 bits each, little-endian), and a pool of
 * replacement texts that end with NUL. Nothing in it is believed: every index is compared with the
 * number of units, and a walk ends with the key, so a hostile map can do no more than be refused.
 * The pool must be UTF-8, because what comes out is taken for UTF-8 from here on. */
#include "precompiled.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/base64.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/unicode.h"

enum { CLUSTER_MAX = 6 }; /* clusters of so many bytes or more are not looked up */

struct precompiled {
    unsigned char *blob;
    const unsigned char *units; /* within the blob */
    size_t n_units;
    const char *pool;
    size_t pool_size;
    /* An ASCII character followed by another is a cluster of its own. What becomes of it, where
     * that is at most one byte: */
    char ascii_to[128];
    unsigned char ascii_length[128]; /* 0, 1; ASCII_SLOW: not so simple */
};
enum { ASCII_SLOW = 2 };

struct text_view {
    const char *start;
    size_t length;
};

static int bad(struct error *err)
{
    return error_set(err, ERROR_FORMAT, "'precompiled_charsmap' leads out of itself");
}

static bool read_unit(const struct precompiled *precompiled, size_t position, uint32_t *unit)
{
    const unsigned char *bytes = precompiled->units + 4 * position;

    if (position >= precompiled->n_units)
        return false;
    *unit = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
            (uint32_t)bytes[3] << 24;
    return true;
}

static size_t unit_offset(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 0x200) >> 6);
}

/* The value of the shortest key that key[n] begins with: 1; there is none: 0; -1: bad map. */
static int look_up(const struct precompiled *precompiled, const char *key, size_t n,
                   struct text_view *value, struct error *err)
{
    uint32_t unit;
    size_t position;

    if (!read_unit(precompiled, 0, &unit))
        return bad(err);
    position = unit_offset(unit);
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)key[i];

        if (byte == 0)
            return 0;
        position ^= byte;
        if (!read_unit(precompiled, position, &unit))
            return bad(err);
        if ((unit & 0x800000ff) != byte)
            return 0;
        position ^= unit_offset(unit);
        if (unit >> 8 & 1) {
            const char *start, *end;
            size_t at;

            if (!read_unit(precompiled, position, &unit))
                return bad(err);
            at = unit & 0x7fffffff;
            if (at > precompiled->pool_size ||
                (at < precompiled->pool_size && (precompiled->pool[at] & 0xc0) == 0x80))
                return bad(err);
            start = precompiled->pool + at;
            end = memchr(start, 0, precompiled->pool_size - at);
            value->start = start;
            value->length = end ? (size_t)(end - start) : precompiled->pool_size - at;
            return 1;
        }
    }
    return 0;
}

static void find_ascii(struct precompiled *precompiled)
{
    for (unsigned i = 0; i < 128; i++) {
        char c = (char)i;
        struct text_view value = {&c, 1};
        struct error ignored = {0};
        /* What is bad is met again, and told, when the character is. */
        int rc = look_up(precompiled, &c, 1, &value, &ignored);
        bool is_simple = rc >= 0 && i != '\r' && value.length <= 1;

        precompiled->ascii_length[i] = is_simple ? (unsigned char)value.length : ASCII_SLOW;
        precompiled->ascii_to[i] = is_simple && value.length ? value.start[0] : '\0';
    }
}

struct precompiled *precompiled_new(const char *base64, struct error *err)
{
    struct precompiled *precompiled = memory_zalloc(1, sizeof *precompiled);
    struct buffer blob = {0};
    const unsigned char *bytes;
    size_t n_units;

    if (base64_decode(base64, strlen(base64), &blob)) {
        error_set(err, ERROR_FORMAT, "'precompiled_charsmap' is not base64");
        goto fail;
    }
    bytes = (const unsigned char *)blob.data;
    n_units = blob.size < 4 ? 0 : ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
                                   (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24) / 4;
    if (n_units == 0 || n_units > (blob.size - 4) / 4) {
        error_set(err, ERROR_FORMAT,
                  "'precompiled_charsmap' has %zu bytes, which do not hold its trie of %zu units",
                  blob.size, n_units);
        goto fail;
    }
    precompiled->units = bytes + 4;
    precompiled->n_units = n_units;
    precompiled->pool = blob.data + 4 + 4 * n_units;
    precompiled->pool_size = blob.size - 4 - 4 * n_units;
    precompiled->blob = (unsigned char *)blob.data;
    if (utf8_valid_prefix(precompiled->pool, precompiled->pool_size) < precompiled->pool_size) {
        error_set(err, ERROR_FORMAT, "'precompiled_charsmap' holds text that is not UTF-8");
        precompiled_free(precompiled);
        return NULL;
    }
    find_ascii(precompiled);
    return precompiled;
fail:
    buffer_release(&blob);
    free(precompiled);
    return NULL;
}

void precompiled_free(struct precompiled *precompiled)
{
    if (!precompiled)
        return;
    free(precompiled->blob);
    free(precompiled);
}

const unsigned char *precompiled_bytes(const struct precompiled *precompiled, size_t *size)
{
    *size = 4 + 4 * precompiled->n_units + precompiled->pool_size;
    return precompiled->blob;
}

/* The output with what the origin has to hear about it, one character late: taking characters away
 * changes the one before. */
struct output {
    struct buffer *buffer;
    struct origin *origin;
    size_t length; /* of the last character, 0 before the first */
    long change;
};

static void tell(struct output *output, size_t length, long change)
{
    if (output->length)
        origin_add(output->origin, output->length, output->change);
    output->length = length;
    output->change = change;
}

static size_t count_code_points(const char *text, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += (text[i] & 0xc0) != 0x80;
    return count;
}

static void replace(struct output *output, const char *old, size_t n, struct text_view value)
{
    buffer_add(output->buffer, value.start, value.length);
    if (!output->origin->is_done) {
        long n_old = (long)count_code_points(old, n), n_new = 0;
        uint32_t code_point;

        for (size_t at = 0, length; at < value.length; at += length) {
            length = unicode_decode(value.start, at, &code_point);
            tell(output, length, n_new++ >= n_old);
        }
        if (n_new < n_old)
            output->change -= n_old - n_new;
    }
}

static void keep(struct output *output, const char *text, size_t n)
{
    buffer_add(output->buffer, text, n);
    if (!output->origin->is_done)
        tell(output, n, 0);
}

/* Marks that came after the Unicode version of utf8proc join what stands before them, too. */
static uint32_t stand_in(uint32_t code_point)
{
    bool is_new = code_point >= 0x300 && (unicode_flags(code_point) & UNICODE_MARK_17) &&
                  utf8proc_category((utf8proc_int32_t)code_point) == UTF8PROC_CATEGORY_CN;

    return is_new ? 0x301 : code_point;
}

/* The end of the grapheme cluster that begins at text[at]. */
static size_t cluster_end(const char *text, size_t n, size_t at)
{
    utf8proc_int32_t state = 0;
    uint32_t left, right;

    at += unicode_decode(text, at, &left);
    while (at < n) {
        size_t length = unicode_decode(text, at, &right);

        if (left < 0x80 && right < 0x80 && !(left == '\r' && right == '\n'))
            break;
        right = stand_in(right);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)left, (utf8proc_int32_t)right,
                                             &state))
            break;
        left = right;
        at += length;
    }
    return at;
}

static int add_cluster(const struct precompiled *precompiled, const char *text, size_t n,
                       struct output *output, struct error *err)
{
    struct text_view value = {0};
    uint32_t code_point;
    int rc = 0;

    if (n < CLUSTER_MAX)
        rc = look_up(precompiled, text, n, &value, err);
    if (rc < 0)
        return -1;
    if (rc > 0) {
        replace(output, text, n, value);
        return 0;
    }
    for (size_t at = 0, length; at < n; at += length) {
        length = unicode_decode(text, at, &code_point);
        rc = look_up(precompiled, text + at, length, &value, err);
        if (rc < 0)
            return -1;
        if (rc > 0)
            replace(output, text + at, length, value);
        else
            keep(output, text + at, length);
    }
    return 0;
}

/* ASCII characters with an ASCII character behind them, as far as it is simple: how many. */
static size_t add_ascii(const struct precompiled *precompiled, const char *text, size_t n,
                        struct buffer *out)
{
    /* Not more at a time, lest a text of many exceptions is scanned many times. */
    size_t n_ascii = unicode_ascii_prefix(text, n < 512 ? n : 512), i;
    char *end;

    if (n_ascii && n_ascii < n)
        n_ascii--;
    end = rewrite_room(out, n_ascii);
    for (i = 0; i < n_ascii; i++) {
        unsigned char byte = (unsigned char)text[i], length = precompiled->ascii_length[byte];

        if (length == ASCII_SLOW)
            break;
        *end = precompiled->ascii_to[byte];
        end += length;
    }
    rewrite_end(out, end);
    return i;
}

int precompiled_add(const struct precompiled *precompiled, const char *text, size_t n,
                    struct buffer *out, struct origin *origin, struct error *err)
{
    struct output output = {out, origin, 0, 0};

    for (size_t at = 0; at < n;) {
        size_t end;

        if (origin->is_done && (unsigned char)text[at] < 0x80) {
            end = at + add_ascii(precompiled, text + at, n - at, out);
            if (end > at) {
                at = end;
                continue;
            }
        }
        end = cluster_end(text, n, at);
        if (add_cluster(precompiled, text + at, end - at, &output, err) ||
            rewrite_check(out, n, err))
            return -1;
        at = end;
    }
    if (!origin->is_done)
        tell(&output, 0, 0);
    return 0;
}
