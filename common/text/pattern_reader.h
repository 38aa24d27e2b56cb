/* pattern_reader.h - a place in the text of a regular expression. */
#ifndef COCKTAIL_PATTERN_READER_H
#define COCKTAIL_PATTERN_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "text/unicode.h"

enum { PATTERN_DEPTH_MAX = 100 }; /* of classes and groups in one another */

struct pattern_reader {
    const char *pattern; /* valid UTF-8 */
    size_t length, at;
    unsigned depth;
    struct error *err;
};

/* Both return -1. */
static inline int pattern_refuse(struct pattern_reader *in, const char *what)
{
    return error_set(in->err, ERROR_UNSUPPORTED, "%s at byte %zu of the pattern is not supported",
                     what, in->at);
}

static inline int pattern_malformed(struct pattern_reader *in, const char *what)
{
    return error_set(in->err, ERROR_FORMAT, "%s at byte %zu of the pattern", what, in->at);
}

static inline bool pattern_at_end(const struct pattern_reader *in)
{
    return in->at >= in->length;
}

/* The byte at a distance, 0 behind the end. */
static inline char pattern_peek(const struct pattern_reader *in, size_t ahead)
{
    return in->at + ahead < in->length ? in->pattern[in->at + ahead] : 0;
}

static inline bool pattern_next_is(const struct pattern_reader *in, const char *word)
{
    size_t n = strlen(word);

    return in->length - in->at >= n && memcmp(in->pattern + in->at, word, n) == 0;
}

static inline uint32_t pattern_code_point(struct pattern_reader *in)
{
    uint32_t code_point;

    in->at += unicode_decode(in->pattern, in->at, &code_point);
    return code_point;
}

#endif
