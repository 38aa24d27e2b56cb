/* jinja_arguments.h - what a call gives, put where the parameters are. */
#ifndef COCKTAIL_JINJA_ARGUMENTS_H
#define COCKTAIL_JINJA_ARGUMENTS_H

#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

struct jinja_named {
    struct jinja_string *name;
    struct jinja_value value;
};

struct jinja_arguments {
    const struct jinja_value *items; /* [n_items] */
    size_t n_items;
    const struct jinja_named *named; /* [n_named] */
    size_t n_named;
};

enum { JINJA_PARAMETERS_MAX = 8 };

/* values[i] becomes the argument for the i-th of `names` ("value,default,boolean"), JINJA_MISSING
 * where none is given, which is an error for the first n_required of them; and so are too many and
 * unknown ones. Names behind a '/' go by their place only. `what` is the function, for messages. */
int jinja_bind(struct jinja_heap *heap, const char *what, const char *names, size_t n_required,
               const struct jinja_arguments *arguments,
               struct jinja_value values[JINJA_PARAMETERS_MAX]);
/* The one argument of this name, or NULL. */
const struct jinja_value *jinja_find_named(const struct jinja_arguments *arguments,
                                           const char *name);
/* An argument that is a whole number; `fallback` when it is missing. */
int jinja_take_int(struct jinja_heap *heap, const char *what, struct jinja_value value,
                   int64_t fallback, int64_t *out);
/* An argument that is a string; NULL is set when it is missing. */
int jinja_take_string(struct jinja_heap *heap, const char *what, struct jinja_value value,
                      struct jinja_string **out);

#endif
