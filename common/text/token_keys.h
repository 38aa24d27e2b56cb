/* token_keys.h - tokens of different vocabularies, compared by what they stand for.
 *
 * Vocabularies write the start of a word in their own way, and call their special tokens as they like.
 * The key of a token says: a special token by its role ("bos_token"), a token that starts a word without
 * its mark, or any other as it is. Tokens with equal keys are the same token. Rules:
 * docs/tokenizers.md, "Tokens of another vocabulary". */
#ifndef COCKTAIL_TOKEN_KEYS_H
#define COCKTAIL_TOKEN_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/hash.h"
#include "text/vocabulary.h"

enum { TOKEN_ROLES = 7 };
extern const char *const token_roles[TOKEN_ROLES]; /* "bos_token", …, the first that fits counts */

struct token_keys {
    struct vocabulary vocabulary;
    bool is_byte_level;       /* the mark is the display character of a blank, and others stand for bytes */
    uint32_t roles[TOKEN_ROLES]; /* ids, or TOKEN_NONE */
    struct hash_map by_key;   /* -> the lowest id */
    struct arena arena;       /* of the keys */
};

/* Takes over the vocabulary of a model, which has tokens, also on failure; the roles come from the files
 * beside it in `directory` of the folder. ERROR_FORMAT. Released with token_keys_release in every case. */
int token_keys_load(struct token_keys *keys, struct vocabulary *vocabulary,
                    const struct folder *folder, const char *directory, struct error *err);
void token_keys_release(struct token_keys *keys);

/* How many ids there are: as many as tokens, or up to the highest. */
size_t token_keys_n_ids(const struct token_keys *keys);
/* Replaces what `out` holds by the key of the token; false: no token has the id. */
bool token_keys_of(const struct token_keys *keys, uint32_t id, struct buffer *out);

enum token_match { TOKEN_NO_MATCH, TOKEN_SAME, TOKEN_SAME_BYTE, TOKEN_PREFIX };

struct token_search { /* what counts as a match besides the same key */
    bool bytes;    /* <0x41> and A */
    bool prefixes; /* the longest proper prefix that is a token and no blanks */
    size_t n_ids;  /* ids from here on are none */
};
/* The token of `keys` for one of another vocabulary, by its key. */
enum token_match token_keys_match(const struct token_keys *keys, const struct token_search *search,
                                  const struct buffer *key, uint32_t *id);

/* Replaces what `out` holds by the text that the token stands for: blanks for marks, bytes for display
 * characters where they are valid UTF-8; as it is spelled where not. */
void token_keys_text(const struct token_keys *keys, uint32_t id, struct buffer *out);

#endif
