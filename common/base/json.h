/* json.h - small JSON documents: cJSON behind a strict door, and the text that we write.
 *
 * cJSON's trees are walked by name, but its parser is not used: it takes much that is not JSON,
 * and of what Python's json takes it does not know NaN and Infinity, and finds the first of two
 * members of one name where Python keeps the last. json_parse builds the tree from json_reader,
 * and reads what Python reads. Look-ups are case-sensitive. */
#ifndef COCKTAIL_JSON_H
#define COCKTAIL_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* The tree, freed by the caller with cJSON_Delete, or NULL with ERROR_FORMAT. NaN and Infinity are
 * numbers (valuedouble; nobody may look at valueint); no object has two members of one name. */
cJSON *json_parse(const char *text, size_t size, struct error *err);

/* Borrowed members of an object; NULL when absent, of another type, or JSON null. */
const cJSON *json_find(const cJSON *object, const char *name);
const char *json_find_string(const cJSON *object, const char *name);
/* What the member says; `fallback` when it is absent, null or no boolean. */
bool json_bool(const cJSON *object, const char *name, bool fallback);
/* 1 true, 0 false, -1 absent or not a boolean: for those to whom its absence is a third value. */
int json_find_bool(const cJSON *object, const char *name);

/* Text: a quoted string (escapes as Python and serde write them; bytes that are not UTF-8 come out
 * as U+FFFD), a number in %.17g with NaN and Inf as null. */
void json_add_string(struct buffer *out, const char *text);
void json_add_bytes(struct buffer *out, const char *text, size_t size);
void json_add_number(struct buffer *out, double value);

/* Edit one top-level member of the object in `text`, every other byte kept. `value` is JSON
 * text; NULL removes the member. Of two members of one name the last is edited, and both are
 * removed. A member that is absent is added at the end. The text must be what json_parse has
 * accepted. */
void json_edit_member(struct buffer *text, const char *name, const char *value);

#endif
