/* harmony.h - the messages of gpt-oss, each with a head that says what it is:
 * docs/serve.md, "Tool calls". */
#ifndef COCKTAIL_HARMONY_H
#define COCKTAIL_HARMONY_H

#include <stdbool.h>

#include "base/buffer.h"
#include "serve/tool_call.h"

struct harmony { /* zeroed to begin with a head; to begin within an answer: is_in_body */
    bool is_in_body, is_thought, has_marks;
    char *recipient;    /* of a call; NULL: of none */
    struct buffer call; /* its arguments so far */
};

void harmony_release(struct harmony *harmony);
/* Sorts what has come, and is certain, out of `raw`; all of it when is_last. */
void harmony_sort(struct harmony *harmony, struct buffer *raw, bool is_last,
                  struct buffer *reasoning, struct buffer *text, struct tool_calls *calls);

#endif
