/* jinja_methods.h - methods of values: which there are, and calling them. */
#ifndef COCKTAIL_JINJA_METHODS_H
#define COCKTAIL_JINJA_METHODS_H

#include "jinja/jinja_method_row.h"

/* The row of a method; NULL: the value has none of that name. One that changes its value is refused
 * by the sandbox: *is_unsafe is set. */
const struct jinja_method_row *jinja_find_method(struct jinja_value self,
                                                 const struct jinja_string *name,
                                                 bool *is_unsafe);
int jinja_call_method(struct jinja_heap *heap, const struct jinja_method *method,
                      const struct jinja_arguments *arguments, struct jinja_value *out);
/* Whether it is str.format (or, 2, format_map): whoever calls it looks members up. */
int jinja_is_format_method(const struct jinja_method *method);

#endif
