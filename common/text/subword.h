/* subword.h - the third stage: a word in, token ids out. WordLevel, WordPiece, BPE, Unigram.
 * Rules: docs/tokenizers.md, "Models". */
#ifndef COCKTAIL_SUBWORD_H
#define COCKTAIL_SUBWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "text/ids.h"
#include "text/token_table.h"

struct subword;
struct subword_scratch; /* per thread: work arrays and the cache of words */

/* Made by subword_load, or from parts, for fallback files: see bpe.h, wordpiece.h, unigram.h,
 * wordlevel.h. */
void subword_free(struct subword *subword);

/* A map, for whoever only asks which token has which id: words cannot be encoded. `type` as below.
 * Takes over *tokens. */
struct subword *subword_new_map(struct token_table *tokens, const char *type);

/* Call before any encoding. of_bytes: words will come as raw bytes whose display characters
 * the vocabulary is written in (pretokenizer_is_byte_level). */
void subword_finish(struct subword *subword, bool of_bytes);

/* Adds the display characters of raw bytes to `out`: how a byte-level vocabulary spells them. */
void subword_spell(const char *bytes, size_t n, struct buffer *out);

const char *subword_type(const struct subword *subword); /* "BPE", … */
/* Entries of the vocabulary: where the ids of added tokens begin. */
size_t subword_n_tokens(const struct subword *subword);
/* Lookups as in the file (display characters and all). Token: borrowed, NULL when no such id. */
bool subword_find(const struct subword *subword, const char *token, size_t length, uint32_t *id);
const char *subword_token(const struct subword *subword, uint32_t id, size_t *length);

/* Adds what decides the ids of a word (merges in their order, scores, …), in bytes that are the
 * same for two that do the same with the same tokens. */
void subword_describe(const struct subword *subword, struct buffer *out);
/* Moves the vocabulary out: the subword can only be freed then. */
void subword_take_tokens(struct subword *subword, struct token_table *tokens);

struct subword_scratch *subword_scratch_new(const struct subword *subword);
void subword_scratch_free(struct subword_scratch *scratch);

/* Appends the ids of one word (n > 0 bytes). ERROR_FORMAT when the file has no way to spell it (an
 * unk_token that is missing, say). */
int subword_encode(const struct subword *subword, struct subword_scratch *scratch,
                   const char *word, size_t n, struct ids *ids, struct error *err);

#endif
