/* jinja_split.h - strings in parts, as Python's methods cut them. */
#ifndef COCKTAIL_JINJA_SPLIT_H
#define COCKTAIL_JINJA_SPLIT_H

#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

/* A list of the parts; values: the separator, or none for white space, and how often to cut. */
int jinja_split(struct jinja_heap *heap, struct jinja_value self,
                const struct jinja_value *values, bool from_right, struct jinja_value *out);
/* A list of lines. */
int jinja_split_lines(struct jinja_heap *heap, struct jinja_value self, bool keep_ends,
                      struct jinja_value *out);
/* A tuple: what stands before the first or last `by`, that, and what stands behind. */
int jinja_partition(struct jinja_heap *heap, struct jinja_value self, struct jinja_value by,
                    bool last, struct jinja_value *out);
/* The last place of `part`; NULL: none. */
const char *jinja_find_last(const char *bytes, size_t size, const struct jinja_string *part);

#endif
