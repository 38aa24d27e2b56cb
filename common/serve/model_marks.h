/* model_marks.h - what models put around thoughts, calls and messages. Where these are special tokens
 * they are kept in the text of a conversation, to be looked for, and taken out in the end. */
#ifndef COCKTAIL_MODEL_MARKS_H
#define COCKTAIL_MODEL_MARKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "text/ids.h"
#include "text/tokenizer.h"

/* Adds those that are special tokens. Whether messages are written as harmony.h has them. */
bool model_marks_find(const struct tokenizer *tokenizer, struct ids *kept);
/* Takes the tokens out. */
void model_marks_strip(const struct tokenizer *tokenizer, const struct ids *kept,
                       struct buffer *text);
/* Bytes at the end of `text` that one of them begins with. */
size_t model_marks_count_held(const struct tokenizer *tokenizer, const struct ids *kept,
                              const struct buffer *text);

struct thought_marks {
    const char *begin, *end;
};
/* All pairs, up to one of NULL. */
extern const struct thought_marks thought_marks[];

#endif
