#include "bpe_joins.h"

#include <stdlib.h>

#include "base/memory.h"
#include "text/pretokenizer.h"
#include "text/unicode.h"

enum { BITS_MIN = 12, BITS_MAX = 21, DISPLAY_END = 0x144 };

/* ---- pairs ---- */

/* Parts of characters are keys, too, above all code points: up to three bytes and their number. */
static uint32_t part_key(const char *bytes, size_t n)
{
    uint32_t key = 0x80000000u | (uint32_t)n << 24;

    for (size_t i = 0; i < n; i++)
        key |= (uint32_t)(unsigned char)bytes[i] << (8 * i);
    return key;
}

static bool is_part(uint32_t key)
{
    return key >= 0x80000000u;
}

static void set_bit(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= (uint64_t)1 << i % 64;
}

static void add_pair(struct bpe_joins *joins, uint32_t left, uint32_t right)
{
    uint64_t hash = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    size_t bit = (hash ^ hash << 31) * 0xd6e8feb86659fd93u >> joins->shift;

    joins->bits[bit / 64] |= (uint64_t)1 << bit % 64;
    if (is_part(left) && is_part(right))
        set_bit(joins->part_leads, right & 0xff);
    else if (is_part(right))
        set_bit(joins->before_part, left % 4096);
    else if (is_part(left))
        set_bit(joins->behind_part, right % 4096);
}

bool bpe_joins_has_parts(const struct bpe_joins *joins, const char *right, size_t n_left,
                         uint32_t left_code_point, size_t n_right, uint32_t right_code_point)
{
    for (size_t i = n_left; i > 0; i--) {
        uint32_t left_key = i < n_left ? part_key(right - i, i) : left_code_point;

        for (size_t j = n_right; j > 0; j--) {
            uint32_t right_key = j < n_right ? part_key(right, j) : right_code_point;

            if (bpe_joins_has(joins, left_key, right_key))
                return true;
        }
    }
    return false;
}

/* ---- tokens ---- */

/* What begins at token[at], token[n]: a character, or the first part of one that the token ends in.
 * Its length, or 0 where no text can have what stands there. */
static size_t read_unit(const char *token, size_t n, size_t at, uint32_t *key)
{
    unsigned char lead = (unsigned char)token[at];
    size_t wanted = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    if (wanted > n - at) {
        *key = part_key(token + at, n - at);
        return n - at;
    }
    if (wanted == 0 || utf8_sequence((const unsigned char *)token + at, n - at) == 0)
        return 0;
    return unicode_decode(token, at, key);
}

/* Neighbours in one token. The last part of a character may begin it. */
static void add_token(struct bpe_joins *joins, const char *token, size_t n)
{
    size_t at = 0, length;
    uint32_t left, right;
    bool has_left;

    while (at < n && ((unsigned char)token[at] & 0xc0) == 0x80)
        at++;
    has_left = at > 0 && at < 4;
    if (has_left)
        left = part_key(token, at);
    for (; at < n; at += length ? length : 1) {
        length = read_unit(token, n, at, &right);
        if (has_left && length && !(joins->of_bytes && (left | right) < 0x80))
            add_pair(joins, left, right);
        left = right;
        has_left = length > 0;
    }
}

/* Display characters as the bytes that they stand for; returns how many. 0: there are others, then
 * no word has such a token, or all are ASCII, then nothing needs to be known of it. */
static size_t read_display(const short bytes[DISPLAY_END], const char *token, size_t n, char *out)
{
    size_t n_bytes = 0;
    unsigned all = 0;

    for (size_t at = 0; at < n;) {
        uint32_t code_point = (unsigned char)token[at];
        size_t length = code_point < 0x80
                            ? 1 : utf8_sequence((const unsigned char *)token + at, n - at);

        if (length == 0 || length > 2)
            return 0;
        if (length == 2)
            unicode_decode(token, at, &code_point);
        if (code_point >= DISPLAY_END || bytes[code_point] < 0)
            return 0;
        all |= (unsigned)bytes[code_point];
        out[n_bytes++] = (char)bytes[code_point];
        at += length;
    }
    return all < 0x80 ? 0 : n_bytes;
}

static void add_tokens(struct bpe_joins *joins, const struct token_table *tokens,
                       const bool *is_used)
{
    char *raw = memory_alloc(tokens->longest + 1);
    short bytes[DISPLAY_END];

    for (unsigned i = 0; i < DISPLAY_END; i++)
        bytes[i] = (short)pretokenizer_display_to_byte(i);
    for (uint32_t i = 0; i < tokens->n_entries; i++) {
        size_t length;
        const char *token = token_table_bytes(tokens, i, &length);

        if (is_used && !is_used[tokens->entries[i].id])
            continue;
        if (joins->of_bytes)
            add_token(joins, raw, read_display(bytes, token, length, raw));
        else
            add_token(joins, token, length);
    }
    free(raw);
}

struct bpe_joins *bpe_joins_new(const struct token_table *tokens, const bool *is_used,
                                bool of_bytes)
{
    struct bpe_joins *joins = memory_zalloc(1, sizeof *joins);
    unsigned bits = BITS_MIN;

    while (bits < BITS_MAX && (size_t)1 << bits < 16 * tokens->n_entries)
        bits++;
    joins->shift = 64 - bits;
    joins->bits = memory_zalloc(((size_t)1 << bits) / 64, sizeof *joins->bits);
    joins->of_bytes = of_bytes;
    add_tokens(joins, tokens, is_used);
    return joins;
}

void bpe_joins_free(struct bpe_joins *joins)
{
    if (!joins)
        return;
    free(joins->bits);
    free(joins);
}
