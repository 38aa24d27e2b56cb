/* added_tokens.c - leftmost-longest search without an automaton.
 *
 * The tokens are sorted by bytes, so the ones that share a prefix stand side by side: following
 * the text byte by byte narrows a range of the list. A table of first bytes makes positions where
 * no token can begin cost one look-up. */
#include "added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/marks.h"
#include "text/unicode.h"

struct added_matcher {
    const struct added_token **tokens; /* sorted by the bytes that are searched */
    size_t n_tokens;
    size_t first[257]; /* tokens that begin with byte b: first[b] … first[b + 1] - 1 */
};

static const char *pattern_of(const struct added_token *token, size_t *length)
{
    *length = token->normal ? token->normal_length : token->length;
    return token->normal ? token->normal : token->content;
}

/* Equal patterns (two tokens may be normalized to one) in the order of the file. */
static int compare_tokens(const void *a, const void *b)
{
    const struct added_token *first = *(const struct added_token *const *)a;
    const struct added_token *second = *(const struct added_token *const *)b;
    size_t n, m;
    const char *x = pattern_of(first, &n);
    const char *y = pattern_of(second, &m);
    int order = memcmp(x, y, n < m ? n : m);

    if (order || n != m)
        return order ? order : (n > m) - (n < m);
    return (first > second) - (first < second);
}

struct added_matcher *added_matcher_new(const struct added_token *tokens, size_t n_tokens,
                                        bool normalized)
{
    struct added_matcher *matcher = memory_zalloc(1, sizeof *matcher);
    size_t length;

    matcher->tokens = memory_zalloc(n_tokens, sizeof *matcher->tokens);
    for (size_t i = 0; i < n_tokens; i++) {
        pattern_of(&tokens[i], &length);
        if (tokens[i].normalized == normalized && length)
            matcher->tokens[matcher->n_tokens++] = &tokens[i];
    }
    if (matcher->n_tokens == 0) {
        added_matcher_free(matcher);
        return NULL;
    }
    qsort(matcher->tokens, matcher->n_tokens, sizeof *matcher->tokens, compare_tokens);
    for (size_t i = 0; i < matcher->n_tokens; i++)
        matcher->first[(unsigned char)*pattern_of(matcher->tokens[i], &length) + 1]++;
    for (size_t b = 0; b < 256; b++)
        matcher->first[b + 1] += matcher->first[b];
    return matcher;
}

void added_matcher_free(struct added_matcher *matcher)
{
    if (!matcher)
        return;
    free(matcher->tokens);
    free(matcher);
}

/* The first token in [low, high) whose byte at `depth` is at least `byte`; all of the range share
 * the bytes before, and those that end at `depth` stand first. */
static size_t find_byte(const struct added_matcher *matcher, size_t low, size_t high, size_t depth,
                        int byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2, length;
        const char *pattern = pattern_of(matcher->tokens[middle], &length);

        if (length > depth && (unsigned char)pattern[depth] >= byte)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The longest token that begins at text[at], or NULL. */
static const struct added_token *match_at(const struct added_matcher *matcher, const char *text,
                                          size_t n, size_t at)
{
    const struct added_token *longest = NULL;
    unsigned char byte = (unsigned char)text[at];
    size_t low = matcher->first[byte], high = matcher->first[byte + 1], length;

    for (size_t depth = 1; low < high; depth++) {
        pattern_of(matcher->tokens[low], &length);
        if (length == depth) { /* of equal patterns the first; the reference leaves it to chance */
            longest = matcher->tokens[low];
            while (low < high && (pattern_of(matcher->tokens[low], &length), length == depth))
                low++;
        }
        if (at + depth >= n)
            break;
        byte = (unsigned char)text[at + depth];
        low = find_byte(matcher, low, high, depth, byte);
        high = find_byte(matcher, low, high, depth, byte + 1);
    }
    return longest;
}

static bool is_word_before(const char *text, size_t at)
{
    uint32_t code_point;
    size_t start = at;

    if (at == 0)
        return false;
    do
        start--;
    while (start > 0 && ((unsigned char)text[start] & 0xc0) == 0x80);
    unicode_decode(text, start, &code_point);
    return unicode_flags(code_point) & UNICODE_WORD;
}

static bool is_word_behind(const char *text, size_t n, size_t at)
{
    uint32_t code_point;

    if (at == n)
        return false;
    unicode_decode(text, at, &code_point);
    return unicode_flags(code_point) & UNICODE_WORD;
}

static size_t skip_space_left(const char *text, size_t at, size_t stop)
{
    while (at > stop) {
        size_t start = at;
        uint32_t code_point;

        do
            start--;
        while (start > stop && ((unsigned char)text[start] & 0xc0) == 0x80);
        unicode_decode(text, start, &code_point);
        if (!(unicode_flags(code_point) & UNICODE_SPACE))
            break;
        at = start;
    }
    return at;
}

static size_t skip_space_right(const char *text, size_t n, size_t at)
{
    while (at < n) {
        uint32_t code_point;
        size_t length = unicode_decode(text, at, &code_point);

        if (!(unicode_flags(code_point) & UNICODE_SPACE))
            break;
        at += length;
    }
    return at;
}

/* The next token that counts, its span widened over the white space that it takes along. */
static bool find_token(struct added_search *search, struct added_span *span)
{
    const struct added_matcher *matcher = search->matcher;
    const char *text = search->text;

    while (matcher && search->scanned < search->n) {
        size_t start = search->scanned, length;
        unsigned char byte = (unsigned char)text[start];
        const struct added_token *token =
            matcher->first[byte] < matcher->first[byte + 1]
                ? match_at(matcher, text, search->n, start)
                : NULL;

        if (!token) {
            search->scanned++;
            continue;
        }
        pattern_of(token, &length);
        search->scanned = start + length;
        if (search->skips_marked &&
            marks_are_around(text, search->n, start, start + length))
            continue;
        if (token->single_word && (is_word_before(text, start) ||
                                   is_word_behind(text, search->n, start + length)))
            continue;
        *span = (struct added_span){start, start + length, token};
        if (token->lstrip)
            span->start = search->done < start ? skip_space_left(text, start, search->done)
                                               : search->done;
        if (token->rstrip)
            span->end = skip_space_right(text, search->n, span->end);
        if (span->start < span->end)
            return true;
        /* White space that the token before took along already, as the reference has it. */
        search->done = span->end;
    }
    return false;
}

bool added_search_next(struct added_search *search, struct added_span *span)
{
    if (!search->has_pending && !find_token(search, &search->pending)) {
        if (search->done >= search->n)
            return false;
        *span = (struct added_span){search->done, search->n, NULL};
        search->done = search->n;
        return true;
    }
    if (search->pending.start > search->done) {
        *span = (struct added_span){search->done, search->pending.start, NULL};
        search->done = search->pending.start;
        search->has_pending = true;
        return true;
    }
    *span = search->pending;
    search->has_pending = false;
    search->done = span->end;
    return true;
}
