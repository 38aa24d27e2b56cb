/* call_values.h - what calls of tools consist of, in the notations that models write them in. */
#ifndef COCKTAIL_CALL_VALUES_H
#define COCKTAIL_CALL_VALUES_H

#include <stdbool.h>
#include <stddef.h>

#include "serve/tool_call.h"

/* Adds a call; takes both over. */
void call_add(struct tool_calls *calls, char *name, char *arguments);

const char *call_skip_blank(const char *at, const char *end);
/* Where `mark` begins, or NULL. */
const char *call_find(const char *at, const char *end, const char *mark);
/* Without white space at both ends; owned by the caller. */
char *call_copy(const char *at, const char *end);

/* An object with a name and its arguments, whatever the family calls the two, or a list of them: the
 * bytes that it takes, or 0 for what is no call. needs_arguments: nothing else says that it is one. */
size_t call_read_json(const char *text, size_t n, bool needs_arguments, struct tool_calls *calls);
/* [{"f": {"a": 1}}]: true when it is that. */
bool call_read_named(const char *at, const char *end, struct tool_calls *calls);
/* f(a=1, b='x'), or a list of these, as Python has it: true when it is that, and nothing else. Of a
 * name with dots, the part before the last when that is ".call". */
bool call_read_python(const char *at, const char *end, struct tool_calls *calls);

struct call_tags { /* of arguments one by one */
    const char *name_begin, *name_end, *value_begin, *value_end;
};
/* Adds a call with the arguments between these tags, as an object. A value that is no JSON is a
 * string, with its white space. Takes the name over. */
void call_add_tagged(struct tool_calls *calls, char *name, const char *at, const char *end,
                     const struct call_tags *tags);

#endif
