/* json_reader.h - JSON read in one pass, without a tree.
 *
 * For what is too large for a tree (a tokenizer.json of 31 MB, a header with 10^6 tensors), and as
 * the one strict judge of what JSON is: RFC 8259, UTF-8, nesting up to 128, one value and
 * nothing behind it; of Python's json the NaN and Infinity besides, where the caller allows them.
 * The caller asks for what it expects:
 *
 *     json_reader_object(&reader, err);                      // enters
 *     while ((more = json_reader_member(&reader, &key, err)) > 0)
 *         ... json_reader_string(&reader, &value, err) or json_reader_skip(&reader, err) ...
 *
 * Every function returns -1 with ERROR_FORMAT and the byte offset when the text is not what was
 * asked for. A struct json_text is valid until the next string or key is read; its bytes may
 * contain NUL (from \u0000). */
#ifndef COCKTAIL_JSON_READER_H
#define COCKTAIL_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

enum { JSON_DEPTH_MAX = 128 };

enum json_kind {
    JSON_NONE, JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_BOOL, JSON_NULL,
};

struct json_text {
    const char *bytes; /* NUL-terminated */
    size_t length;
};

struct json_reader {
    const char *text;
    size_t size, position;
    size_t depth;
    bool has_nul; /* a string so far held \u0000 */
    bool takes_constants; /* NaN, Infinity and -Infinity are numbers, as Python's json writes them */
    bool is_first[JSON_DEPTH_MAX + 1]; /* per open container: nothing read in it yet */
    char closer[JSON_DEPTH_MAX + 1];
    struct buffer scratch;
};

/* `text` is borrowed and must stay until json_reader_release. */
void json_reader_init(struct json_reader *reader, const char *text, size_t size);
void json_reader_release(struct json_reader *reader);

enum json_kind json_reader_peek(struct json_reader *reader); /* kind of the value that follows */
int json_reader_object(struct json_reader *reader, struct error *err);
int json_reader_array(struct json_reader *reader, struct error *err);
/* 1: a key was read, its value follows; 0: the object ended; -1: error. */
int json_reader_member(struct json_reader *reader, struct json_text *key, struct error *err);
/* 1: an item follows; 0: the array ended; -1: error. */
int json_reader_item(struct json_reader *reader, struct error *err);
int json_reader_string(struct json_reader *reader, struct json_text *value, struct error *err);
int json_reader_number(struct json_reader *reader, double *value, struct error *err);
int json_reader_bool(struct json_reader *reader, bool *value, struct error *err);
/* An integer written without fraction or exponent that fits size_t, exactly. */
int json_reader_size(struct json_reader *reader, size_t *value, struct error *err);
int json_reader_skip(struct json_reader *reader, struct error *err); /* any value */
/* Only white space may be left. */
int json_reader_finish(struct json_reader *reader, struct error *err);

bool json_text_is(struct json_text text, const char *word);

#endif
