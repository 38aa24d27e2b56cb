#include "notices.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

void notices_add(struct notices *notices, const char *fmt, ...)
{
    char *text;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        memory_exhausted();
    va_end(args);
    notices->texts = memory_resize(notices->texts, notices->n_texts + 1, sizeof *notices->texts);
    notices->texts[notices->n_texts++] = text;
}

void notices_release(struct notices *notices)
{
    for (size_t i = 0; i < notices->n_texts; i++)
        free(notices->texts[i]);
    free(notices->texts);
    *notices = (struct notices){0};
}
