#include "wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/byte_trie.h"
#include "text/subword_model.h"

struct wordpiece {
    struct subword base;
    struct byte_trie first, rest; /* for the beginning of a word; for the rest, without prefix */
    uint32_t unk_id;              /* TOKEN_NONE: named but missing, an error when it is needed */
    size_t max_characters;
    char *prefix;
};

static size_t count_characters(const char *text, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static int add_unknown(const struct wordpiece *model, struct ids *ids, struct error *err)
{
    if (model->unk_id == TOKEN_NONE)
        return error_set(err, ERROR_FORMAT, "WordPiece: the unk_token is not in the vocabulary");
    ids_add(ids, model->unk_id);
    return 0;
}

static int encode(const struct subword *subword, struct subword_scratch *scratch, const char *word,
                  size_t n, struct ids *ids, struct error *err)
{
    const struct wordpiece *model = (const struct wordpiece *)subword;
    size_t n_before = ids->n_items;

    (void)scratch;
    if (n > model->max_characters && count_characters(word, n) > model->max_characters)
        return add_unknown(model, ids, err);
    for (size_t at = 0; at < n;) {
        const struct byte_trie *trie = at ? &model->rest : &model->first;
        struct byte_trie_walk walk = {0};
        uint32_t found = TOKEN_NONE, entry;
        size_t length = 0;

        while ((entry = byte_trie_next(trie, &walk, word + at, n - at)) != TOKEN_NONE) {
            found = entry;
            length = walk.length;
        }
        if (found == TOKEN_NONE) {
            ids->n_items = n_before;
            return add_unknown(model, ids, err);
        }
        ids_add(ids, subword->tokens.entries[found].id);
        at += length;
    }
    return 0;
}

static void release(struct subword *subword)
{
    struct wordpiece *model = (struct wordpiece *)subword;

    byte_trie_release(&model->first);
    byte_trie_release(&model->rest);
    free(model->prefix);
}

static void describe(const struct subword *subword, struct buffer *out)
{
    const struct wordpiece *model = (const struct wordpiece *)subword;

    buffer_format(out, "%u %zu %s", (unsigned)model->unk_id, model->max_characters, model->prefix);
}

static const struct subword_kind wordpiece_kind = {"WordPiece", encode, NULL, release, describe};

struct wordpiece_settings wordpiece_bert_settings(void)
{
    return (struct wordpiece_settings){{"[UNK]", 5}, {"##", 2}, 100};
}

struct subword *wordpiece_new(struct token_table *tokens,
                              const struct wordpiece_settings *settings, struct error *err)
{
    struct wordpiece *model = memory_zalloc(1, sizeof *model);
    struct subword *base = &model->base;

    *base = (struct subword){.kind = &wordpiece_kind, .tokens = *tokens, .caches_words = true};
    *tokens = (struct token_table){0};
    token_table_seal(&base->tokens);
    model->unk_id = token_table_id(&base->tokens, settings->unk_token.bytes,
                                   settings->unk_token.length);
    model->max_characters = settings->max_input_chars_per_word;
    model->prefix = memory_format("%.*s", (int)settings->continuing_subword_prefix.length,
                                  settings->continuing_subword_prefix.bytes);
    if (byte_trie_init(&model->first, &base->tokens, "", 0, err) ||
        byte_trie_init(&model->rest, &base->tokens, settings->continuing_subword_prefix.bytes,
                       settings->continuing_subword_prefix.length, err)) {
        subword_free(base);
        return NULL;
    }
    return base;
}

uint32_t wordpiece_unknown(const struct subword *subword)
{
    return ((const struct wordpiece *)subword)->unk_id;
}

int wordpiece_read_lines(struct token_table *tokens, const char *text, size_t size,
                         struct error *err)
{
    size_t valid = utf8_valid_prefix(text, size);

    if (valid < size)
        return error_set(err, ERROR_FORMAT, "at byte %zu: invalid UTF-8", valid);
    for (size_t id = 0; size > 0; id++) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size, step = end ? length + 1 : length;

        if (length && text[length - 1] == '\r')
            length--;
        if (token_table_put(tokens, text, length, id, NULL, err))
            return -1;
        text += step;
        size -= step;
    }
    return 0;
}
