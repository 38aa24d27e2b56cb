#include "marks.h"

#include <string.h>

static const char begin_escaped[] = "\\ufdd0", end_escaped[] = "\\ufdd1";

static bool is_at(const char *text, size_t n, size_t at, const char *mark)
{
    return n - at >= strlen(mark) && memcmp(text + at, mark, strlen(mark)) == 0;
}

/* Bytes of the mark that begins there; 0: none does. */
static size_t mark_at(const char *text, size_t n, size_t at)
{
    static const char *const marks[] = {MARK_BEGIN, MARK_END, begin_escaped, end_escaped};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (is_at(text, n, at, marks[i]))
            return strlen(marks[i]);
    return 0;
}

bool marks_drop(struct buffer *text)
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

bool marks_are_around(const char *text, size_t n, size_t start, size_t end)
{
    return (ends_with(text, start, MARK_BEGIN) || ends_with(text, start, begin_escaped)) &&
           (is_at(text, n, end, MARK_END) || is_at(text, n, end, end_escaped));
}
