#include "wordlevel.h"

#include <stdlib.h>

#include "base/memory.h"
#include "text/subword_model.h"

struct wordlevel {
    struct subword base;
    uint32_t unk_id; /* TOKEN_NONE: the file names one that is not in the vocabulary */
};

static int encode(const struct subword *subword, struct subword_scratch *scratch, const char *word,
                  size_t n, struct ids *ids, struct error *err)
{
    const struct wordlevel *model = (const struct wordlevel *)subword;
    uint32_t id = token_table_id(&subword->tokens, word, n);

    (void)scratch;
    if (id == TOKEN_NONE)
        id = model->unk_id;
    if (id == TOKEN_NONE)
        return error_set(err, ERROR_FORMAT, "WordLevel: the word '%.*s' is not in the vocabulary, "
                         "nor is the unk_token", n < 160 ? (int)n : 160, word);
    ids_add(ids, id);
    return 0;
}

static void release(struct subword *subword)
{
    (void)subword;
}

static void describe(const struct subword *subword, struct buffer *out)
{
    buffer_format(out, "%u", (unsigned)((const struct wordlevel *)subword)->unk_id);
}

static const struct subword_kind wordlevel_kind = {"WordLevel", encode, NULL, release, describe};

struct subword *wordlevel_new(struct token_table *tokens, struct json_text unk_token)
{
    struct wordlevel *model = memory_zalloc(1, sizeof *model);

    model->base = (struct subword){.kind = &wordlevel_kind, .tokens = *tokens};
    *tokens = (struct token_table){0};
    token_table_seal(&model->base.tokens);
    model->unk_id = token_table_id(&model->base.tokens, unk_token.bytes, unk_token.length);
    return &model->base;
}
