/* regex.h - patterns from strangers' tokenizer.json, with the meaning that Oniguruma gives them.
 *
 * PCRE2 with JIT does the matching; before it, characters are replaced by letters of the pattern's
 * own alphabet (alphabet.h), so that Unicode is ours. What is translated and what refused:
 * regex_translate.h. The work is limited to about a second per MB of text. */
#ifndef COCKTAIL_REGEX_H
#define COCKTAIL_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct regex; /* read-only once made; threads share it */

/* NULL with ERROR_FORMAT (bad pattern) or ERROR_UNSUPPORTED (a construct that is not translated,
 * which is named). */
struct regex *regex_new(const char *pattern, size_t length, struct error *err);
void regex_free(struct regex *regex);
/* As it was given. */
const char *regex_pattern(const struct regex *regex);

/* All matches in texts, one after the other:
 *
 *     regex_scan_begin(&scan, regex);
 *     regex_scan_text(&scan, text, n);  // as often as there are texts
 *     while ((more = regex_scan_next(&scan, &start, &end, err)) > 0) …
 *     regex_scan_end(&scan);
 *
 * The iteration is that of the tokenizers library: an empty match directly behind the match before
 * does not count. The text (valid UTF-8) is borrowed until the next one. */
struct regex_scan {
    const struct regex *regex;
    struct regex_state *state;
    const char *text;
    size_t n;
    size_t n_letters, from, last_end; /* in letters */
    size_t letter, byte;              /* the same place in both */
    bool has_matched;
};
void regex_scan_begin(struct regex_scan *scan, const struct regex *regex);
void regex_scan_text(struct regex_scan *scan, const char *text, size_t n);
/* 1 and [*start, *end), 0 for no more, -1 with ERROR_UNSUPPORTED when a limit was hit. */
int regex_scan_next(struct regex_scan *scan, size_t *start, size_t *end, struct error *err);
void regex_scan_end(struct regex_scan *scan);

#endif
