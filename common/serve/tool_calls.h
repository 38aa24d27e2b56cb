/* tool_calls.h - calls of tools in the text of a model, by the marks of its family:
 * docs/serve.md, "Tool calls". */
#ifndef COCKTAIL_TOOL_CALLS_H
#define COCKTAIL_TOOL_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct tool_call {
    char *name;
    char *arguments; /* JSON, or what the model wrote in its place */
    bool is_object;  /* the JSON of an object */
};

struct tool_calls { /* a zeroed struct is empty */
    struct tool_call *calls;
    size_t n_calls;
};

void tool_calls_release(struct tool_calls *calls);

/* Moves the calls out of the text, in which what stands before them is left. Text without calls, or
 * of a family that is not known, stays as it is. */
void tool_calls_find(struct buffer *text, struct tool_calls *calls);

#endif
