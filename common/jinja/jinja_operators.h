/* jinja_operators.h - + - * / // % ** and comparisons of any two values, as Python has them. */
#ifndef COCKTAIL_JINJA_OPERATORS_H
#define COCKTAIL_JINJA_OPERATORS_H

#include "jinja/jinja_heap.h"
#include "jinja/jinja_tree.h"
#include "jinja/jinja_types.h"

int jinja_binary(struct jinja_heap *heap, enum jinja_operator operator, struct jinja_value a,
                 struct jinja_value b, struct jinja_value *out);
/* JINJA_EQ to JINJA_NOT_IN. 1 true, 0 false, -1 error. */
int jinja_relation(struct jinja_heap *heap, enum jinja_operator operator, struct jinja_value a,
                   struct jinja_value b);
/* -a, or +a. */
int jinja_signed(struct jinja_heap *heap, struct jinja_value a, bool is_negative,
                 struct jinja_value *out);

#endif
