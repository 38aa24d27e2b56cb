#include "special_marks.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/tokenizer_parts.h"

static const char begin_mark[] = "\xef\xb7\x90", end_mark[] = "\xef\xb7\x91";
static const char begin_escaped[] = "\\ufdd0", end_escaped[] = "\\ufdd1";

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
    special_marks_drop(&clean);
    search.text = clean.data ? clean.data : "";
    search.n = clean.size;
    while (added_search_next(&search, &span)) {
        if (span.token)
            buffer_add_text(out, begin_mark);
        buffer_add(out, search.text + span.start, span.end - span.start);
        if (span.token)
            buffer_add_text(out, end_mark);
    }
    buffer_release(&clean);
}

static bool is_at(const char *text, size_t n, size_t at, const char *mark)
{
    return n - at >= strlen(mark) && memcmp(text + at, mark, strlen(mark)) == 0;
}

/* Bytes of the mark that begins there; 0: none does. */
static size_t mark_at(const char *text, size_t n, size_t at)
{
    static const char *const marks[] = {begin_mark, end_mark, begin_escaped, end_escaped};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (is_at(text, n, at, marks[i]))
            return strlen(marks[i]);
    return 0;
}

bool special_marks_drop(struct buffer *text)
{
    size_t n = 0, length;

    for (size_t at = 0; at < text->size; at += length ? length : 1) {
        length = mark_at(text->data, text->size, at);
        if (!length)
            text->data[n++] = text->data[at];
    }
    if (n == text->size)
        return false;
    text->size = n;
    text->data[n] = '\0';
    return true;
}

static bool ends_with(const char *text, size_t n, const char *mark)
{
    return n >= strlen(mark) && memcmp(text + n - strlen(mark), mark, strlen(mark)) == 0;
}

bool special_marks_are_around(const char *text, size_t n, size_t start, size_t end)
{
    return (ends_with(text, start, begin_mark) || ends_with(text, start, begin_escaped)) &&
           (is_at(text, n, end, end_mark) || is_at(text, n, end, end_escaped));
}
