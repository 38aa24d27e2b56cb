/* vocabulary.h - which token has which id: what must agree before two models are mixed.
 *
 * It is what the tokenizer loader makes of a folder, and of the same file, so that nothing is
 * compared that would not be used. Of the rules that make ids of a text (merges, normalizer, …) it
 * keeps as much as tells whether two are the same. */
#ifndef COCKTAIL_VOCABULARY_H
#define COCKTAIL_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/folder.h"
#include "text/added_tokens.h"
#include "text/token_table.h"
#include "text/tokenizer.h"

struct vocabulary { /* a zeroed struct is "no tokenizer" */
    const char *kind;          /* "BPE", "WordPiece", "Unigram" or "WordLevel"; NULL: none */
    char *file;                /* that it was made of, relative to the folder */
    struct token_table tokens; /* with the added ones */
    char *problem;             /* why the loader cannot run it; NULL: it can */
    bool is_guess;             /* not even the ids are sure: a class that we do not know */
    char parts[TOKENIZER_PARTS][DIGEST_HEX_MAX]; /* with a problem: empty */
    struct added_token *added; /* [n_added] those that are found in a text first; `normal` is NULL */
    size_t n_added;
    size_t n_plain;            /* entries of the vocabulary without them */
};

/* Reads the tokenizer files in `directory` of the folder. None there: the struct stays zeroed,
 * which is no error. Whatever is wrong apart from tokens and ids becomes the `problem`; ERROR_FORMAT
 * when these cannot be had. */
int vocabulary_load(struct vocabulary *vocabulary, const struct folder *folder,
                    const char *directory, struct error *err);
void vocabulary_release(struct vocabulary *vocabulary);

/* Whether both map the same tokens to the same ids. If not, one difference is added to `out`:
 * "token 'x' has id 5 here and 7 there", `here` and `there` being the given names. */
bool vocabulary_same(const struct vocabulary *a, const struct vocabulary *b, const char *here,
                     const char *there, struct buffer *out);
/* Whether both have the same rules; those that differ are added to `out`: "merges, normalizer".
 * True where one of them has a problem: nothing is known then. */
bool vocabulary_same_rules(const struct vocabulary *a, const struct vocabulary *b,
                           struct buffer *out);

#endif
