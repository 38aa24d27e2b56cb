/* jinja_expression.h - the half of the parser that reads what stands in {{ }} and behind keywords.
 *
 * Every function returns NULL on error. */
#ifndef COCKTAIL_JINJA_EXPRESSION_H
#define COCKTAIL_JINJA_EXPRESSION_H

#include "jinja/jinja_nodes.h"

struct jinja_node *jinja_parse_expression(struct jinja_parser *parser);
/* Expressions with commas between them are a tuple. Without `conditional` an `if` belongs to a
 * statement around it. */
struct jinja_node *jinja_parse_tuple(struct jinja_parser *parser, bool conditional);
/* What can be assigned to: names, tuples of names; with `members` also namespace.name. */
struct jinja_node *jinja_parse_target(struct jinja_parser *parser, bool members);
/* One name. */
struct jinja_node *jinja_parse_name_target(struct jinja_parser *parser);
/* Filters on `node`: behind a | each, or at once when `at_once`. */
struct jinja_node *jinja_parse_filters(struct jinja_parser *parser, struct jinja_node *node,
                                       bool at_once);

#endif
