#include "jinja_nodes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "jinja/jinja_value.h"

const struct jinja_token *jinja_look(const struct jinja_parser *parser)
{
    size_t next = parser->at + 1;

    return &parser->tokens.items[next < parser->tokens.n_items ? next : parser->at];
}

const struct jinja_token *jinja_next(struct jinja_parser *parser)
{
    const struct jinja_token *token = jinja_current(parser);

    if (token->kind != TOKEN_END)
        parser->at++;
    return token;
}

bool jinja_is_name(const struct jinja_token *token, const char *name)
{
    return token->kind == TOKEN_NAME && jinja_string_is(token->value.string, name);
}

bool jinja_skip(struct jinja_parser *parser, enum jinja_token_kind kind)
{
    bool is_there = jinja_current(parser)->kind == kind;

    if (is_there)
        jinja_next(parser);
    return is_there;
}

bool jinja_skip_name(struct jinja_parser *parser, const char *name)
{
    bool is_there = jinja_is_name(jinja_current(parser), name);

    if (is_there)
        jinja_next(parser);
    return is_there;
}

int jinja_parse_fail(struct jinja_parser *parser, const char *fmt, ...)
{
    va_list arguments;
    char text[400];

    va_start(arguments, fmt);
    vsnprintf(text, sizeof text, fmt, arguments);
    va_end(arguments);
    parser->heap->line = jinja_current(parser)->line;
    return jinja_fail(parser->heap, "%s", text);
}

int jinja_expect(struct jinja_parser *parser, enum jinja_token_kind kind)
{
    if (jinja_skip(parser, kind))
        return 0;
    return jinja_parse_fail(parser, "%s where %s was expected",
                            jinja_token_name(jinja_current(parser)->kind),
                            jinja_token_name(kind));
}

int jinja_parse_enter(struct jinja_parser *parser)
{
    if (parser->depth >= JINJA_TREE_DEPTH_MAX)
        return jinja_parse_fail(parser, "nested more than %d deep", JINJA_TREE_DEPTH_MAX);
    parser->depth++;
    return 0;
}

struct jinja_node *jinja_node_new(struct jinja_parser *parser, enum jinja_node_kind kind,
                                  size_t line)
{
    struct jinja_node *node = jinja_alloc(parser->heap, 1, sizeof *node);

    if (!node)
        return NULL;
    node->kind = kind;
    node->line = line;
    node->depth = 1;
    return node;
}

int jinja_node_raise(struct jinja_parser *parser, struct jinja_node *node,
                     const struct jinja_node *child)
{
    if (!child || child->depth < node->depth)
        return 0;
    node->depth = child->depth + 1;
    if (node->depth > JINJA_TREE_DEPTH_MAX)
        return jinja_parse_fail(parser, "more than %d expressions or statements within one another",
                                JINJA_TREE_DEPTH_MAX);
    return 0;
}

struct jinja_node *jinja_node_over(struct jinja_parser *parser, enum jinja_node_kind kind,
                                   size_t line, struct jinja_node *a, struct jinja_node *b)
{
    struct jinja_node *node = jinja_node_new(parser, kind, line);

    if (!node || jinja_node_raise(parser, node, a) || jinja_node_raise(parser, node, b))
        return NULL;
    node->a = a;
    node->b = b;
    return node;
}

int jinja_nodes_add(struct jinja_parser *parser, struct jinja_node *node,
                    struct jinja_nodes *list, struct jinja_node *item)
{
    size_t n = list->n_items;

    if ((n & (n - 1)) == 0) { /* full: it holds 0, 1, 2, 4, 8, … */
        struct jinja_node **items = jinja_alloc(parser->heap, n ? 2 * n : 1, sizeof(*items));

        if (!items)
            return -1;
        if (n > 0)
            memcpy(items, list->items, n * sizeof(*items));
        list->items = items;
    }
    list->items[list->n_items++] = item;
    return jinja_node_raise(parser, node, item);
}
