/* unicode_names.h - the sets of code points that a regular expression can name.
 *
 * Unicode 16.0, with the meaning that Oniguruma gives the names: general categories, scripts, the
 * POSIX classes and a few properties. Case, spaces, '-' and '_' in a name do not count. */
#ifndef COCKTAIL_UNICODE_NAMES_H
#define COCKTAIL_UNICODE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/code_set.h"

/* Adds what \p{NAME} stands for. False when there is no such name. */
bool unicode_names_property(const char *name, size_t length, struct code_set *set);
/* Adds what [:NAME:] stands for; "punct" has the symbols too. */
bool unicode_names_class(const char *name, size_t length, struct code_set *set);

/* The code point counts as a letter that has another case, or may be part of such a letter. */
bool unicode_names_may_fold(uint32_t code_point);

/* The script as UnicodeScripts sees it (Unicode 9.0, Hiragana and Katakana being Han); 0: any, for
 * the space and what 9.0 does not assign. */
static inline unsigned unicode_names_joined_script(uint32_t code_point);

/* The tables; for unicode_names.c only. */
struct unicode_run { /* up to the start of the next one */
    uint32_t start;
    uint8_t category, script, flags;
};
struct unicode_script {
    const char *name, *code;
};
extern const struct unicode_run unicode_runs[];
extern const size_t unicode_n_runs;
extern const struct unicode_script unicode_scripts[];
extern const size_t unicode_n_scripts;
extern const uint8_t unicode_joined_stage_1[], unicode_joined_stage_2[];

static inline unsigned unicode_names_joined_script(uint32_t code_point)
{
    unsigned block = unicode_joined_stage_1[code_point >> 8];

    return unicode_joined_stage_2[block << 8 | (code_point & 0xff)];
}

#endif
