/* special_marks.h - special tokens that somebody typed, and that are to stay text.
 *
 * Each of them is put between the two characters of marks.h before a chat template sees it: templates
 * can cut, strip and compare as before, and those that the template writes itself have no marks.
 * tokenizer_encode with has_marks takes what stands between marks as text, and leaves them out. */
#ifndef COCKTAIL_SPECIAL_MARKS_H
#define COCKTAIL_SPECIAL_MARKS_H

#include <stddef.h>

#include "base/buffer.h"
#include "text/tokenizer.h"

struct special_marks; /* read-only; threads share it */

/* The tokenizer is borrowed. */
struct special_marks *special_marks_new(const struct tokenizer *tokenizer);
void special_marks_free(struct special_marks *marks);

/* Adds the text, UTF-8, with marks around its special tokens; marks that stand in it are left out.
 * `marks`: a struct special_marks, so that it fits chat_conversation's `prepare`. */
void special_marks_add(const void *marks, const char *text, size_t n, struct buffer *out);

#endif
