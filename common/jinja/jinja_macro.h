/* jinja_macro.h - a macro as a value: its node, and the variables around the place of its
 * definition. */
#ifndef COCKTAIL_JINJA_MACRO_H
#define COCKTAIL_JINJA_MACRO_H

#include "jinja/jinja_tree.h"

struct jinja_frame { /* the variables of a scope while it runs */
    const struct jinja_scope *scope;
    struct jinja_frame *outer;
    struct jinja_value *values; /* [scope->n_variables]; JINJA_MISSING: not set */
};

struct jinja_macro {
    const struct jinja_node *node; /* NODE_MACRO, NODE_CALL_BLOCK or NODE_GENERATION */
    struct jinja_frame *frame;
};

#endif
