/* jinja_json.h - values from JSON and to JSON, as Python's json module has both. */
#ifndef COCKTAIL_JINJA_JSON_H
#define COCKTAIL_JINJA_JSON_H

#include "base/buffer.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

struct jinja_json_style {
    bool ensure_ascii, sort_keys, has_indent;
    struct jinja_string indent;         /* of one level */
    struct jinja_string item, key;      /* separators */
};
int jinja_add_json(struct jinja_heap *heap, struct buffer *out, struct jinja_value value,
                   const struct jinja_json_style *style);

/* The value of a JSON text as Python's json reads it: integers exact, the order of keys kept, the
 * last of several members of one name. `what` names the text in messages. */
int jinja_parse_json(struct jinja_heap *heap, const char *text, size_t size, const char *what,
                     struct jinja_value *out);

#endif
