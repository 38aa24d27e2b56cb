/* subword_model.h - what the four kinds of model have in common; for their own files only.
 *
 * A kind is a struct that begins with struct subword, a row of functions, and a constructor. */
#ifndef COCKTAIL_SUBWORD_MODEL_H
#define COCKTAIL_SUBWORD_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "text/ids.h"
#include "text/subword.h"
#include "text/token_table.h"
#include "text/word_cache.h"

struct subword_kind {
    const char *name;
    /* Words arrive as the vocabulary spells them; where `finish` is there and uses_bytes is set, as
     * raw bytes. */
    int (*encode)(const struct subword *subword, struct subword_scratch *scratch, const char *word,
                  size_t n, struct ids *ids, struct error *err);
    void (*finish)(struct subword *subword); /* NULL: words are spelled out before encode */
    void (*release)(struct subword *subword);
    /* Adds what decides the ids of a word beside the tokens' ids. */
    void (*describe)(const struct subword *subword, struct buffer *out);
};

struct subword {
    const struct subword_kind *kind;
    struct token_table tokens;
    bool caches_words; /* subword_encode keeps whole words; else encode may keep parts of them */
    bool uses_bytes;
};

struct subword_scratch {
    struct word_cache cache;
    struct buffer spelling; /* a word in display characters */
    struct buffer character;
    void *work;             /* of work_bytes bytes */
    size_t work_bytes;
    uint32_t *symbols; /* BPE */
    size_t n_symbols, symbols_capacity;
    bool came_apart; /* BPE: parts of the last word are in the cache, and need not stand there twice */
};

/* Room for n * size bytes (n > 0), whose content is lost by the next call; NULL with
 * ERROR_RESOURCES. */
void *subword_work(struct subword_scratch *scratch, size_t n, size_t size, struct error *err);

/* "<0xE3>" and so on: ids[byte], TOKEN_NONE where the vocabulary has none. */
void subword_find_bytes(const struct token_table *tokens, uint32_t ids[256]);
/* Adds the ids of all bytes, or nothing when one of them is missing. */
bool subword_add_bytes(const uint32_t byte_ids[256], const char *bytes, size_t n, struct ids *ids);

/* Length in bytes (at most n) of the character that begins with bytes[0]. */
static inline size_t subword_step(const char *bytes, size_t n)
{
    unsigned char first = (unsigned char)bytes[0];
    size_t length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    return length < n ? length : n;
}

/* The code point of one whole character. */
static inline uint32_t subword_code_point(const char *bytes, size_t length)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code_point = (unsigned char)bytes[0] & masks[length];

    for (size_t i = 1; i < length; i++)
        code_point = code_point << 6 | ((unsigned char)bytes[i] & 0x3f);
    return code_point;
}

#endif
