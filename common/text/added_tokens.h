/* added_tokens.h - tokens that are found in the text before anything else is done to it.
 *
 * Leftmost, longest, not overlapping; then single_word, lstrip and rstrip. Two sets exist: one is
 * searched in the raw text, one in the normalized text. Rules:
 * docs/tokenizers.md, "Added tokens". */
#ifndef COCKTAIL_ADDED_TOKENS_H
#define COCKTAIL_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct added_token {
    char *content;
    size_t length;
    char *normal;        /* what is searched and decoded: the normalized content; NULL: content */
    size_t normal_length;
    uint32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
};

/* What a text is cut into: tokens, and the text between them (token NULL). */
struct added_span {
    size_t start, end;
    const struct added_token *token;
};

struct added_matcher;

/* A matcher over those of tokens[n_tokens] whose `normalized` is this; NULL when there is none. The
 * tokens are borrowed. Freed with added_matcher_free. */
struct added_matcher *added_matcher_new(const struct added_token *tokens, size_t n_tokens,
                                        bool normalized);
void added_matcher_free(struct added_matcher *matcher);

struct added_search { /* set matcher (NULL: no tokens), text and n, the rest zero */
    const struct added_matcher *matcher;
    const char *text; /* valid UTF-8 */
    size_t n;
    bool skips_marked; /* tokens between the marks of marks.h are text */
    size_t done, scanned;
    struct added_span pending; /* a token whose text before it was handed out first */
    bool has_pending;
};
/* The next span that is not empty; false at the end. */
bool added_search_next(struct added_search *search, struct added_span *span);

#endif
