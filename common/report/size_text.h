/* size_text.h - sizes as people read them. */
#ifndef COCKTAIL_SIZE_TEXT_H
#define COCKTAIL_SIZE_TEXT_H

#include <stddef.h>

/* "1.7 GB", "512 bytes": decimal, three digits. Returns `text`. */
enum { SIZE_TEXT_MAX = 32 };
const char *size_text(char text[SIZE_TEXT_MAX], size_t size_bytes);

#endif
