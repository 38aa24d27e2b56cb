/* jinja_parser.c - the half of the parser that reads statements. */
#include "jinja_parser.h"

#include "jinja/jinja_expression.h"
#include "jinja/jinja_nodes.h"
#include "jinja/jinja_value.h"

static int parse_statements(struct jinja_parser *parser, struct jinja_node *node,
                            struct jinja_nodes *list, const char *const *ends);

static bool at_one_of(const struct jinja_parser *parser, const char *const *names)
{
    for (; *names; names++)
        if (jinja_is_name(jinja_current(parser), *names))
            return true;
    return false;
}

/* The rest of a tag and everything up to one of the tags `ends`, whose name is then current. A colon
 * may end the tag, as in Python. */
static int parse_body(struct jinja_parser *parser, struct jinja_node *node,
                      struct jinja_nodes *list, const char *const *ends)
{
    jinja_skip(parser, TOKEN_COLON);
    if (jinja_expect(parser, TOKEN_BLOCK_END) || parse_statements(parser, node, list, ends))
        return -1;
    if (jinja_current(parser)->kind == TOKEN_END) {
        parser->heap->line = node->line;
        return jinja_fail(parser->heap, "a tag is opened here that has no '%s'", ends[0]);
    }
    return 0;
}

/* The same for a body with one possible end, which is passed. */
static int parse_whole_body(struct jinja_parser *parser, struct jinja_node *node, const char *end)
{
    const char *const ends[] = {end, NULL};

    if (parse_body(parser, node, &node->body, ends))
        return -1;
    jinja_next(parser);
    return 0;
}

/* A body that is a function of its own: loops around it end there. */
static int parse_function_body(struct jinja_parser *parser, struct jinja_node *node,
                               const char *end)
{
    size_t n_loops = parser->n_loops;
    int rc;

    parser->n_loops = 0;
    rc = parse_whole_body(parser, node, end);
    parser->n_loops = n_loops;
    return rc;
}

/* ---- loops and conditions ---- */

static int parse_loop_bodies(struct jinja_parser *parser, struct jinja_node *loop)
{
    static const char *const ends[] = {"endfor", "else", NULL}, *const last[] = {"endfor", NULL};
    size_t n_loops = parser->n_loops;

    parser->n_loops = loop->is_recursive ? 1 : n_loops + 1;
    if (parse_body(parser, loop, &loop->body, ends))
        return -1;
    parser->n_loops = loop->is_recursive ? 0 : n_loops;
    if (jinja_skip_name(parser, "else") && parse_body(parser, loop, &loop->orelse, last))
        return -1;
    parser->n_loops = n_loops;
    jinja_next(parser);
    return 0;
}

static int parse_for(struct jinja_parser *parser, struct jinja_node *loop)
{
    loop->a = jinja_parse_target(parser, false);
    if (!loop->a)
        return -1;
    if (!jinja_skip_name(parser, "in"))
        return jinja_parse_fail(parser, "'in' was expected in 'for'");
    loop->b = jinja_parse_tuple(parser, false);
    if (!loop->b)
        return -1;
    if (jinja_skip_name(parser, "if")) {
        loop->c = jinja_parse_expression(parser);
        if (!loop->c)
            return -1;
    }
    loop->is_recursive = jinja_skip_name(parser, "recursive");
    return jinja_node_raise(parser, loop, loop->a) || jinja_node_raise(parser, loop, loop->b) ||
                   jinja_node_raise(parser, loop, loop->c)
               ? -1 : parse_loop_bodies(parser, loop);
}

/* An if or elif up to what ends its body. */
static int parse_branch(struct jinja_parser *parser, struct jinja_node *branch)
{
    static const char *const ends[] = {"endif", "elif", "else", NULL};

    branch->a = jinja_parse_tuple(parser, false);
    return branch->a && jinja_node_raise(parser, branch, branch->a) == 0
               ? parse_body(parser, branch, &branch->body, ends) : -1;
}

static int parse_if(struct jinja_parser *parser, struct jinja_node *node)
{
    static const char *const last[] = {"endif", NULL};

    if (parse_branch(parser, node))
        return -1;
    while (jinja_skip_name(parser, "elif")) {
        struct jinja_node *branch = jinja_node_new(parser, NODE_IF, jinja_current(parser)->line);

        if (!branch || parse_branch(parser, branch) ||
            jinja_nodes_add(parser, node, &node->items, branch))
            return -1;
    }
    if (jinja_skip_name(parser, "else") && parse_body(parser, node, &node->orelse, last))
        return -1;
    jinja_next(parser);
    return 0;
}

static int parse_jump(struct jinja_parser *parser, struct jinja_node *node)
{
    if (parser->n_loops == 0)
        return jinja_parse_fail(parser, "'%s' outside of a loop",
                                node->kind == NODE_BREAK ? "break" : "continue");
    return 0;
}

/* ---- variables ---- */

static int parse_set(struct jinja_parser *parser, struct jinja_node *node)
{
    struct jinja_node *piped;

    node->a = jinja_parse_target(parser, true);
    if (!node->a || jinja_node_raise(parser, node, node->a))
        return -1;
    if (jinja_skip(parser, TOKEN_ASSIGN)) {
        node->b = jinja_parse_tuple(parser, true);
        return node->b ? jinja_node_raise(parser, node, node->b) : -1;
    }
    node->kind = NODE_SET_BLOCK;
    if (jinja_current(parser)->kind == TOKEN_PIPE) {
        piped = jinja_node_new(parser, NODE_PIPED, node->line);
        node->b = piped ? jinja_parse_filters(parser, piped, false) : NULL;
        if (!node->b || jinja_node_raise(parser, node, node->b))
            return -1;
    }
    return parse_whole_body(parser, node, "endset");
}

static int parse_with(struct jinja_parser *parser, struct jinja_node *node)
{
    while (jinja_current(parser)->kind != TOKEN_BLOCK_END) {
        struct jinja_node *target, *value;

        if (node->items.n_items > 0 && jinja_expect(parser, TOKEN_COMMA))
            return -1;
        target = jinja_parse_target(parser, false);
        if (!target || jinja_expect(parser, TOKEN_ASSIGN))
            return -1;
        value = jinja_parse_expression(parser);
        if (!value || jinja_nodes_add(parser, node, &node->items, target) ||
            jinja_nodes_add(parser, node, &node->defaults, value))
            return -1;
    }
    return parse_whole_body(parser, node, "endwith");
}

/* ---- macros and what is like them ---- */

static int parse_parameters(struct jinja_parser *parser, struct jinja_node *macro)
{
    if (jinja_expect(parser, TOKEN_LPAREN))
        return -1;
    while (jinja_current(parser)->kind != TOKEN_RPAREN) {
        struct jinja_node *parameter, *value;

        if (macro->items.n_items > 0 && jinja_expect(parser, TOKEN_COMMA))
            return -1;
        parameter = jinja_parse_name_target(parser);
        if (!parameter || jinja_nodes_add(parser, macro, &macro->items, parameter))
            return -1;
        if (jinja_skip(parser, TOKEN_ASSIGN)) {
            value = jinja_parse_expression(parser);
            if (!value || jinja_nodes_add(parser, macro, &macro->defaults, value))
                return -1;
        } else if (macro->defaults.n_items > 0) {
            return jinja_parse_fail(parser, "a parameter without a default follows one with");
        }
    }
    jinja_next(parser);
    return 0;
}

static int parse_macro(struct jinja_parser *parser, struct jinja_node *macro)
{
    macro->a = jinja_parse_name_target(parser);
    if (!macro->a)
        return -1;
    macro->name = macro->a->name;
    return parse_parameters(parser, macro) ? -1 : parse_function_body(parser, macro, "endmacro");
}

static int parse_call_block(struct jinja_parser *parser, struct jinja_node *node)
{
    if (jinja_current(parser)->kind == TOKEN_LPAREN && parse_parameters(parser, node))
        return -1;
    node->a = jinja_parse_expression(parser);
    if (!node->a || jinja_node_raise(parser, node, node->a))
        return -1;
    if (node->a->kind != NODE_CALL)
        return jinja_parse_fail(parser, "'call' is not followed by a call");
    return parse_function_body(parser, node, "endcall");
}

static int parse_filter_block(struct jinja_parser *parser, struct jinja_node *node)
{
    struct jinja_node *piped = jinja_node_new(parser, NODE_PIPED, node->line);

    node->b = piped ? jinja_parse_filters(parser, piped, true) : NULL;
    return node->b && jinja_node_raise(parser, node, node->b) == 0
               ? parse_whole_body(parser, node, "endfilter") : -1;
}

static int parse_block(struct jinja_parser *parser, struct jinja_node *node)
{
    const struct jinja_token *name = jinja_current(parser), *word;

    if (jinja_expect(parser, TOKEN_NAME))
        return -1;
    node->name = name->value.string;
    word = jinja_current(parser);
    if (jinja_is_name(word, "scoped") || jinja_is_name(word, "required")) {
        parser->heap->line = word->line;
        return jinja_unsupported(parser->heap, "'block' with '%.*s' is not supported",
                                 (int)word->value.string->size, word->value.string->bytes);
    }
    if (parse_function_body(parser, node, "endblock"))
        return -1;
    word = jinja_current(parser);
    if (word->kind == TOKEN_NAME && word->value.string->size == node->name->size &&
        jinja_equal(parser->heap, word->value, name->value) == 1)
        jinja_next(parser);
    return 0;
}

static int parse_generation(struct jinja_parser *parser, struct jinja_node *node)
{
    return parse_function_body(parser, node, "endgeneration");
}

static int parse_print(struct jinja_parser *parser, struct jinja_node *node)
{
    while (jinja_current(parser)->kind != TOKEN_BLOCK_END) {
        struct jinja_node *item;

        if (node->items.n_items > 0 && jinja_expect(parser, TOKEN_COMMA))
            return -1;
        item = jinja_parse_expression(parser);
        if (!item || jinja_nodes_add(parser, node, &node->items, item))
            return -1;
    }
    return 0;
}

/* ---- statements ---- */

static const struct {
    const char *name;
    enum jinja_node_kind kind;
    int (*parse)(struct jinja_parser *parser, struct jinja_node *node); /* behind the name */
} statements[] = {
    {"if", NODE_IF, parse_if},
    {"for", NODE_FOR, parse_for},
    {"set", NODE_SET, parse_set},
    {"macro", NODE_MACRO, parse_macro},
    {"generation", NODE_GENERATION, parse_generation},
    {"break", NODE_BREAK, parse_jump},
    {"continue", NODE_CONTINUE, parse_jump},
    {"call", NODE_CALL_BLOCK, parse_call_block},
    {"filter", NODE_FILTER_BLOCK, parse_filter_block},
    {"with", NODE_WITH, parse_with},
    {"print", NODE_OUTPUT, parse_print},
    {"block", NODE_BLOCK, parse_block},
};

/* Tags that Jinja has, or has with an extension, and chat templates cannot use, and those of
 * others. */
static int refuse(struct jinja_parser *parser)
{
    static const char *const ends[] = {
        "endif", "elif", "else", "endfor", "endset", "endmacro", "endcall", "endfilter", "endwith",
        "endblock", "endgeneration", "endraw", NULL,
    };
    const struct jinja_token *token = jinja_current(parser);

    if (token->kind != TOKEN_NAME)
        return jinja_parse_fail(parser, "a tag without a name");
    if (at_one_of(parser, ends))
        return jinja_parse_fail(parser, "'%.*s' where nothing that it ends is open",
                                (int)token->value.string->size, token->value.string->bytes);
    parser->heap->line = token->line;
    return jinja_unsupported(parser->heap, "the tag '%.*s' is not supported in a chat template",
                             (int)(token->value.string->size < 80 ? token->value.string->size : 80),
                             token->value.string->bytes);
}

static int parse_statement(struct jinja_parser *parser, struct jinja_node *node,
                           struct jinja_nodes *list)
{
    struct jinja_node *statement;
    size_t i = 0, n = sizeof statements / sizeof *statements;
    int rc;

    while (i < n && !jinja_is_name(jinja_current(parser), statements[i].name))
        i++;
    if (i == n)
        return refuse(parser);
    if (jinja_parse_enter(parser))
        return -1;
    statement = jinja_node_new(parser, statements[i].kind, jinja_next(parser)->line);
    rc = statement ? statements[i].parse(parser, statement) : -1;
    jinja_parse_leave(parser);
    if (rc || jinja_expect(parser, TOKEN_BLOCK_END))
        return -1;
    return jinja_nodes_add(parser, node, list, statement);
}

static int parse_text(struct jinja_parser *parser, struct jinja_node *node,
                      struct jinja_nodes *list)
{
    const struct jinja_token *token = jinja_next(parser);
    struct jinja_node *text = jinja_node_new(parser, NODE_TEXT, token->line);

    if (!text)
        return -1;
    text->value = token->value;
    return jinja_nodes_add(parser, node, list, text);
}

static int parse_output(struct jinja_parser *parser, struct jinja_node *node,
                        struct jinja_nodes *list)
{
    size_t line = jinja_next(parser)->line;
    struct jinja_node *item = jinja_parse_tuple(parser, true);
    struct jinja_node *output = item ? jinja_node_new(parser, NODE_OUTPUT, line) : NULL;

    return output && jinja_nodes_add(parser, output, &output->items, item) == 0 &&
                   jinja_expect(parser, TOKEN_VARIABLE_END) == 0
               ? jinja_nodes_add(parser, node, list, output) : -1;
}

/* Up to one of the tags `ends` (NULL: none), or the end of the template. */
static int parse_statements(struct jinja_parser *parser, struct jinja_node *node,
                            struct jinja_nodes *list, const char *const *ends)
{
    for (;;) {
        int rc;

        switch (jinja_current(parser)->kind) {
        case TOKEN_DATA: rc = parse_text(parser, node, list); break;
        case TOKEN_VARIABLE_BEGIN: rc = parse_output(parser, node, list); break;
        case TOKEN_BLOCK_BEGIN:
            jinja_next(parser);
            if (ends && at_one_of(parser, ends))
                return 0;
            rc = parse_statement(parser, node, list);
            break;
        default: return 0;
        }
        if (rc)
            return -1;
    }
}

int jinja_parse(struct jinja_heap *heap, const char *source, size_t size, struct jinja_tree *tree)
{
    struct jinja_parser parser = {.heap = heap};
    struct jinja_node *root;

    if (jinja_lex(heap, source, size, &parser.tokens))
        return -1;
    root = jinja_node_new(&parser, NODE_BLOCK, 1);
    if (!root || parse_statements(&parser, root, &root->body, NULL))
        return -1;
    tree->body = root->body;
    return 0;
}
