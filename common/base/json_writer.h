/* json_writer.h - JSON text, value after value, with the commas where they belong.
 *
 * Each value takes a key when it is a member of an object, and NULL when it is an item of an array
 * or the whole text. Anything else is a mistake of ours: an assertion. */
#ifndef COCKTAIL_JSON_WRITER_H
#define COCKTAIL_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct json_writer { /* set `out` and the style, the rest zero; writes one value */
    struct buffer *out;  /* added to */
    bool is_spaced;      /* a blank behind commas and colons, as Python has it */
    unsigned n_indented; /* so many levels have a line for each value, two blanks further in than
                          * the level above */
    unsigned depth;      /* of the arrays and objects that are open */
    uint64_t objects;    /* which of them are objects: bit 1 << depth */
    bool has_items;      /* the innermost one */
};

void json_writer_object(struct json_writer *json, const char *key);
void json_writer_array(struct json_writer *json, const char *key);
void json_writer_end(struct json_writer *json); /* of the innermost array or object */

/* Strings as json_add_bytes writes them; NULL is null. */
void json_writer_string(struct json_writer *json, const char *key, const char *text);
void json_writer_bytes(struct json_writer *json, const char *key, const char *text, size_t size);
void json_writer_size(struct json_writer *json, const char *key, size_t value);
/* Seventeen digits, and nine: as many as it takes to read the same number back. What is not finite
 * is null. */
void json_writer_double(struct json_writer *json, const char *key, double value);
void json_writer_float(struct json_writer *json, const char *key, float value);
void json_writer_bool(struct json_writer *json, const char *key, bool value);
void json_writer_null(struct json_writer *json, const char *key);
/* A value that is JSON already. */
void json_writer_raw(struct json_writer *json, const char *key, const char *text);

#endif
