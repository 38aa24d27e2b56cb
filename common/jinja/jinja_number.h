/* jinja_number.h - arithmetic as Python does it, and numbers in text. */
#ifndef COCKTAIL_JINJA_NUMBER_H
#define COCKTAIL_JINJA_NUMBER_H

#include "jinja/jinja_heap.h"
#include "jinja/jinja_tree.h"
#include "jinja/jinja_types.h"

/* Of two numbers: JINJA_ADD to JINJA_POWER. */
int jinja_arithmetic(struct jinja_heap *heap, enum jinja_operator operator, struct jinja_value a,
                     struct jinja_value b, struct jinja_value *out);

/* int(text, base) and float(text): 1, 0 when it is no such number, -1 on error. Base 0: as its
 * prefix says. */
int jinja_parse_int(struct jinja_heap *heap, const struct jinja_string *text, unsigned base,
                    struct jinja_value *out);
bool jinja_parse_float(const struct jinja_string *text, double *out);
/* int(number): towards 0. Fails for what is not finite. */
int jinja_truncate(struct jinja_heap *heap, double number, struct jinja_value *out);
/* round(number, precision), to even where it is half way. */
int jinja_round(struct jinja_heap *heap, struct jinja_value number, int64_t precision,
                struct jinja_value *out);

#endif
