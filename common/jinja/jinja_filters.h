/* jinja_filters.h - what may stand behind `|`. */
#ifndef COCKTAIL_JINJA_FILTERS_H
#define COCKTAIL_JINJA_FILTERS_H

#include "jinja/jinja_filter_row.h"

const struct jinja_filter_row *jinja_find_filter(const struct jinja_string *name); /* or NULL */
int jinja_run_filter(struct jinja_heap *heap, const struct jinja_filter_row *row,
                     struct jinja_value value, const struct jinja_arguments *arguments,
                     struct jinja_value *out);

#endif
