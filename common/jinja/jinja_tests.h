/* jinja_tests.h - what may stand behind `is`. */
#ifndef COCKTAIL_JINJA_TESTS_H
#define COCKTAIL_JINJA_TESTS_H

#include "jinja/jinja_arguments.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

struct jinja_test_row;

const struct jinja_test_row *jinja_find_test(const struct jinja_string *name); /* NULL: none */
/* 1 true, 0 false, -1 error. */
int jinja_run_test(struct jinja_heap *heap, const struct jinja_test_row *row,
                   struct jinja_value value, const struct jinja_arguments *arguments);

#endif
