/* normal_forms.h - NFC, NFD, NFKC and NFKD of Unicode 9.
 *
 * Characters assigned later stand for themselves and count as starters, as in the reference. */
#ifndef COCKTAIL_NORMAL_FORMS_H
#define COCKTAIL_NORMAL_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "text/rewrite.h"

enum normal_form { NORMAL_FORM_NFC, NORMAL_FORM_NFD, NORMAL_FORM_NFKC, NORMAL_FORM_NFKD };

/* Appends the normal form of text[n] (valid UTF-8). `origin` follows the text, if not NULL. */
void normal_form_add(enum normal_form form, const char *text, size_t n, struct buffer *out,
                     struct origin *origin);

/* What a code point is taken apart to in the end (itself when nothing); returns how many. */
enum { NORMAL_FORM_PARTS = 18 };
size_t normal_form_decompose(uint32_t code_point, bool with_compatibility,
                             uint32_t out[NORMAL_FORM_PARTS]);

#endif
