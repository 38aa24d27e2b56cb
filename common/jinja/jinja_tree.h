/* jinja_tree.h - a template as a tree. It is made once and only read afterwards. */
#ifndef COCKTAIL_JINJA_TREE_H
#define COCKTAIL_JINJA_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "jinja/jinja_types.h"

enum jinja_node_kind { /* and which members they use */
    /* statements */
    NODE_TEXT,         /* value */
    NODE_OUTPUT,       /* items: printed one after the other */
    NODE_FOR,          /* a target, b over what, c condition; body, orelse; is_recursive; scopes */
    NODE_IF,           /* a condition, body, items: NODE_IF of each elif, orelse */
    NODE_SET,          /* a target, b value */
    NODE_SET_BLOCK,    /* a target, b filters of NODE_PIPED or NULL, body; scope */
    NODE_MACRO,        /* name, target, items parameters, defaults, body; scope */
    NODE_CALL_BLOCK,   /* a NODE_CALL, items parameters, defaults, body; scope */
    NODE_FILTER_BLOCK, /* b filters of NODE_PIPED, body; scope */
    NODE_WITH,         /* items targets, defaults values, body; scope */
    NODE_BLOCK,        /* name, body; scope */
    NODE_GENERATION,   /* body; scope */
    NODE_BREAK, NODE_CONTINUE,
    /* expressions */
    NODE_CONST,        /* value */
    NODE_NAME,         /* name; hops, slot */
    NODE_NAMESPACE_NAME, /* a NODE_NAME, name: only as a target */
    NODE_TUPLE, NODE_LIST, /* items */
    NODE_DICT,         /* items: key, value, key, value, … */
    NODE_ATTRIBUTE,    /* a, name */
    NODE_ITEM,         /* a, b */
    NODE_SLICE,        /* a, items: start, stop, step, each may be NULL */
    NODE_CALL,         /* a, arguments */
    NODE_FILTER,       /* a, name, arguments; row */
    NODE_TEST,         /* a, name, arguments; row */
    NODE_PIPED,        /* what a block has printed */
    NODE_NOT, NODE_NEGATE, NODE_PLUS, /* a */
    NODE_BINARY,       /* a, b, operator */
    NODE_AND, NODE_OR, /* a, b */
    NODE_COMPARE,      /* a, items, operators */
    NODE_CONCAT,       /* items */
    NODE_CONDITIONAL,  /* a when b, else c, which may be NULL */
};

enum jinja_operator {
    JINJA_ADD, JINJA_SUBTRACT, JINJA_MULTIPLY, JINJA_DIVIDE, JINJA_FLOOR_DIVIDE, JINJA_MODULO,
    JINJA_POWER, JINJA_EQ, JINJA_NE, JINJA_LT, JINJA_LE, JINJA_GT, JINJA_GE, JINJA_IN,
    JINJA_NOT_IN,
};

struct jinja_node;

struct jinja_nodes {
    struct jinja_node **items; /* [n_items] */
    size_t n_items;
};

struct jinja_named_node {
    struct jinja_string *name;
    struct jinja_node *node;
};

/* f(items, named…, *list, **dict) */
struct jinja_node_arguments {
    struct jinja_named_node *named; /* [n_named] */
    size_t n_named;
    struct jinja_node *list, *dict; /* or NULL */
};

/* Where a variable gets its value when its scope is entered. */
enum jinja_load { JINJA_LOAD_PARAMETER, JINJA_LOAD_CONTEXT, JINJA_LOAD_OUTER, JINJA_LOAD_NOTHING };

struct jinja_variable {
    struct jinja_string *name;
    enum jinja_load load;
    size_t hops, slot; /* of JINJA_LOAD_OUTER */
    bool is_stored;
};

/* The variables that live and die together. At run time a frame has a slot for each. */
struct jinja_scope {
    struct jinja_scope *outer;
    struct jinja_variable *variables; /* [n_variables] */
    size_t n_variables, capacity;
};

struct jinja_node {
    enum jinja_node_kind kind;
    enum jinja_operator operator;
    size_t line;
    size_t depth;                    /* of the tree below it */
    struct jinja_string *name;
    struct jinja_value value;
    struct jinja_node *a, *b, *c;
    struct jinja_nodes items, defaults, body, orelse;
    enum jinja_operator *operators;  /* [items.n_items] */
    struct jinja_node_arguments arguments;
    struct jinja_scope *scope, *test_scope, *else_scope;
    size_t hops, slot;               /* of a NODE_NAME: so many scopes out, its place there */
    bool is_recursive, is_stored, is_soft; /* soft: inside of an if, reached or not */
    bool has_caller, has_kwargs, has_varargs; /* of a macro: what its body mentions */
    size_t caller_slot, kwargs_slot, varargs_slot, loop_slot;
    bool has_loop;
    const void *row;                 /* of the table of filters or tests; NULL: unknown */
};

struct jinja_tree {
    struct jinja_nodes body;
    struct jinja_scope *scope;
};

#endif
