/* utf8.h - is it UTF-8, and how do we show what is not. */
#ifndef COCKTAIL_UTF8_H
#define COCKTAIL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Length in bytes (1 to 4) of the well-formed UTF-8 sequence at `bytes`, 0 when there is none:
 * overlong forms, surrogates and values above U+10FFFF are not well formed (Unicode 15, table 3-7). */
size_t utf8_sequence(const unsigned char *bytes, size_t size);
/* Offset of the first byte that is not part of a well-formed sequence; `size` if all is well. */
size_t utf8_valid_prefix(const char *text, size_t size);
/* Adds `text` with U+FFFD for every ill-formed part. */
void utf8_add_lossy(struct buffer *buffer, const char *text, size_t size);
/* Adds the bytes of one code point (<= 0x10FFFF, not a surrogate). */
void utf8_add(struct buffer *buffer, uint32_t code_point);
/* Adds `text` as one line that is safe to print: control characters and what is not UTF-8 come
 * out as \xNN. */
void utf8_add_printable(struct buffer *buffer, const char *text, size_t size);

#endif
