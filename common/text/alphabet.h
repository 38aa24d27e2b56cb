/* alphabet.h - the few kinds of characters that a pattern tells apart, one byte each.
 *
 * A pattern knows characters only by the sets that it names. Two that are in the same of these sets
 * are the same to it, so a text can be rewritten with one byte, a "letter", per character before it
 * is matched. The matcher then needs no Unicode of its own, whose version would be another one. */
#ifndef COCKTAIL_ALPHABET_H
#define COCKTAIL_ALPHABET_H

#include <stddef.h>
#include <stdint.h>

#include "text/code_set.h"

struct alphabet {
    uint8_t of_ascii[128];
    uint16_t stage_1[CODE_SET_END >> 8]; /* block of 256 code points -> place in stage_2 / 256 */
    uint8_t *stage_2;
    uint32_t samples[256]; /* a code point of each letter; CODE_SET_END: no such letter */
};

/* Divides all code points by sets[n_sets]. U+000A, if sets[0] holds it alone, becomes '\n'.
 * -1: more than 255 letters would be needed. */
int alphabet_init(struct alphabet *alphabet, const struct code_set *sets, size_t n_sets);
void alphabet_release(struct alphabet *alphabet);

static inline uint8_t alphabet_letter(const struct alphabet *alphabet, uint32_t code_point)
{
    return alphabet->stage_2[(size_t)alphabet->stage_1[code_point >> 8] << 8 | (code_point & 0xff)];
}

/* Writes the letters of text[n] (valid UTF-8) to out[n] and returns how many: one per character. */
size_t alphabet_map(const struct alphabet *alphabet, const char *text, size_t n, uint8_t *out);

#endif
