/* token_keys.c - the key of a token is a letter for its kind and its text: "s" with the role of a special
 * token, "w" without the mark for the start of a word, "p" for any other. */
#include "token_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/pretokenizer.h"
#include "text/tokenizer_config.h"

const char *const token_roles[TOKEN_ROLES] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                              "pad_token", "cls_token", "mask_token"};

static const char byte_mark[] = "\xc4\xa0", metaspace_mark[] = "\xe2\x96\x81"; /* U+0120, U+2581 */

enum { KEY_SPECIAL = 's', KEY_WORD = 'w', KEY_PLAIN = 'p' };

static bool begins_with(const char *text, size_t n, const char *start)
{
    size_t length = strlen(start);

    return n >= length && memcmp(text, start, length) == 0;
}

static const char *mark_of(const struct token_keys *keys)
{
    return keys->is_byte_level ? byte_mark : metaspace_mark;
}

/* ---- keys ---- */

/* The mark that more tokens begin with. */
static void find_mark(struct token_keys *keys)
{
    const struct token_table *tokens = &keys->vocabulary.tokens;
    size_t n_byte = 0, n_metaspace = 0;

    for (uint32_t i = 0; i < tokens->n_entries; i++) {
        size_t n;
        const char *token = token_table_bytes(tokens, i, &n);

        n_byte += begins_with(token, n, byte_mark);
        n_metaspace += begins_with(token, n, metaspace_mark);
    }
    keys->is_byte_level = n_byte > n_metaspace;
}

static void add_key(const struct token_keys *keys, const char *token, size_t n, uint32_t id,
                    struct buffer *out)
{
    const char *mark = mark_of(keys);

    buffer_clear(out);
    if (begins_with(token, n, mark)) {
        buffer_add_char(out, KEY_WORD);
        buffer_add(out, token + strlen(mark), n - strlen(mark));
        return;
    }
    for (size_t i = 0; i < TOKEN_ROLES; i++)
        if (keys->roles[i] == id) {
            buffer_add_char(out, KEY_SPECIAL);
            buffer_add_text(out, token_roles[i]);
            return;
        }
    buffer_add_char(out, KEY_PLAIN);
    buffer_add(out, token, n);
}

static void index_keys(struct token_keys *keys)
{
    const struct token_table *tokens = &keys->vocabulary.tokens;
    struct buffer key = {0};

    for (uint32_t i = 0; i < tokens->n_entries; i++) {
        size_t n, *found;
        const char *token = token_table_bytes(tokens, i, &n);
        uint32_t id = tokens->entries[i].id;

        add_key(keys, token, n, id, &key);
        found = hash_map_find(&keys->by_key, key.data, key.size);
        if (!found)
            hash_map_add(&keys->by_key, arena_copy(&keys->arena, key.data, key.size), key.size, id);
        else if (*found > id)
            *found = id;
    }
    buffer_release(&key);
}

int token_keys_load(struct token_keys *keys, struct vocabulary *vocabulary,
                    const struct folder *folder, const char *directory, struct error *err)
{
    struct tokenizer_config config;

    *keys = (struct token_keys){.vocabulary = *vocabulary};
    *vocabulary = (struct vocabulary){0};
    if (tokenizer_config_load(&config, folder, directory, err))
        return -1;
    for (size_t i = 0; i < TOKEN_ROLES; i++) {
        const char *content = tokenizer_config_find(&config, token_roles[i]);

        keys->roles[i] = content ? token_table_id(&keys->vocabulary.tokens, content,
                                                  strlen(content))
                                 : TOKEN_NONE;
    }
    tokenizer_config_release(&config);
    find_mark(keys);
    index_keys(keys);
    return 0;
}

void token_keys_release(struct token_keys *keys)
{
    vocabulary_release(&keys->vocabulary);
    hash_map_release(&keys->by_key);
    arena_release(&keys->arena);
    *keys = (struct token_keys){0};
}

size_t token_keys_n_ids(const struct token_keys *keys)
{
    const struct token_table *tokens = &keys->vocabulary.tokens;
    size_t n = tokens->n_entries, n_ids = n ? (size_t)tokens->max_id + 1 : 0;

    return n > n_ids ? n : n_ids;
}

bool token_keys_of(const struct token_keys *keys, uint32_t id, struct buffer *out)
{
    size_t n;
    const char *token = token_table_token(&keys->vocabulary.tokens, id, &n);

    if (token)
        add_key(keys, token, n, id, out);
    return token != NULL;
}

/* ---- matching ---- */

static bool find(const struct token_keys *keys, const struct token_search *search, const char *key,
                 size_t n, uint32_t *id)
{
    const size_t *found = hash_map_find(&keys->by_key, key, n);

    if (!found || *found >= search->n_ids)
        return false;
    *id = (uint32_t)*found;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The one character below U+0100 that text[n] is; -1: it is another text. */
static int latin_character(const char *text, size_t n)
{
    unsigned char first = n ? (unsigned char)text[0] : 0;

    if (n == 1 && first < 0x80)
        return first;
    if (n == 2 && (first == 0xc2 || first == 0xc3))
        return (first & 3) << 6 | (text[1] & 0x3f);
    return -1;
}

static bool find_byte(const struct token_keys *keys, const struct token_search *search,
                      const char *text, size_t n, uint32_t *id)
{
    int character = latin_character(text, n);
    struct buffer key = {0};
    bool is_found;

    if (character >= 0) {
        buffer_format(&key, "%c<0x%02X>", KEY_PLAIN, (unsigned)character);
    } else if (n == 6 && begins_with(text, n, "<0x") && text[5] == '>' && hex_digit(text[3]) >= 0 &&
               hex_digit(text[4]) >= 0) {
        buffer_add_char(&key, KEY_PLAIN);
        utf8_add(&key, (uint32_t)(hex_digit(text[3]) << 4 | hex_digit(text[4])));
    }
    is_found = key.size && find(keys, search, key.data, key.size, id);
    buffer_release(&key);
    return is_found;
}

/* What Python's str.isspace() says yes to, as UTF-8, but for U+2000 to U+200A. */
static size_t blank_length(const char *text, size_t n)
{
    static const char *const blanks[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\xa8",
                                         "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r') || (text[0] >= 0x1c && text[0] <= 0x1f))
        return 1;
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++)
        if (begins_with(text, n, blanks[i]))
            return strlen(blanks[i]);
    if (begins_with(text, n, "\xe2\x80") && n > 2 && (unsigned char)text[2] <= 0x8a)
        return 3;
    return 0;
}

static bool is_blank(const char *text, size_t n)
{
    size_t length = 1;

    for (size_t i = 0; i < n && length; i += length)
        length = blank_length(text + i, n - i);
    return length > 0;
}

/* One of at least one character, shorter than key[1 … n - 1]. */
static bool find_prefix(const struct token_keys *keys, const struct token_search *search,
                        const char *key, size_t n, uint32_t *id)
{
    while (n > 2) {
        n--;
        while (n > 1 && ((unsigned char)key[n] & 0xc0) == 0x80)
            n--;
        if (is_blank(key + 1, n - 1))
            return false;
        if (find(keys, search, key, n, id))
            return true;
    }
    return false;
}

enum token_match token_keys_match(const struct token_keys *keys, const struct token_search *search,
                                  const struct buffer *key, uint32_t *id)
{
    if (find(keys, search, key->data, key->size, id))
        return TOKEN_SAME;
    if (key->data[0] == KEY_SPECIAL)
        return TOKEN_NO_MATCH;
    if (search->bytes && key->data[0] == KEY_PLAIN &&
        find_byte(keys, search, key->data + 1, key->size - 1, id))
        return TOKEN_SAME_BYTE;
    if (search->prefixes && find_prefix(keys, search, key->data, key->size, id))
        return TOKEN_PREFIX;
    return TOKEN_NO_MATCH;
}

/* ---- text ---- */

/* False: a character stands for no byte, or the bytes are no text. */
static bool add_bytes(const char *token, size_t n, struct buffer *out)
{
    for (size_t i = 0; i < n;) {
        size_t length = utf8_sequence((const unsigned char *)token + i, n - i);
        unsigned character = (unsigned char)token[i];
        int byte;

        if (length == 0 || length > 2)
            return false;
        if (length == 2)
            character = (character & 0x1f) << 6 | ((unsigned char)token[i + 1] & 0x3f);
        byte = pretokenizer_display_to_byte(character);
        if (byte < 0)
            return false;
        buffer_add_char(out, (char)byte);
        i += length;
    }
    return utf8_valid_prefix(out->data ? out->data : "", out->size) == out->size;
}

static void add_spaced(const char *token, size_t n, struct buffer *out)
{
    size_t length = strlen(metaspace_mark);

    for (size_t i = 0; i < n;)
        if (begins_with(token + i, n - i, metaspace_mark)) {
            buffer_add_char(out, ' ');
            i += length;
        } else {
            buffer_add_char(out, token[i++]);
        }
}

void token_keys_text(const struct token_keys *keys, uint32_t id, struct buffer *out)
{
    size_t n;
    const char *token = token_table_token(&keys->vocabulary.tokens, id, &n);

    buffer_clear(out);
    if (!token)
        return;
    if (!keys->is_byte_level) {
        add_spaced(token, n, out);
    } else if (!add_bytes(token, n, out)) {
        buffer_clear(out);
        buffer_add(out, token, n);
    }
}
