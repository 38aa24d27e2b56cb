#include "special_marks.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/marks.h"
#include "text/tokenizer_parts.h"

struct special_marks {
    struct added_token *tokens; /* contents borrowed */
    struct added_matcher *matcher;
};

struct special_marks *special_marks_new(const struct tokenizer *tokenizer)
{
    struct special_marks *marks = memory_zalloc(1, sizeof *marks);
    size_t n = 0;

    marks->tokens = memory_zalloc(tokenizer->n_added + 1, sizeof *marks->tokens);
    for (size_t i = 0; i < tokenizer->n_added; i++)
        if (tokenizer->added[i].special)
            marks->tokens[n++] = (struct added_token){.content = tokenizer->added[i].content,
                                                      .length = tokenizer->added[i].length};
    marks->matcher = added_matcher_new(marks->tokens, n, false);
    return marks;
}

void special_marks_free(struct special_marks *marks)
{
    if (!marks)
        return;
    added_matcher_free(marks->matcher);
    free(marks->tokens);
    free(marks);
}

void special_marks_add(const void *context, const char *text, size_t n, struct buffer *out)
{
    const struct special_marks *marks = context;
    struct added_search search = {.matcher = marks->matcher};
    struct added_span span;
    struct buffer clean = {0};

    utf8_add_lossy(&clean, text, n);
    marks_drop(&clean);
    search.text = clean.data ? clean.data : "";
    search.n = clean.size;
    while (added_search_next(&search, &span)) {
        if (span.token)
            buffer_add_text(out, MARK_BEGIN);
        buffer_add(out, search.text + span.start, span.end - span.start);
        if (span.token)
            buffer_add_text(out, MARK_END);
    }
    buffer_release(&clean);
}
