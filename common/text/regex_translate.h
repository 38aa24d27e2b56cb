/* regex_translate.h - from Oniguruma's Ruby syntax to PCRE2 over an alphabet of bytes.
 *
 * What the pattern says about characters goes into the alphabet; what is left says how they follow
 * each other. It is written so that PCRE2 does what Oniguruma does, with callouts where work can
 * pile up: (?C1) before a repeat of a set, (?C) behind it and at the end of a repeated group.
 * Whoever matches counts them (regex.c). What has no equal in PCRE2 is refused. */
#ifndef COCKTAIL_REGEX_TRANSLATE_H
#define COCKTAIL_REGEX_TRANSLATE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "text/alphabet.h"

struct regex_translation { /* a zeroed struct is empty */
    struct buffer pattern; /* for PCRE2_MULTILINE, newline LF, without UTF */
    struct alphabet alphabet;
};

/* ERROR_FORMAT when Oniguruma would not take it, ERROR_UNSUPPORTED when we do not. */
int regex_translate(struct regex_translation *translation, const char *pattern, size_t length,
                    struct error *err);
void regex_translation_release(struct regex_translation *translation);

#endif
