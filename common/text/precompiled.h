/* precompiled.h - the character map of a SentencePiece model, as Hugging Face applies it.
 *
 * SentencePiece replaces the longest key that begins at a byte. Hugging Face cuts the text into
 * grapheme clusters first; one of less than 6 bytes is replaced as a whole by the value of the
 * shortest key that it begins with. Where there is none, its code points are looked up one by
 * one. */
#ifndef COCKTAIL_PRECOMPILED_H
#define COCKTAIL_PRECOMPILED_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "text/rewrite.h"

struct precompiled;

/* From the base64 text of tokenizer.json. NULL with ERROR_FORMAT. Freed with precompiled_free. */
struct precompiled *precompiled_new(const char *base64, struct error *err);
void precompiled_free(struct precompiled *precompiled);
/* The map's bytes, borrowed. */
const unsigned char *precompiled_bytes(const struct precompiled *precompiled, size_t *size);

/* Appends the mapped form of text[n] (valid UTF-8). ERROR_FORMAT when the map turns out to lead out
 * of itself. `origin` follows the text. */
int precompiled_add(const struct precompiled *precompiled, const char *text, size_t n,
                    struct buffer *out, struct origin *origin, struct error *err);

#endif
