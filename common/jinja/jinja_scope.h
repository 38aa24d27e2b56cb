/* jinja_scope.h - which variable a name stands for, decided once, as jinja2's compiler does.
 *
 * Each body that has variables of its own (a loop, a macro, …) has a scope; a name is resolved to
 * one of the scopes around it, or else gets a variable in its own scope that is read from the
 * context when the scope is entered. So `x` in a loop is what a `set x` behind the loop will make of
 * it: nothing yet, and not the context's x. */
#ifndef COCKTAIL_JINJA_SCOPE_H
#define COCKTAIL_JINJA_SCOPE_H

#include "jinja/jinja_heap.h"
#include "jinja/jinja_tree.h"

/* The rows that names of filters and tests stand for; NULL: there is none. */
struct jinja_rows {
    const void *(*find_filter)(const struct jinja_string *name);
    const void *(*find_test)(const struct jinja_string *name);
};

/* Fills in scopes, variables and rows. Unknown filters and tests are ERROR_UNSUPPORTED here, but for
 * those inside of an `if`, which are errors when they are reached. */
int jinja_resolve_names(struct jinja_heap *heap, struct jinja_tree *tree,
                        const struct jinja_rows *rows);

#endif
