/* marks.h - two characters that stand for nothing, U+FDD0 and U+FDD1, around what is to stay text;
 * special_marks.h says what for. A template may have written them as JSON or Python do, \ufdd0. */
#ifndef COCKTAIL_MARKS_H
#define COCKTAIL_MARKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

#define MARK_BEGIN "\xef\xb7\x90"
#define MARK_END "\xef\xb7\x91"

/* Takes all marks out. Whether there were any. */
bool marks_drop(struct buffer *text);
/* Whether marks stand before text[start] and behind text[end - 1]. */
bool marks_are_around(const char *text, size_t n, size_t start, size_t end);

#endif
