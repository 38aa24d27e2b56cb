#include "vocabulary.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/tokenizer_parts.h"

/* ---- loading ---- */

static void keep_parts(struct vocabulary *vocabulary, const struct tokenizer *tokenizer)
{
    struct buffer text = {0};

    for (size_t i = 0; i < TOKENIZER_PARTS; i++) {
        struct digest digest;

        buffer_clear(&text);
        tokenizer_describe(tokenizer, (enum tokenizer_part)i, &text);
        digest_init(&digest, DIGEST_SHA256);
        digest_add(&digest, text.data, text.size);
        digest_hex(&digest, vocabulary->parts[i]);
    }
    buffer_release(&text);
}

static void keep_added(struct vocabulary *vocabulary, const struct tokenizer *tokenizer)
{
    size_t n = tokenizer->n_added;

    vocabulary->n_plain = subword_n_tokens(tokenizer->subword);
    vocabulary->added = memory_zalloc(n + 1, sizeof *vocabulary->added);
    for (size_t i = 0; i < n; i++) {
        struct added_token *added = &vocabulary->added[vocabulary->n_added++];

        *added = tokenizer->added[i];
        added->normal = NULL;
        added->normal_length = 0;
        added->content = memory_alloc(added->length + 1);
        memcpy(added->content, tokenizer->added[i].content, added->length);
        added->content[added->length] = '\0';
    }
}

int vocabulary_load(struct vocabulary *vocabulary, const struct folder *folder,
                    const char *directory, struct error *err)
{
    struct vocabulary loaded = {0};
    struct error problem = {0};
    struct tokenizer *tokenizer;
    int rc = -1;

    *vocabulary = (struct vocabulary){0};
    if (!tokenizer_is_there(folder, directory))
        return 0;
    tokenizer = tokenizer_load(folder, directory, &problem);
    if (tokenizer) {
        keep_parts(&loaded, tokenizer);
    } else if (problem.code != ERROR_FORMAT && problem.code != ERROR_UNSUPPORTED) {
        *err = problem; /* of the disk, say: nothing to get around */
    } else {
        loaded.problem = memory_copy(problem.text);
        tokenizer = tokenizer_load_map(folder, directory, err);
    }
    if (tokenizer) {
        loaded.kind = tokenizer_type(tokenizer);
        loaded.file = folder_join(directory, tokenizer_file(tokenizer));
        loaded.is_guess = tokenizer_is_guess(tokenizer);
        keep_added(&loaded, tokenizer);
        rc = tokenizer_take_tokens(tokenizer, &loaded.tokens, err);
        tokenizer_free(tokenizer);
    }
    if (rc)
        vocabulary_release(&loaded);
    else
        *vocabulary = loaded;
    return rc;
}

void vocabulary_release(struct vocabulary *vocabulary)
{
    token_table_release(&vocabulary->tokens);
    for (size_t i = 0; i < vocabulary->n_added; i++)
        free(vocabulary->added[i].content);
    free(vocabulary->added);
    free(vocabulary->file);
    free(vocabulary->problem);
    *vocabulary = (struct vocabulary){0};
}

/* ---- comparing ---- */

struct place {
    const char *token;
    size_t length;
    uint32_t id;
};

/* Whether the token has this id. Of equal pieces in a list each has its own. */
static bool has(const struct token_table *tokens, const struct place *place)
{
    size_t length;
    const char *token;

    if (token_table_id(tokens, place->token, place->length) == place->id)
        return true;
    token = token_table_token(tokens, place->id, &length);
    return token && length == place->length && memcmp(token, place->token, length) == 0;
}

/* The first token of `a` that `b` lacks or numbers otherwise, in the order of ids. */
static bool find_difference(const struct token_table *a, const struct token_table *b,
                            struct place *found)
{
    bool is_found = false;

    for (uint32_t i = 0; i < a->n_entries; i++) {
        struct place place = {.id = a->entries[i].id};

        place.token = token_table_bytes(a, i, &place.length);
        if ((is_found && (place.id > found->id ||
                          (place.id == found->id && strcmp(place.token, found->token) >= 0))) ||
            has(b, &place))
            continue;
        *found = place;
        is_found = true;
    }
    return is_found;
}

static void describe(const struct place *place, const struct token_table *other, const char *here,
                     const char *there, struct buffer *out)
{
    uint32_t id = token_table_id(other, place->token, place->length);

    buffer_format(out, "token '" ERROR_NAME "' has id %u in '%s' and ", place->token,
                  (unsigned)place->id, here);
    if (id != TOKEN_NONE)
        buffer_format(out, "%u in '%s'", (unsigned)id, there);
    else
        buffer_format(out, "is not in '%s'", there);
}

bool vocabulary_same(const struct vocabulary *a, const struct vocabulary *b, const char *here,
                     const char *there, struct buffer *out)
{
    struct place place;

    if (find_difference(&a->tokens, &b->tokens, &place))
        describe(&place, &b->tokens, here, there, out);
    else if (find_difference(&b->tokens, &a->tokens, &place))
        describe(&place, &a->tokens, there, here, out);
    else
        return true;
    return false;
}

bool vocabulary_same_rules(const struct vocabulary *a, const struct vocabulary *b,
                           struct buffer *out)
{
    static const char *const names[TOKENIZER_PARTS] = {
        [TOKENIZER_ADDED] = "added tokens",
        [TOKENIZER_NORMALIZER] = "normalizer",
        [TOKENIZER_PRETOKENIZER] = "pre-tokenizer",
        [TOKENIZER_TEMPLATE] = "special tokens around a text",
    };
    const char *model = strcmp(a->kind, "BPE") == 0       ? "merges"
                        : strcmp(a->kind, "Unigram") == 0 ? "scores"
                                                          : "unknown token or prefix";
    bool is_same = true;

    if (a->problem || b->problem)
        return true;
    for (size_t i = 0; i < TOKENIZER_PARTS; i++) {
        if (strcmp(a->parts[i], b->parts[i]) == 0 &&
            (i != TOKENIZER_MODEL || strcmp(a->kind, b->kind) == 0))
            continue;
        buffer_format(out, "%s%s", is_same ? "" : ", ", names[i] ? names[i] : model);
        is_same = false;
    }
    return is_same;
}
