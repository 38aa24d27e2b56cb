/* base64.h - RFC 4648, section 4. */
#ifndef COCKTAIL_BASE64_H
#define COCKTAIL_BASE64_H

#include <stddef.h>

#include "base/buffer.h"

/* Adds the bytes that text[n] stands for, with or without padding at its end. -1 when it is not
 * base64. */
int base64_decode(const char *text, size_t n, struct buffer *out);
void base64_encode(const void *bytes, size_t n, struct buffer *out);

#endif
