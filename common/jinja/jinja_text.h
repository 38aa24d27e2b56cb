/* jinja_text.h - values as text: Python's str and repr, and markupsafe's escapes. */
#ifndef COCKTAIL_JINJA_TEXT_H
#define COCKTAIL_JINJA_TEXT_H

#include "base/buffer.h"
#include "jinja/jinja_value.h"

/* Add to `out`; -1 on error, with part of it added. */
int jinja_add_str(struct jinja_heap *heap, struct buffer *out, struct jinja_value value);
int jinja_add_repr(struct jinja_heap *heap, struct buffer *out, struct jinja_value value);
/* The shortest digits that read back as the same number: 1e-05, 100000.0, inf. */
void jinja_add_float(struct buffer *out, double value);
void jinja_add_string_repr(struct buffer *out, const struct jinja_string *string);

/* The same as a string value; a string stays itself, with its mark or without. */
int jinja_to_str(struct jinja_heap *heap, struct jinja_value value, struct jinja_value *out);
int jinja_to_soft_str(struct jinja_heap *heap, struct jinja_value value, struct jinja_value *out);
/* The content of a buffer as a string, the buffer released; limits checked. */
int jinja_take_buffer(struct jinja_heap *heap, struct buffer *buffer, struct jinja_value *out);
/* & < > ' " as markupsafe escapes them; a marked string stays as it is. The result is marked. */
int jinja_escape(struct jinja_heap *heap, struct jinja_value value, struct jinja_value *out);

#endif
