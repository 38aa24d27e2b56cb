/* jinja_parser.h - from the source of a template to its tree. */
#ifndef COCKTAIL_JINJA_PARSER_H
#define COCKTAIL_JINJA_PARSER_H

#include "jinja/jinja_heap.h"
#include "jinja/jinja_tree.h"

/* The tree lies in the heap. ERROR_FORMAT for a syntax error, ERROR_UNSUPPORTED for statements that
 * chat templates cannot have. Names are not resolved yet: jinja_scope.h. */
int jinja_parse(struct jinja_heap *heap, const char *source, size_t size, struct jinja_tree *tree);

#endif
