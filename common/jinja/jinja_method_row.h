/* jinja_method_row.h - what is known of a method. */
#ifndef COCKTAIL_JINJA_METHOD_ROW_H
#define COCKTAIL_JINJA_METHOD_ROW_H

#include "jinja/jinja_arguments.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

struct jinja_method_row {
    const char *name;
    const char *names; /* of its parameters, as jinja_bind takes them; NULL: it takes any */
    size_t n_required;
    int (*call)(struct jinja_heap *heap, struct jinja_value self, const struct jinja_value *values,
                struct jinja_value *out);
    int (*call_any)(struct jinja_heap *heap, struct jinja_value self,
                    const struct jinja_arguments *arguments, struct jinja_value *out);
};

#endif
