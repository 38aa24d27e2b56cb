/* jinja_strings.h - Python's methods of strings. */
#ifndef COCKTAIL_JINJA_STRINGS_H
#define COCKTAIL_JINJA_STRINGS_H

#include "base/buffer.h"
#include "jinja/jinja_method_row.h"

extern const struct jinja_method_row jinja_string_methods[]; /* ended by a row without a name */

/* What filters share with them. Results have the mark of `self`. */
int jinja_strip(struct jinja_heap *heap, struct jinja_value self, struct jinja_value chars,
                bool left, bool right, struct jinja_value *out);
int jinja_replace(struct jinja_heap *heap, struct jinja_value self, const struct jinja_string *old,
                  const struct jinja_string *new, int64_t count, struct jinja_value *out);
int jinja_change_case(struct jinja_heap *heap, struct jinja_value self,
                      void (*add)(struct buffer *out, const char *bytes, size_t size),
                      struct jinja_value *out);
int jinja_center(struct jinja_heap *heap, struct jinja_value self, int64_t width,
                 struct jinja_value *out);
/* Whether it has a letter of this case, and none of the other. */
bool jinja_is_in_case(const struct jinja_string *string, bool upper);

#endif
