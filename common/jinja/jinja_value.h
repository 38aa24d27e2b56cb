/* jinja_value.h - making values, and asking what they are. */
#ifndef COCKTAIL_JINJA_VALUE_H
#define COCKTAIL_JINJA_VALUE_H

#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

/* These return -1 on error; *out is set on success only. Bytes are valid UTF-8. */
int jinja_string_copy(struct jinja_heap *heap, const char *bytes, size_t size,
                      struct jinja_value *out);
int jinja_string_text(struct jinja_heap *heap, const char *text, struct jinja_value *out);
/* A part of another string, sharing its bytes and its mark. */
int jinja_string_part(struct jinja_heap *heap, const struct jinja_string *of, size_t start,
                      size_t size, struct jinja_value *out);
int jinja_string_marked(struct jinja_heap *heap, struct jinja_value string, bool is_safe,
                        struct jinja_value *out);
/* a + b; when nothing was put behind `a` yet, it is put there, so that a text which grows piece by
 * piece is not copied each time. */
int jinja_string_concat(struct jinja_heap *heap, const struct jinja_string *a,
                        const struct jinja_string *b, struct jinja_value *out);
/* Counted once: those of a template, which threads share, have been. */
size_t jinja_string_chars(struct jinja_string *string);
/* The byte at which the code point `index` begins; `size` for the one behind the last. */
size_t jinja_string_offset(const struct jinja_string *string, size_t index);
bool jinja_string_is(const struct jinja_string *string, const char *text);

/* Room for n items, all JINJA_MISSING. */
int jinja_list_new(struct jinja_heap *heap, enum jinja_kind kind, size_t n,
                   struct jinja_value *out);
struct jinja_list_builder {
    struct jinja_value *items;
    size_t n_items, capacity;
};
int jinja_list_add(struct jinja_heap *heap, struct jinja_list_builder *list,
                   struct jinja_value item);
int jinja_list_finish(struct jinja_heap *heap, const struct jinja_list_builder *list,
                      enum jinja_kind kind, struct jinja_value *out);
int jinja_pair(struct jinja_heap *heap, struct jinja_value first, struct jinja_value second,
               struct jinja_value *out);

int jinja_dict_new(struct jinja_heap *heap, struct jinja_dict **out);
/* A key that is there gets the new value and keeps its place. -1 also for a key without a hash. */
int jinja_dict_set(struct jinja_heap *heap, struct jinja_dict *dict, struct jinja_value key,
                   struct jinja_value value);
int jinja_dict_set_text(struct jinja_heap *heap, struct jinja_dict *dict, const char *key,
                        struct jinja_value value);
/* 1 found, 0 not there, -1 error (a list as a key). */
int jinja_dict_get(struct jinja_heap *heap, const struct jinja_dict *dict, struct jinja_value key,
                   struct jinja_value *out);
int jinja_dict_get_text(struct jinja_heap *heap, const struct jinja_dict *dict, const char *key,
                        struct jinja_value *out);

int jinja_undefined_name(struct jinja_heap *heap, const struct jinja_string *name,
                         struct jinja_value *out);
int jinja_undefined_hint(struct jinja_heap *heap, const char *hint, struct jinja_value *out);
int jinja_undefined_item(struct jinja_heap *heap, struct jinja_value owner,
                         struct jinja_value index, struct jinja_value *out);
/* The error of using an undefined value. */
int jinja_fail_undefined(struct jinja_heap *heap, struct jinja_value value);

/* ---- asking values ---- */

bool jinja_is_number(struct jinja_value value);  /* bools too */
bool jinja_is_whole(struct jinja_value value);   /* bools and integers of any size */
bool jinja_is_hashable(struct jinja_value value);
const char *jinja_type_name(struct jinja_value value); /* Python's: "str", "dict", … */
bool jinja_truth(struct jinja_value value);
/* 1 equal, 0 not, -1 error. */
int jinja_equal(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b);
/* *order is below, at or above 0; a NaN makes *is_ordered false. Errors for kinds without an order. */
int jinja_compare(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b, int *order,
                  bool *is_ordered);
double jinja_to_double(struct jinja_value value);

#endif
