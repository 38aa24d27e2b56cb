/* jinja_lookup.h - x.name, x[index] and x[a:b:c], as jinja2's sandbox answers them. */
#ifndef COCKTAIL_JINJA_LOOKUP_H
#define COCKTAIL_JINJA_LOOKUP_H

#include "jinja/jinja_arguments.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

/* Attributes (methods) first, then members; the other way round. What is not there is undefined. */
int jinja_get_attribute(struct jinja_heap *heap, struct jinja_value of,
                        const struct jinja_string *name, struct jinja_value *out);
/* The same without the members. */
int jinja_get_attribute_only(struct jinja_heap *heap, struct jinja_value of,
                             const struct jinja_string *name, struct jinja_value *out);
int jinja_get_item(struct jinja_heap *heap, struct jinja_value of, struct jinja_value index,
                   struct jinja_value *out);
/* Each bound an integer, none, or JINJA_MISSING. */
int jinja_get_slice(struct jinja_heap *heap, struct jinja_value of, struct jinja_value start,
                    struct jinja_value stop, struct jinja_value step, struct jinja_value *out);
/* "a.b.0": one look-up after the other, as the argument `attribute` of filters has it. What is
 * undefined becomes `fallback` (JINJA_MISSING: stays). */
int jinja_get_path(struct jinja_heap *heap, struct jinja_value of, struct jinja_value path,
                   struct jinja_value fallback, struct jinja_value *out);
/* str.format and str.format_map of the sandbox, whose fields can look members up. */
int jinja_str_format(struct jinja_heap *heap, struct jinja_value self, bool is_map,
                     const struct jinja_arguments *arguments, struct jinja_value *out);

#endif
