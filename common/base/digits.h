/* digits.h - whole numbers in text: digits only, where strtoull would take signs and blanks too. */
#ifndef COCKTAIL_DIGITS_H
#define COCKTAIL_DIGITS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* Returns what follows the digits; NULL when there are none or the number does not fit. */
const char *digits_read(const char *text, size_t *value);
/* Whether the text is such a number and nothing else. */
bool digits_read_all(const char *text, size_t *value);

/* Without printf, which is slow where there are millions of them. */
void digits_add(struct buffer *out, size_t value);

#endif
