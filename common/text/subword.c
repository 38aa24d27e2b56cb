/* subword.c - what the four kinds share, and a map, which has a vocabulary and nothing else. */
#include "subword.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/pretokenizer.h"
#include "text/subword_model.h"

/* ---- maps ---- */

static void release_nothing(struct subword *subword)
{
    (void)subword;
}

static void describe_nothing(const struct subword *subword, struct buffer *out)
{
    (void)subword;
    (void)out;
}

struct subword *subword_new_map(struct token_table *tokens, const char *type)
{
    static const struct subword_kind kinds[] = {
        {"BPE", NULL, NULL, release_nothing, describe_nothing},
        {"WordPiece", NULL, NULL, release_nothing, describe_nothing},
        {"WordLevel", NULL, NULL, release_nothing, describe_nothing},
        {"Unigram", NULL, NULL, release_nothing, describe_nothing},
    };
    struct subword *subword = memory_zalloc(1, sizeof *subword);
    size_t i = 0;

    while (i + 1 < sizeof kinds / sizeof *kinds && strcmp(kinds[i].name, type) != 0)
        i++;
    *subword = (struct subword){.kind = &kinds[i], .tokens = *tokens};
    *tokens = (struct token_table){0};
    token_table_seal(&subword->tokens);
    return subword;
}

/* ---- what all kinds have ---- */

void subword_free(struct subword *subword)
{
    if (!subword)
        return;
    subword->kind->release(subword);
    token_table_release(&subword->tokens);
    free(subword);
}

void subword_finish(struct subword *subword, bool of_bytes)
{
    subword->uses_bytes = of_bytes;
    if (subword->kind->finish)
        subword->kind->finish(subword);
}

void subword_spell(const char *bytes, size_t n, struct buffer *out)
{
    for (size_t i = 0; i < n; i++)
        utf8_add(out, pretokenizer_byte_to_display((unsigned char)bytes[i]));
}

const char *subword_type(const struct subword *subword)
{
    return subword->kind->name;
}

size_t subword_n_tokens(const struct subword *subword)
{
    return subword->tokens.n_entries;
}

bool subword_find(const struct subword *subword, const char *token, size_t length, uint32_t *id)
{
    *id = token_table_id(&subword->tokens, token, length);
    return *id != TOKEN_NONE;
}

const char *subword_token(const struct subword *subword, uint32_t id, size_t *length)
{
    return token_table_token(&subword->tokens, id, length);
}

void subword_describe(const struct subword *subword, struct buffer *out)
{
    subword->kind->describe(subword, out);
}

void subword_take_tokens(struct subword *subword, struct token_table *tokens)
{
    *tokens = subword->tokens;
    subword->tokens = (struct token_table){0};
}

struct subword_scratch *subword_scratch_new(const struct subword *subword)
{
    struct subword_scratch *scratch = memory_zalloc(1, sizeof *scratch);

    (void)subword;
    word_cache_init(&scratch->cache);
    return scratch;
}

void subword_scratch_free(struct subword_scratch *scratch)
{
    if (!scratch)
        return;
    word_cache_release(&scratch->cache);
    buffer_release(&scratch->spelling);
    buffer_release(&scratch->character);
    free(scratch->work);
    free(scratch->symbols);
    free(scratch);
}

void *subword_work(struct subword_scratch *scratch, size_t n, size_t size, struct error *err)
{
    static const size_t least_bytes = 64 * 1024;

    if (n <= scratch->work_bytes / size)
        return scratch->work;
    if (n < least_bytes / size)
        n = least_bytes / size;
    free(scratch->work);
    scratch->work_bytes = 0;
    scratch->work = memory_try(n, size, "a long word", err);
    if (scratch->work)
        scratch->work_bytes = n * size;
    return scratch->work;
}

void subword_find_bytes(const struct token_table *tokens, uint32_t ids[256])
{
    static const char digits[] = "0123456789ABCDEF";

    for (unsigned byte = 0; byte < 256; byte++) {
        char token[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};

        ids[byte] = token_table_id(tokens, token, sizeof token);
    }
}

bool subword_add_bytes(const uint32_t byte_ids[256], const char *bytes, size_t n, struct ids *ids)
{
    for (size_t i = 0; i < n; i++)
        if (byte_ids[(unsigned char)bytes[i]] == TOKEN_NONE)
            return false;
    for (size_t i = 0; i < n; i++)
        ids_add(ids, byte_ids[(unsigned char)bytes[i]]);
    return true;
}

static int encode_word(const struct subword *subword, struct subword_scratch *scratch,
                       const char *word, size_t n, struct ids *ids, struct error *err)
{
    if (subword->uses_bytes && !subword->kind->finish) {
        buffer_clear(&scratch->spelling);
        subword_spell(word, n, &scratch->spelling);
        word = scratch->spelling.data;
        n = scratch->spelling.size;
    }
    return subword->kind->encode(subword, scratch, word, n, ids, err);
}

int subword_encode(const struct subword *subword, struct subword_scratch *scratch,
                   const char *word, size_t n, struct ids *ids, struct error *err)
{
    size_t n_before = ids->n_items;
    struct word_key key;

    if (!subword->caches_words || n > WORD_CACHE_BYTES)
        return encode_word(subword, scratch, word, n, ids, err);
    if (word_cache_find(&scratch->cache, word, n, false, &key, ids))
        return 0;
    if (encode_word(subword, scratch, word, n, ids, err))
        return -1;
    if (!scratch->came_apart)
        word_cache_add(&scratch->cache, &key, ids, n_before);
    return 0;
}
