/* digits.h - numbers in text: whole ones of digits only, where strtoull would take signs and blanks
 * too; and numbers for readers of JSON, which come in millions, without printf, which is slow. */
#ifndef COCKTAIL_DIGITS_H
#define COCKTAIL_DIGITS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* Returns what follows the digits; NULL when there are none or the number does not fit. */
const char *digits_read(const char *text, size_t *value);
/* Whether the text is such a number and nothing else. */
bool digits_read_all(const char *text, size_t *value);

void digits_add(struct buffer *out, size_t value);
/* As printf has it by %.9g: every float can be read back from that. */
void digits_add_float(struct buffer *out, float value);

#endif
