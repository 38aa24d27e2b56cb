/* tool_calls.h - calls of tools in the text of a model, by the marks of its family:
 * docs/serve.md, "Tool calls". */
#ifndef COCKTAIL_TOOL_CALLS_H
#define COCKTAIL_TOOL_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "serve/tool_call.h"

void tool_calls_release(struct tool_calls *calls);

/* Moves the calls out of the text, in which what stands before them is left. Text without calls, or
 * of a family that is not known, stays as it is. is_start: it is the beginning of an answer. */
void tool_calls_find(struct buffer *text, bool is_start, struct tool_calls *calls);
/* Makes strings of what was written without quotes and looks like a number, an object or the like,
 * where `tools`, the JSON of a list, says that the argument is a string. */
void tool_calls_fit(struct tool_calls *calls, const char *tools);
/* How much of a text that still grows stands before any call that it may hold. */
size_t tool_calls_count_before(const struct buffer *text, bool is_start);

#endif
