/* scanners.h - the patterns that real files use, written by hand.
 *
 * A scanner does what the regular expression does, many times faster. Which pattern it is, is seen
 * from its text. */
#ifndef COCKTAIL_SCANNERS_H
#define COCKTAIL_SCANNERS_H

#include <stdbool.h>
#include <stddef.h>

/* For patterns that match everywhere: the end of the match at text[at], at < n. text[n] is valid
 * UTF-8, `at` the start of a character. */
typedef size_t scanner_word(const char *text, size_t n, size_t at);
/* For others: the next match at or after `from`; false for none. No match is empty. */
typedef bool scanner_find(const char *text, size_t n, size_t from, size_t *start, size_t *end);

struct scanner { /* one of the two */
    scanner_word *word;
    scanner_find *find;
};

/* NULL: not one of the known patterns. */
const struct scanner *scanner_for(const char *pattern);

/* The pattern of one of them, as this program spells it. */
const char *scanner_spelling(const struct scanner *scanner);

/* The pattern of GPT-2, which ByteLevel has built in. */
size_t scanner_gpt2(const char *text, size_t n, size_t at);

/* For tests: the known patterns, NULL behind the last. */
const char *scanner_pattern(size_t i);

#endif
