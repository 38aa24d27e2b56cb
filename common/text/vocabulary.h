/* vocabulary.h - which token has which id: what must agree before two models are mixed.
 *
 * Read from whichever file a model has: tokenizer.json (added tokens included), vocab.txt,
 * vocab.json with added_tokens.json, or a sentencepiece model; and the added tokens of
 * tokenizer_config.json. Only the map is read: not how text is split. Source: tokenizers.md 1, 10. */
#ifndef COCKTAIL_VOCABULARY_H
#define COCKTAIL_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/hash.h"

struct vocabulary { /* a zeroed struct is "no tokenizer" */
    const char *kind;     /* "BPE", "WordPiece", "Unigram", …, "sentencepiece"; NULL: none */
    const char *file;     /* that it was read from, relative to the folder */
    struct hash_map ids;  /* token -> id */
    struct arena arena;
};

/* Reads the tokenizer files in `directory` of the folder. None there: the struct stays zeroed,
 * which is no error. ERROR_FORMAT when one is malformed. */
int vocabulary_load(struct vocabulary *vocabulary, const struct folder *folder,
                    const char *directory, struct error *err);
void vocabulary_release(struct vocabulary *vocabulary);

/* Whether both map the same tokens to the same ids. If not, one difference is added to `out`:
 * "token 'x' has id 5 here and 7 there", `here` and `there` being the given names. */
bool vocabulary_same(const struct vocabulary *a, const struct vocabulary *b, const char *here,
                     const char *there, struct buffer *out);

#endif
