/* tool_call.h - a call of a tool that a model has written. */
#ifndef COCKTAIL_TOOL_CALL_H
#define COCKTAIL_TOOL_CALL_H

#include <stdbool.h>
#include <stddef.h>

struct tool_call {
    char *name;
    char *arguments; /* JSON, or what the model wrote in its place */
    char *id;        /* where the family's templates want one of their own kind; else NULL */
    bool is_object;  /* arguments: the JSON of an object */
    bool is_bare;    /* its values were written without quotes */
};

struct tool_calls { /* a zeroed struct is empty */
    struct tool_call *calls;
    size_t n_calls;
};

#endif
