/* jinja_filter_row.h - what is known of a filter, and the parts of the table. */
#ifndef COCKTAIL_JINJA_FILTER_ROW_H
#define COCKTAIL_JINJA_FILTER_ROW_H

#include "jinja/jinja_arguments.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

struct jinja_filter_row {
    const char *name;
    const char *names; /* of the parameters behind the value, as jinja_bind takes them */
    size_t n_required;
    int (*run)(struct jinja_heap *heap, struct jinja_value value, const struct jinja_value *values,
               struct jinja_value *out);
    /* Instead, for those that take any arguments. */
    int (*run_any)(struct jinja_heap *heap, struct jinja_value value,
                   const struct jinja_arguments *arguments, struct jinja_value *out);
};

/* Each ends with a row without a name. */
extern const struct jinja_filter_row jinja_text_filters[], jinja_list_filters[];

#endif
