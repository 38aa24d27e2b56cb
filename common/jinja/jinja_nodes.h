/* jinja_nodes.h - what both halves of the parser work with: the tokens, and nodes that are made.
 *
 * The depth of the tree is bounded here, because everything that walks it recurses. */
#ifndef COCKTAIL_JINJA_NODES_H
#define COCKTAIL_JINJA_NODES_H

#include "jinja/jinja_heap.h"
#include "jinja/jinja_lexer.h"
#include "jinja/jinja_tree.h"

enum { JINJA_TREE_DEPTH_MAX = 300 };

struct jinja_parser {
    struct jinja_heap *heap;
    struct jinja_tokens tokens;
    size_t at;
    size_t depth;   /* of calls within calls of the parser */
    size_t n_loops; /* around the current token, within the innermost macro */
};

static inline const struct jinja_token *jinja_current(const struct jinja_parser *parser)
{
    return &parser->tokens.items[parser->at];
}
/* The one behind it; the last token repeats. */
const struct jinja_token *jinja_look(const struct jinja_parser *parser);
/* Passes the current token and returns it. */
const struct jinja_token *jinja_next(struct jinja_parser *parser);
bool jinja_is_name(const struct jinja_token *token, const char *name);
/* Passes the token if it is this. */
bool jinja_skip(struct jinja_parser *parser, enum jinja_token_kind kind);
bool jinja_skip_name(struct jinja_parser *parser, const char *name);
/* Passes a token of this kind; an error when there is another. */
int jinja_expect(struct jinja_parser *parser, enum jinja_token_kind kind);
/* An error at the line of the current token. */
int jinja_parse_fail(struct jinja_parser *parser, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int jinja_parse_enter(struct jinja_parser *parser);
static inline void jinja_parse_leave(struct jinja_parser *parser)
{
    parser->depth--;
}

/* NULL on error, as all that makes nodes. */
struct jinja_node *jinja_node_new(struct jinja_parser *parser, enum jinja_node_kind kind,
                                  size_t line);
/* A node over these, which may be NULL. */
struct jinja_node *jinja_node_over(struct jinja_parser *parser, enum jinja_node_kind kind,
                                   size_t line, struct jinja_node *a, struct jinja_node *b);
/* `child` is somewhere below `node` now; an error when the tree gets too deep. */
int jinja_node_raise(struct jinja_parser *parser, struct jinja_node *node,
                     const struct jinja_node *child);
/* Adds to one of the lists of `node`. */
int jinja_nodes_add(struct jinja_parser *parser, struct jinja_node *node,
                    struct jinja_nodes *list, struct jinja_node *item);

#endif
