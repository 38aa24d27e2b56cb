/* regex_sets.h - which characters an escape or a class of Oniguruma's Ruby syntax stands for.
 *
 * What is read is added to a set. ERROR_FORMAT when Oniguruma would not take the pattern,
 * ERROR_UNSUPPORTED when we do not. */
#ifndef COCKTAIL_REGEX_SETS_H
#define COCKTAIL_REGEX_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "text/code_set.h"
#include "text/pattern_reader.h"

/* What \w means outside of a class: there Oniguruma looks Latin-1 up in another table. */
void regex_set_bare_word(struct code_set *set);
/* \w \d \s \h and their opposites, without the backslash; false when it is none of them. */
bool regex_set_shorthand(char c, bool in_class, struct code_set *set);
/* {NAME} or {^NAME} behind \p, or behind \P, which negates it. */
int regex_set_property(struct pattern_reader *in, bool is_negated, bool in_class,
                       struct code_set *set);
/* An escape that is one character, the reader at the letter behind the backslash: 1, 0 when it is
 * something else, -1 on error. */
int regex_set_escape(struct pattern_reader *in, uint32_t *code_point);
/* A class, the reader behind its '['. *is_single: it was one character. */
int regex_set_class(struct pattern_reader *in, bool ignores_case, struct code_set *set,
                    bool *is_single);

/* Adds the other cases. K and S have a third one; of others than ASCII we know none and refuse. */
int regex_set_fold(struct pattern_reader *in, struct code_set *set);

#endif
