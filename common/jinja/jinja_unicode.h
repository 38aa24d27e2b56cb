/* jinja_unicode.h - what Python knows of characters: white space, case, what can be printed.
 *
 * Categories and simple case mappings are utf8proc's (Unicode 15; Python 3.11 has 14), the mappings
 * to several code points stand in a table here. */
#ifndef COCKTAIL_JINJA_UNICODE_H
#define COCKTAIL_JINJA_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* One code point of valid UTF-8 at bytes[at], and its length. */
size_t jinja_decode(const char *bytes, size_t at, uint32_t *code);
/* The start of the code point that ends before `end`, which is not 0. */
size_t jinja_previous(const char *bytes, size_t end);

bool jinja_is_space(uint32_t code);     /* str.isspace, and \s of re */
bool jinja_is_printable(uint32_t code); /* str.isprintable */
bool jinja_is_alpha(uint32_t code);
bool jinja_is_digit(uint32_t code);     /* Nd: str.isdecimal; the others differ by a few signs */
bool jinja_is_numeric(uint32_t code);
bool jinja_is_upper(uint32_t code);
bool jinja_is_lower(uint32_t code);
bool jinja_is_cased(uint32_t code);
bool jinja_is_word(uint32_t code);      /* \w of re */
bool jinja_starts_identifier(uint32_t code);
bool jinja_continues_identifier(uint32_t code);

/* All of the text in another case. */
void jinja_add_upper(struct buffer *out, const char *bytes, size_t size);
void jinja_add_lower(struct buffer *out, const char *bytes, size_t size);
void jinja_add_swapped(struct buffer *out, const char *bytes, size_t size);
/* str.capitalize, str.title. */
void jinja_add_capitalized(struct buffer *out, const char *bytes, size_t size);
void jinja_add_titled(struct buffer *out, const char *bytes, size_t size);

#endif
