/* jinja_functions.h - the functions that every template can call: range, namespace, … */
#ifndef COCKTAIL_JINJA_FUNCTIONS_H
#define COCKTAIL_JINJA_FUNCTIONS_H

#include "jinja/jinja_arguments.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

struct jinja_function {
    const char *name;
    int (*call)(struct jinja_heap *heap, const struct jinja_arguments *arguments,
                struct jinja_value *out);
};

const struct jinja_function *jinja_find_function(const struct jinja_string *name); /* or NULL */
/* A joiner gives nothing when it is called first, and then its separator. */
int jinja_call_joiner(struct jinja_heap *heap, struct jinja_joiner *joiner,
                      struct jinja_value *out);
/* Of the time now, as strftime_now gives it: local, or SOURCE_DATE_EPOCH in UTC. */
int jinja_strftime_now(struct jinja_heap *heap, const struct jinja_string *format,
                       struct jinja_value *out);

#endif
