#include "jinja_expression.h"

#include <string.h>

#include "jinja/jinja_value.h"

static bool at(const struct jinja_parser *parser, enum jinja_token_kind kind)
{
    return jinja_current(parser)->kind == kind;
}

static bool at_name(const struct jinja_parser *parser, const char *name)
{
    return jinja_is_name(jinja_current(parser), name);
}

static size_t line_of(const struct jinja_parser *parser)
{
    return jinja_current(parser)->line;
}

static struct jinja_node *unexpected(struct jinja_parser *parser)
{
    const struct jinja_token *token = jinja_current(parser);

    if (token->kind == TOKEN_NAME)
        jinja_parse_fail(parser, "unexpected '%.*s'", (int)token->value.string->size,
                         token->value.string->bytes);
    else
        jinja_parse_fail(parser, "unexpected %s", jinja_token_name(token->kind));
    return NULL;
}

/* ---- values ---- */

static struct jinja_node *constant(struct jinja_parser *parser, size_t line,
                                   struct jinja_value value)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_CONST, line);

    if (node)
        node->value = value;
    return node;
}

static struct jinja_node *parse_name(struct jinja_parser *parser, bool members)
{
    static const struct {
        const char *name;
        struct jinja_value value;
    } words[] = {
        {"true", {.kind = JINJA_BOOL, .boolean = true}},
        {"True", {.kind = JINJA_BOOL, .boolean = true}},
        {"false", {.kind = JINJA_BOOL}}, {"False", {.kind = JINJA_BOOL}},
        {"none", {.kind = JINJA_NONE}}, {"None", {.kind = JINJA_NONE}},
    };
    const struct jinja_token *token = jinja_next(parser);
    struct jinja_node *node, *member;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (jinja_is_name(token, words[i].name))
            return constant(parser, token->line, words[i].value);
    node = jinja_node_new(parser, NODE_NAME, token->line);
    if (!node)
        return NULL;
    node->name = token->value.string;
    if (!members || !jinja_skip(parser, TOKEN_DOT))
        return node;
    token = jinja_current(parser);
    if (jinja_expect(parser, TOKEN_NAME))
        return NULL;
    member = jinja_node_over(parser, NODE_NAMESPACE_NAME, node->line, node, NULL);
    if (member)
        member->name = token->value.string;
    return member;
}

/* Strings one behind the other are one. */
static struct jinja_node *parse_string(struct jinja_parser *parser)
{
    const struct jinja_token *token = jinja_next(parser);
    struct jinja_value text = token->value;

    while (at(parser, TOKEN_STRING))
        if (jinja_string_concat(parser->heap, text.string, jinja_next(parser)->value.string,
                                &text))
            return NULL;
    text.string->room = NULL; /* nothing is put behind it any more: threads share it */
    jinja_string_chars(text.string);
    return constant(parser, token->line, text);
}

static struct jinja_node *parse_list(struct jinja_parser *parser)
{
    struct jinja_node *list = jinja_node_new(parser, NODE_LIST, line_of(parser)), *item;

    jinja_next(parser);
    while (list && !at(parser, TOKEN_RBRACKET)) {
        if (list->items.n_items > 0 && jinja_expect(parser, TOKEN_COMMA))
            return NULL;
        if (at(parser, TOKEN_RBRACKET))
            break;
        item = jinja_parse_expression(parser);
        if (!item || jinja_nodes_add(parser, list, &list->items, item))
            return NULL;
    }
    jinja_next(parser);
    return list;
}

static struct jinja_node *parse_dict(struct jinja_parser *parser)
{
    struct jinja_node *dict = jinja_node_new(parser, NODE_DICT, line_of(parser)), *key, *value;

    jinja_next(parser);
    while (dict && !at(parser, TOKEN_RBRACE)) {
        if (dict->items.n_items > 0 && jinja_expect(parser, TOKEN_COMMA))
            return NULL;
        if (at(parser, TOKEN_RBRACE))
            break;
        key = jinja_parse_expression(parser);
        if (!key || jinja_expect(parser, TOKEN_COLON))
            return NULL;
        value = jinja_parse_expression(parser);
        if (!value || jinja_nodes_add(parser, dict, &dict->items, key) ||
            jinja_nodes_add(parser, dict, &dict->items, value))
            return NULL;
    }
    jinja_next(parser);
    return dict;
}

static struct jinja_node *parse_items(struct jinja_parser *parser, bool conditional,
                                      bool in_brackets, bool simple, bool members);

static struct jinja_node *parse_primary(struct jinja_parser *parser, bool members)
{
    struct jinja_node *node;

    switch (jinja_current(parser)->kind) {
    case TOKEN_NAME: return parse_name(parser, members);
    case TOKEN_STRING: return parse_string(parser);
    case TOKEN_NUMBER:
        node = constant(parser, line_of(parser), jinja_current(parser)->value);
        jinja_next(parser);
        return node;
    case TOKEN_LPAREN:
        jinja_next(parser);
        node = parse_items(parser, true, true, false, false);
        return node && jinja_expect(parser, TOKEN_RPAREN) == 0 ? node : NULL;
    case TOKEN_LBRACKET: return parse_list(parser);
    case TOKEN_LBRACE: return parse_dict(parser);
    default: return unexpected(parser);
    }
}

/* ---- arguments ---- */

static int add_named(struct jinja_parser *parser, struct jinja_node *call)
{
    struct jinja_node_arguments *arguments = &call->arguments;
    size_t n = arguments->n_named;
    struct jinja_named_node *named = jinja_alloc(parser->heap, n + 1, sizeof *named);

    if (!named || jinja_spend(parser->heap, n))
        return -1;
    if (n > 0)
        memcpy(named, arguments->named, n * sizeof *named);
    named[n].name = jinja_next(parser)->value.string;
    for (size_t i = 0; i < n; i++)
        if (named[i].name->size == named[n].name->size &&
            memcmp(named[i].name->bytes, named[n].name->bytes, named[n].name->size) == 0)
            return jinja_parse_fail(parser, "argument '%.*s' is given twice",
                                    (int)named[n].name->size, named[n].name->bytes);
    jinja_next(parser); /* = */
    named[n].node = jinja_parse_expression(parser);
    arguments->named = named;
    arguments->n_named = n + 1;
    return named[n].node ? jinja_node_raise(parser, call, named[n].node) : -1;
}

static int add_starred(struct jinja_parser *parser, struct jinja_node *call,
                       struct jinja_node **place)
{
    jinja_next(parser);
    *place = jinja_parse_expression(parser);
    return *place ? jinja_node_raise(parser, call, *place) : -1;
}

static int add_argument(struct jinja_parser *parser, struct jinja_node *call)
{
    struct jinja_node_arguments *arguments = &call->arguments;
    struct jinja_node *item;

    if (arguments->dict || (arguments->list && at(parser, TOKEN_MUL)))
        return jinja_parse_fail(parser, "arguments in an order that is not allowed");
    if (at(parser, TOKEN_MUL))
        return add_starred(parser, call, &arguments->list);
    if (at(parser, TOKEN_POW))
        return add_starred(parser, call, &arguments->dict);
    if (at(parser, TOKEN_NAME) && jinja_look(parser)->kind == TOKEN_ASSIGN)
        return add_named(parser, call);
    if (arguments->list || arguments->n_named > 0)
        return jinja_parse_fail(parser, "arguments in an order that is not allowed");
    item = jinja_parse_expression(parser);
    return item ? jinja_nodes_add(parser, call, &call->items, item) : -1;
}

/* ( … ), into the node of a call, filter or test. */
static int parse_arguments(struct jinja_parser *parser, struct jinja_node *call)
{
    bool is_first = true;

    jinja_next(parser);
    while (!at(parser, TOKEN_RPAREN)) {
        if (!is_first && jinja_expect(parser, TOKEN_COMMA))
            return -1;
        if (at(parser, TOKEN_RPAREN))
            break;
        if (add_argument(parser, call))
            return -1;
        is_first = false;
    }
    jinja_next(parser);
    return 0;
}

/* ---- what stands behind a value ---- */

static struct jinja_node *parse_call(struct jinja_parser *parser, struct jinja_node *node)
{
    struct jinja_node *call = jinja_node_over(parser, NODE_CALL, line_of(parser), node, NULL);

    return call && parse_arguments(parser, call) == 0 ? call : NULL;
}

static struct jinja_node *parse_attribute(struct jinja_parser *parser, struct jinja_node *node)
{
    size_t line = jinja_next(parser)->line;
    const struct jinja_token *token = jinja_current(parser);
    struct jinja_node *result, *index;

    if (token->kind == TOKEN_NAME) {
        result = jinja_node_over(parser, NODE_ATTRIBUTE, line, node, NULL);
        if (result)
            result->name = token->value.string;
    } else if (token->kind == TOKEN_NUMBER && token->is_integer) {
        index = constant(parser, line, token->value);
        result = index ? jinja_node_over(parser, NODE_ITEM, line, node, index) : NULL;
    } else {
        jinja_parse_fail(parser, "a name or a number was expected behind '.'");
        return NULL;
    }
    jinja_next(parser);
    return result;
}

/* The part of a slice that may stand here. */
static int parse_bound(struct jinja_parser *parser, struct jinja_node *slice)
{
    struct jinja_node *bound = NULL;

    if (!at(parser, TOKEN_COLON) && !at(parser, TOKEN_RBRACKET) && !at(parser, TOKEN_COMMA)) {
        bound = jinja_parse_expression(parser);
        if (!bound)
            return -1;
    }
    return jinja_nodes_add(parser, slice, &slice->items, bound);
}

/* Behind the first colon, before which `start` stood. */
static struct jinja_node *parse_slice(struct jinja_parser *parser, struct jinja_node *node,
                                      struct jinja_node *start)
{
    struct jinja_node *slice = jinja_node_over(parser, NODE_SLICE, line_of(parser), node, NULL);

    jinja_next(parser);
    if (!slice || jinja_nodes_add(parser, slice, &slice->items, start) ||
        parse_bound(parser, slice))
        return NULL;
    if (jinja_skip(parser, TOKEN_COLON)) {
        if (parse_bound(parser, slice))
            return NULL;
    } else if (jinja_nodes_add(parser, slice, &slice->items, NULL)) {
        return NULL;
    }
    return jinja_expect(parser, TOKEN_RBRACKET) == 0 ? slice : NULL;
}

static struct jinja_node *parse_item(struct jinja_parser *parser, struct jinja_node *node)
{
    struct jinja_node *index = NULL, *tuple = NULL;
    size_t line = jinja_next(parser)->line;

    if (at(parser, TOKEN_COLON))
        return parse_slice(parser, node, NULL);
    if (!at(parser, TOKEN_RBRACKET)) {
        index = jinja_parse_expression(parser);
        if (!index)
            return NULL;
        if (at(parser, TOKEN_COLON))
            return parse_slice(parser, node, index);
    }
    if (!at(parser, TOKEN_RBRACKET) || !index) { /* x[] and x[1, 2] are looked up by a tuple */
        tuple = jinja_node_new(parser, NODE_TUPLE, line);
        if (!tuple || (index && jinja_nodes_add(parser, tuple, &tuple->items, index)))
            return NULL;
        while (!at(parser, TOKEN_RBRACKET)) {
            if (jinja_expect(parser, TOKEN_COMMA))
                return NULL;
            index = jinja_parse_expression(parser);
            if (!index || jinja_nodes_add(parser, tuple, &tuple->items, index))
                return NULL;
        }
    }
    jinja_next(parser);
    return jinja_node_over(parser, NODE_ITEM, line, node, tuple ? tuple : index);
}

static struct jinja_node *parse_postfix(struct jinja_parser *parser, struct jinja_node *node)
{
    while (node)
        switch (jinja_current(parser)->kind) {
        case TOKEN_DOT: node = parse_attribute(parser, node); break;
        case TOKEN_LBRACKET: node = parse_item(parser, node); break;
        case TOKEN_LPAREN: node = parse_call(parser, node); break;
        default: return node;
        }
    return NULL;
}

/* name or name.name, joined with the dots. */
static int parse_dotted(struct jinja_parser *parser, struct jinja_string **name)
{
    static const struct jinja_string dot = {.bytes = ".", .size = 1, .n_chars = 1};
    const struct jinja_token *token = jinja_current(parser);
    struct jinja_value text;

    if (jinja_expect(parser, TOKEN_NAME))
        return -1;
    text = token->value;
    while (jinja_skip(parser, TOKEN_DOT)) {
        token = jinja_current(parser);
        if (jinja_expect(parser, TOKEN_NAME) ||
            jinja_string_concat(parser->heap, text.string, &dot, &text) ||
            jinja_string_concat(parser->heap, text.string, token->value.string, &text))
            return -1;
    }
    *name = text.string;
    return 0;
}

struct jinja_node *jinja_parse_filters(struct jinja_parser *parser, struct jinja_node *node,
                                       bool at_once)
{
    while (at_once || at(parser, TOKEN_PIPE)) {
        if (!at_once)
            jinja_next(parser);
        at_once = false;
        node = jinja_node_over(parser, NODE_FILTER, line_of(parser), node, NULL);
        if (!node || parse_dotted(parser, &node->name) ||
            (at(parser, TOKEN_LPAREN) && parse_arguments(parser, node)))
            return NULL;
    }
    return node;
}

/* Whether a value stands here that is the argument of a test without brackets. */
static bool at_argument(const struct jinja_parser *parser)
{
    switch (jinja_current(parser)->kind) {
    case TOKEN_NAME:
        return !at_name(parser, "else") && !at_name(parser, "or") && !at_name(parser, "and");
    case TOKEN_STRING: case TOKEN_NUMBER: case TOKEN_LBRACKET: case TOKEN_LBRACE:
        return true;
    default:
        return false;
    }
}

static struct jinja_node *parse_test(struct jinja_parser *parser, struct jinja_node *node)
{
    size_t line = jinja_next(parser)->line;
    bool is_negated = jinja_skip_name(parser, "not");
    struct jinja_node *test = jinja_node_over(parser, NODE_TEST, line, node, NULL), *argument;

    if (!test || parse_dotted(parser, &test->name))
        return NULL;
    if (at(parser, TOKEN_LPAREN)) {
        if (parse_arguments(parser, test))
            return NULL;
    } else if (at_argument(parser)) {
        if (at_name(parser, "is")) {
            jinja_parse_fail(parser, "tests cannot follow one another with 'is'");
            return NULL;
        }
        argument = parse_primary(parser, false);
        argument = argument ? parse_postfix(parser, argument) : NULL;
        if (!argument || jinja_nodes_add(parser, test, &test->items, argument))
            return NULL;
    }
    return is_negated ? jinja_node_over(parser, NODE_NOT, line, test, NULL) : test;
}

static struct jinja_node *parse_filters_and_tests(struct jinja_parser *parser,
                                                  struct jinja_node *node)
{
    while (node) {
        if (at(parser, TOKEN_PIPE))
            node = jinja_parse_filters(parser, node, false);
        else if (at_name(parser, "is"))
            node = parse_test(parser, node);
        else if (at(parser, TOKEN_LPAREN))
            node = parse_call(parser, node);
        else
            break;
    }
    return node;
}

/* ---- operators, the tightest first ---- */

static struct jinja_node *parse_unary(struct jinja_parser *parser, bool with_filters)
{
    enum jinja_token_kind kind = jinja_current(parser)->kind;
    size_t line = line_of(parser);
    struct jinja_node *node;

    if (kind == TOKEN_SUB || kind == TOKEN_ADD) {
        if (jinja_parse_enter(parser))
            return NULL;
        jinja_next(parser);
        node = parse_unary(parser, false);
        jinja_parse_leave(parser);
        if (node)
            node = jinja_node_over(parser, kind == TOKEN_SUB ? NODE_NEGATE : NODE_PLUS, line, node,
                                   NULL);
    } else {
        node = parse_primary(parser, false);
    }
    node = node ? parse_postfix(parser, node) : NULL;
    return with_filters ? parse_filters_and_tests(parser, node) : node;
}

struct level {
    struct jinja_node *(*parse)(struct jinja_parser *parser); /* of the operands */
    struct {
        enum jinja_token_kind token;
        enum jinja_operator operator;
    } rows[4];
    size_t n_rows;
};

static struct jinja_node *parse_binary(struct jinja_parser *parser, const struct level *level)
{
    struct jinja_node *left = level->parse(parser);

    while (left) {
        size_t line = line_of(parser), i = 0;
        struct jinja_node *right, *node;

        while (i < level->n_rows && !at(parser, level->rows[i].token))
            i++;
        if (i == level->n_rows)
            break;
        jinja_next(parser);
        right = level->parse(parser);
        node = right ? jinja_node_over(parser, NODE_BINARY, line, left, right) : NULL;
        if (node)
            node->operator = level->rows[i].operator;
        left = node;
    }
    return left;
}

static struct jinja_node *parse_operand(struct jinja_parser *parser)
{
    return parse_unary(parser, true);
}

static struct jinja_node *parse_power(struct jinja_parser *parser)
{
    static const struct level level = {parse_operand, {{TOKEN_POW, JINJA_POWER}}, 1};

    return parse_binary(parser, &level);
}

static struct jinja_node *parse_product(struct jinja_parser *parser)
{
    static const struct level level = {
        parse_power,
        {{TOKEN_MUL, JINJA_MULTIPLY}, {TOKEN_DIV, JINJA_DIVIDE},
         {TOKEN_FLOORDIV, JINJA_FLOOR_DIVIDE}, {TOKEN_MOD, JINJA_MODULO}}, 4};

    return parse_binary(parser, &level);
}

static struct jinja_node *parse_concat(struct jinja_parser *parser)
{
    size_t line = line_of(parser);
    struct jinja_node *first = parse_product(parser), *node, *item;

    if (!first || !at(parser, TOKEN_TILDE))
        return first;
    node = jinja_node_new(parser, NODE_CONCAT, line);
    if (!node || jinja_nodes_add(parser, node, &node->items, first))
        return NULL;
    while (jinja_skip(parser, TOKEN_TILDE)) {
        item = parse_product(parser);
        if (!item || jinja_nodes_add(parser, node, &node->items, item))
            return NULL;
    }
    return node;
}

static struct jinja_node *parse_sum(struct jinja_parser *parser)
{
    static const struct level level = {
        parse_concat, {{TOKEN_ADD, JINJA_ADD}, {TOKEN_SUB, JINJA_SUBTRACT}}, 2};

    return parse_binary(parser, &level);
}

/* Whether a comparison stands here; if so it has been passed. */
static bool skip_comparison(struct jinja_parser *parser, enum jinja_operator *operator)
{
    static const struct {
        enum jinja_token_kind token;
        enum jinja_operator operator;
    } rows[] = {
        {TOKEN_EQ, JINJA_EQ}, {TOKEN_NE, JINJA_NE}, {TOKEN_LT, JINJA_LT}, {TOKEN_LE, JINJA_LE},
        {TOKEN_GT, JINJA_GT}, {TOKEN_GE, JINJA_GE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (jinja_skip(parser, rows[i].token)) {
            *operator = rows[i].operator;
            return true;
        }
    *operator = JINJA_IN;
    if (jinja_skip_name(parser, "in"))
        return true;
    *operator = JINJA_NOT_IN;
    if (!at_name(parser, "not") || !jinja_is_name(jinja_look(parser), "in"))
        return false;
    jinja_next(parser);
    jinja_next(parser);
    return true;
}

enum { COMPARISONS_MAX = 64 };

static struct jinja_node *parse_comparison(struct jinja_parser *parser)
{
    enum jinja_operator operators[COMPARISONS_MAX];
    size_t line = line_of(parser), n = 0;
    struct jinja_node *first = parse_sum(parser), *node = NULL, *item;

    while (first && skip_comparison(parser, &operators[n])) {
        if (!node)
            node = jinja_node_over(parser, NODE_COMPARE, line, first, NULL);
        item = node ? parse_sum(parser) : NULL;
        if (!item || jinja_nodes_add(parser, node, &node->items, item))
            return NULL;
        if (++n == COMPARISONS_MAX) {
            jinja_parse_fail(parser, "more than %d comparisons in a row", COMPARISONS_MAX - 1);
            return NULL;
        }
    }
    if (!node)
        return first;
    node->operators = jinja_alloc(parser->heap, n, sizeof *node->operators);
    if (!node->operators)
        return NULL;
    memcpy(node->operators, operators, n * sizeof *operators);
    return node;
}

static struct jinja_node *parse_not(struct jinja_parser *parser)
{
    size_t line = line_of(parser);
    struct jinja_node *node;

    if (!jinja_skip_name(parser, "not"))
        return parse_comparison(parser);
    if (jinja_parse_enter(parser))
        return NULL;
    node = parse_not(parser);
    jinja_parse_leave(parser);
    return node ? jinja_node_over(parser, NODE_NOT, line, node, NULL) : NULL;
}

static struct jinja_node *parse_and(struct jinja_parser *parser)
{
    size_t line = line_of(parser);
    struct jinja_node *left = parse_not(parser), *right;

    while (left && jinja_skip_name(parser, "and")) {
        right = parse_not(parser);
        left = right ? jinja_node_over(parser, NODE_AND, line, left, right) : NULL;
    }
    return left;
}

static struct jinja_node *parse_or(struct jinja_parser *parser)
{
    size_t line = line_of(parser);
    struct jinja_node *left = parse_and(parser), *right;

    while (left && jinja_skip_name(parser, "or")) {
        right = parse_and(parser);
        left = right ? jinja_node_over(parser, NODE_OR, line, left, right) : NULL;
    }
    return left;
}

static struct jinja_node *parse_conditional(struct jinja_parser *parser)
{
    size_t line = line_of(parser);
    struct jinja_node *node = parse_or(parser), *condition, *otherwise;

    while (node && jinja_skip_name(parser, "if")) {
        condition = parse_or(parser);
        node = condition ? jinja_node_over(parser, NODE_CONDITIONAL, line, node, condition) : NULL;
        if (!node || !jinja_skip_name(parser, "else"))
            continue;
        otherwise = jinja_parse_expression(parser);
        if (!otherwise || jinja_node_raise(parser, node, otherwise))
            return NULL;
        node->c = otherwise;
    }
    return node;
}

struct jinja_node *jinja_parse_expression(struct jinja_parser *parser)
{
    struct jinja_node *node;

    if (jinja_parse_enter(parser))
        return NULL;
    node = parse_conditional(parser);
    jinja_parse_leave(parser);
    return node;
}

/* ---- tuples and targets ---- */

static struct jinja_node *parse_part(struct jinja_parser *parser, bool conditional, bool simple,
                                     bool members)
{
    if (simple)
        return parse_primary(parser, members);
    return conditional ? jinja_parse_expression(parser) : parse_or(parser);
}

static bool at_tuple_end(const struct jinja_parser *parser)
{
    return at(parser, TOKEN_VARIABLE_END) || at(parser, TOKEN_BLOCK_END) ||
           at(parser, TOKEN_RPAREN);
}

/* One, or several with commas between them as a tuple. Nothing is an empty tuple in brackets. */
static struct jinja_node *parse_items(struct jinja_parser *parser, bool conditional,
                                      bool in_brackets, bool simple, bool members)
{
    struct jinja_node *tuple = jinja_node_new(parser, NODE_TUPLE, line_of(parser)), *item;
    bool has_comma = false;

    if (!tuple || jinja_parse_enter(parser))
        return NULL;
    while (!at_tuple_end(parser)) {
        item = parse_part(parser, conditional, simple, members);
        if (!item || jinja_nodes_add(parser, tuple, &tuple->items, item))
            return NULL;
        if (!jinja_skip(parser, TOKEN_COMMA))
            break;
        has_comma = true;
    }
    jinja_parse_leave(parser);
    if (has_comma)
        return tuple;
    if (tuple->items.n_items > 0)
        return tuple->items.items[0];
    return in_brackets ? tuple : unexpected(parser);
}

struct jinja_node *jinja_parse_tuple(struct jinja_parser *parser, bool conditional)
{
    return parse_items(parser, conditional, false, false, false);
}

static int mark_target(struct jinja_parser *parser, struct jinja_node *node)
{
    if (node->kind == NODE_TUPLE) {
        for (size_t i = 0; i < node->items.n_items; i++)
            if (mark_target(parser, node->items.items[i]))
                return -1;
        return 0;
    }
    if (node->kind != NODE_NAME && node->kind != NODE_NAMESPACE_NAME)
        return jinja_parse_fail(parser, "something is assigned to what is no variable");
    node->is_stored = true;
    return 0;
}

struct jinja_node *jinja_parse_target(struct jinja_parser *parser, bool members)
{
    struct jinja_node *node = parse_items(parser, true, false, true, members);

    return node && mark_target(parser, node) == 0 ? node : NULL;
}

struct jinja_node *jinja_parse_name_target(struct jinja_parser *parser)
{
    struct jinja_node *node;

    if (jinja_expect(parser, TOKEN_NAME))
        return NULL;
    parser->at--;
    node = parse_name(parser, false); /* the words for true, false and none are no names */
    return node && mark_target(parser, node) == 0 ? node : NULL;
}
