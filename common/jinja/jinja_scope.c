#include "jinja_scope.h"

#include <string.h>

#include "jinja/jinja_value.h"

enum { VARIABLES_MAX = 2000 }; /* in one scope */

struct resolver {
    struct jinja_heap *heap;
    const struct jinja_rows *rows;
    size_t n_loops; /* around the node, through everything */
    bool uses_self, has_blocks;
};

/* ---- the variables of a scope ---- */

/* While a scope is looked through, a branch of an `if` sees what it has seen itself: so what is
 * known of each variable is kept apart, and copied. */
struct known {
    bool is_there, is_stored;
    enum jinja_load load;
    size_t hops, slot;
};

struct symbols {
    struct jinja_scope *scope;
    struct known *known; /* [scope->capacity] */
};

static bool same_name(const struct jinja_string *a, const struct jinja_string *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* The slot of a name; n_variables: none. */
static size_t find_slot(struct resolver *resolver, const struct jinja_scope *scope,
                        const struct jinja_string *name)
{
    size_t i = 0;

    while (i < scope->n_variables && !same_name(scope->variables[i].name, name))
        i++;
    resolver->heap->n_steps += i / 16;
    return i;
}

/* The slot of a name, made where there is none; -1 on error. */
static int add_slot(struct resolver *resolver, struct symbols *symbols, struct jinja_string *name)
{
    struct jinja_scope *scope = symbols->scope;
    size_t i = find_slot(resolver, scope, name);

    if (jinja_spend(resolver->heap, 1))
        return -1;
    if (i < scope->n_variables)
        return (int)i;
    if (i == VARIABLES_MAX)
        return jinja_fail(resolver->heap, "more than %d variables", VARIABLES_MAX);
    if (i == scope->capacity) {
        size_t capacity = i ? 2 * i : 8;
        struct jinja_variable *variables = jinja_alloc(resolver->heap, capacity,
                                                       sizeof *variables);
        struct known *known = jinja_alloc(resolver->heap, capacity, sizeof *known);

        if (!variables || !known)
            return -1;
        if (i > 0) {
            memcpy(variables, scope->variables, i * sizeof *variables);
            memcpy(known, symbols->known, i * sizeof *known);
        }
        scope->variables = variables;
        scope->capacity = capacity;
        symbols->known = known;
    }
    scope->variables[i].name = name;
    scope->n_variables++;
    return (int)i;
}

/* A variable of the scopes around `scope` (those are complete), or false. */
static bool find_outer(struct resolver *resolver, const struct jinja_scope *scope,
                       const struct jinja_string *name, size_t *hops, size_t *slot)
{
    *hops = 0;
    for (scope = scope->outer; scope; scope = scope->outer) {
        ++*hops;
        *slot = find_slot(resolver, scope, name);
        if (*slot < scope->n_variables)
            return true;
    }
    return false;
}

static int declare(struct resolver *resolver, struct symbols *symbols, struct jinja_string *name)
{
    int slot = add_slot(resolver, symbols, name);

    if (slot < 0)
        return -1;
    symbols->known[slot] = (struct known){.is_there = true, .is_stored = true,
                                          .load = JINJA_LOAD_PARAMETER};
    return 0;
}

static int note_store(struct resolver *resolver, struct symbols *symbols,
                      struct jinja_string *name)
{
    int slot = add_slot(resolver, symbols, name);
    struct known *known;

    if (slot < 0)
        return -1;
    known = &symbols->known[slot];
    known->is_stored = true;
    if (known->is_there)
        return 0;
    known->is_there = true;
    known->load = find_outer(resolver, symbols->scope, name, &known->hops, &known->slot)
                      ? JINJA_LOAD_OUTER : JINJA_LOAD_NOTHING;
    return 0;
}

static int note_load(struct resolver *resolver, struct symbols *symbols,
                     struct jinja_string *name)
{
    size_t slot = find_slot(resolver, symbols->scope, name), hops;
    int own;

    if (slot < symbols->scope->n_variables && symbols->known[slot].is_there)
        return 0;
    if (find_outer(resolver, symbols->scope, name, &hops, &slot))
        return 0;
    own = add_slot(resolver, symbols, name);
    if (own < 0)
        return -1;
    symbols->known[own].is_there = true;
    symbols->known[own].load = JINJA_LOAD_CONTEXT;
    return 0;
}

/* ---- first pass: which variables a scope has ---- */

static int note(struct resolver *resolver, struct symbols *symbols, struct jinja_node *node);

static int note_all(struct resolver *resolver, struct symbols *symbols,
                    const struct jinja_nodes *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (note(resolver, symbols, list->items[i]))
            return -1;
    return 0;
}

static struct known *copy_known(struct resolver *resolver, const struct symbols *symbols)
{
    size_t n = symbols->scope->capacity;
    struct known *copy = jinja_alloc(resolver->heap, n, sizeof *copy);

    if (copy && n > 0)
        memcpy(copy, symbols->known, n * sizeof *copy);
    return copy && jinja_spend(resolver->heap, n / 8) == 0 ? copy : NULL;
}

/* What is known after one branch goes into `all`, the state before the branches being `before`. */
static void merge_branch(struct known *all, const struct known *branch, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!branch[i].is_there)
            continue;
        all[i].is_there = true;
        all[i].load = branch[i].load;
        all[i].hops = branch[i].hops;
        all[i].slot = branch[i].slot;
        all[i].is_stored |= branch[i].is_stored;
    }
}

/* A variable that is set in some branch only has before it the value of the scope around, or of the
 * context. */
static int note_if(struct resolver *resolver, struct symbols *symbols, struct jinja_node *node)
{
    const struct jinja_nodes *const branches[] = {&node->body, &node->items, &node->orelse};
    struct known *before, *states[3];
    size_t n_before = symbols->scope->n_variables, sizes[3];

    if (note(resolver, symbols, node->a))
        return -1;
    n_before = symbols->scope->n_variables;
    before = copy_known(resolver, symbols);
    if (!before)
        return -1;
    for (int i = 0; i < 3; i++) {
        struct known *start = jinja_alloc(resolver->heap, symbols->scope->capacity, sizeof *start);

        if (!start)
            return -1;
        if (n_before > 0)
            memcpy(start, before, n_before * sizeof *start);
        symbols->known = start;
        if (note_all(resolver, symbols, branches[i]))
            return -1;
        states[i] = symbols->known;
        sizes[i] = symbols->scope->n_variables;
    }
    symbols->known = jinja_alloc(resolver->heap, symbols->scope->capacity, sizeof *before);
    if (!symbols->known)
        return -1;
    if (n_before > 0)
        memcpy(symbols->known, before, n_before * sizeof *before);
    for (int i = 0; i < 3; i++)
        merge_branch(symbols->known, states[i], sizes[i]);
    for (size_t i = 0; i < symbols->scope->n_variables; i++) {
        struct known *known = &symbols->known[i];

        if (!known->is_stored || (i < n_before && before[i].is_stored))
            continue;
        known->load = find_outer(resolver, symbols->scope, symbols->scope->variables[i].name,
                                 &known->hops, &known->slot)
                          ? JINJA_LOAD_OUTER : JINJA_LOAD_CONTEXT;
    }
    return 0;
}

static int note_arguments(struct resolver *resolver, struct symbols *symbols,
                          const struct jinja_node_arguments *arguments)
{
    for (size_t i = 0; i < arguments->n_named; i++)
        if (note(resolver, symbols, arguments->named[i].node))
            return -1;
    return note(resolver, symbols, arguments->list) || note(resolver, symbols, arguments->dict)
               ? -1 : 0;
}

/* Looks through what belongs to this scope and stops at others. */
static int note(struct resolver *resolver, struct symbols *symbols, struct jinja_node *node)
{
    if (!node)
        return 0;
    if (jinja_spend(resolver->heap, 1))
        return -1;
    resolver->heap->line = node->line;
    switch (node->kind) {
    case NODE_NAME:
        return node->is_stored ? note_store(resolver, symbols, node->name)
                               : note_load(resolver, symbols, node->name);
    case NODE_NAMESPACE_NAME: return note_load(resolver, symbols, node->a->name);
    case NODE_IF: return note_if(resolver, symbols, node);
    case NODE_FOR: return note(resolver, symbols, node->b);
    case NODE_SET:
        return note(resolver, symbols, node->b) || note(resolver, symbols, node->a) ? -1 : 0;
    case NODE_SET_BLOCK: case NODE_MACRO: case NODE_CALL_BLOCK:
        return note(resolver, symbols, node->a);
    case NODE_FILTER_BLOCK: return note(resolver, symbols, node->b);
    case NODE_WITH: return note_all(resolver, symbols, &node->defaults);
    case NODE_BLOCK: case NODE_GENERATION: return 0;
    default:
        return note(resolver, symbols, node->a) || note(resolver, symbols, node->b) ||
                       note(resolver, symbols, node->c) ||
                       note_all(resolver, symbols, &node->items) ||
                       note_arguments(resolver, symbols, &node->arguments)
                   ? -1 : 0;
    }
}

/* ---- scopes ---- */

static struct jinja_scope *begin_scope(struct resolver *resolver, struct jinja_scope *outer,
                                       struct symbols *symbols)
{
    *symbols = (struct symbols){.scope = jinja_alloc(resolver->heap, 1, sizeof *symbols->scope)};
    if (symbols->scope)
        symbols->scope->outer = outer;
    return symbols->scope;
}

static void end_scope(struct symbols *symbols)
{
    for (size_t i = 0; i < symbols->scope->n_variables; i++) {
        struct jinja_variable *variable = &symbols->scope->variables[i];

        variable->load = symbols->known[i].load;
        variable->hops = symbols->known[i].hops;
        variable->slot = symbols->known[i].slot;
        variable->is_stored = symbols->known[i].is_stored;
    }
}

static int declare_target(struct resolver *resolver, struct symbols *symbols,
                          const struct jinja_node *target)
{
    if (target->kind == NODE_NAME)
        return declare(resolver, symbols, target->name);
    for (size_t i = 0; i < target->items.n_items; i++)
        if (declare_target(resolver, symbols, target->items.items[i]))
            return -1;
    return 0;
}

static int declare_word(struct resolver *resolver, struct symbols *symbols, const char *word,
                        size_t *slot)
{
    struct jinja_value name;

    if (jinja_string_text(resolver->heap, word, &name) ||
        declare(resolver, symbols, name.string))
        return -1;
    *slot = find_slot(resolver, symbols->scope, name.string);
    return 0;
}

/* ---- what a macro's body mentions ---- */

static bool mentions_any(struct resolver *resolver, const struct jinja_nodes *list,
                         const char *word);

static bool mentions(struct resolver *resolver, const struct jinja_node *node, const char *word)
{
    if (!node || node->kind == NODE_BLOCK)
        return false;
    resolver->heap->n_steps++;
    if (node->kind == NODE_NAME)
        return !node->is_stored && jinja_string_is(node->name, word);
    for (size_t i = 0; i < node->arguments.n_named; i++)
        if (mentions(resolver, node->arguments.named[i].node, word))
            return true;
    return mentions(resolver, node->a, word) || mentions(resolver, node->b, word) ||
           mentions(resolver, node->c, word) || mentions_any(resolver, &node->items, word) ||
           mentions_any(resolver, &node->defaults, word) ||
           mentions_any(resolver, &node->body, word) ||
           mentions_any(resolver, &node->orelse, word) ||
           mentions(resolver, node->arguments.list, word) ||
           mentions(resolver, node->arguments.dict, word);
}

static bool mentions_any(struct resolver *resolver, const struct jinja_nodes *list,
                         const char *word)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (mentions(resolver, list->items[i], word))
            return true;
    return false;
}

static bool has_parameter(const struct jinja_node *macro, const char *word)
{
    for (size_t i = 0; i < macro->items.n_items; i++)
        if (jinja_string_is(macro->items.items[i]->name, word))
            return true;
    return false;
}

/* caller, kwargs, varargs: parameters that a macro has when its body names them. */
static int declare_special(struct resolver *resolver, struct symbols *symbols,
                           struct jinja_node *macro)
{
    struct {
        const char *word;
        bool *is_there;
        size_t *slot;
    } words[] = {
        {"caller", &macro->has_caller, &macro->caller_slot},
        {"kwargs", &macro->has_kwargs, &macro->kwargs_slot},
        {"varargs", &macro->has_varargs, &macro->varargs_slot},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!mentions_any(resolver, &macro->body, words[i].word))
            continue;
        if (has_parameter(macro, words[i].word))
            continue;
        *words[i].is_there = true;
        if (declare_word(resolver, symbols, words[i].word, words[i].slot))
            return -1;
    }
    return 0;
}

/* ---- second pass: names, and the scopes within ---- */

static int resolve(struct resolver *resolver, struct jinja_scope *scope, struct jinja_node *node,
                   bool is_soft);

static int resolve_all(struct resolver *resolver, struct jinja_scope *scope,
                       const struct jinja_nodes *list, bool is_soft)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (resolve(resolver, scope, list->items[i], is_soft))
            return -1;
    return 0;
}

static int resolve_name(struct resolver *resolver, struct jinja_scope *scope,
                        struct jinja_node *node)
{
    const struct jinja_scope *found = scope;

    resolver->heap->line = node->line;
    if (node->is_stored && resolver->n_loops > 0 && jinja_string_is(node->name, "loop"))
        return jinja_fail(resolver->heap, "'loop' cannot be set inside of a loop");
    node->hops = 0;
    node->slot = find_slot(resolver, scope, node->name);
    if (node->slot == scope->n_variables &&
        !find_outer(resolver, scope, node->name, &node->hops, &node->slot))
        return jinja_fail(resolver->heap, "'%.*s' is not resolved", (int)node->name->size,
                          node->name->bytes);
    for (size_t i = 0; i < node->hops; i++)
        found = found->outer;
    if (found->variables[node->slot].load == JINJA_LOAD_CONTEXT)
        resolver->uses_self |= jinja_string_is(node->name, "self");
    return 0;
}

static int resolve_for(struct resolver *resolver, struct jinja_scope *scope,
                       struct jinja_node *loop, bool is_soft)
{
    struct symbols body, test, orelse;

    /* What is iterated over belongs to the scope around. The targets come first in both scopes, so
     * that they have the same slots there. */
    if (resolve(resolver, scope, loop->b, is_soft))
        return -1;
    resolver->n_loops++;
    loop->scope = begin_scope(resolver, scope, &body);
    if (!loop->scope || declare_target(resolver, &body, loop->a) ||
        declare_word(resolver, &body, "loop", &loop->loop_slot) ||
        note_all(resolver, &body, &loop->body))
        return -1;
    end_scope(&body);
    loop->test_scope = begin_scope(resolver, scope, &test);
    if (!loop->test_scope || declare_target(resolver, &test, loop->a) ||
        note(resolver, &test, loop->c))
        return -1;
    end_scope(&test);
    loop->else_scope = begin_scope(resolver, scope, &orelse);
    if (!loop->else_scope || note_all(resolver, &orelse, &loop->orelse))
        return -1;
    end_scope(&orelse);
    if (resolve(resolver, loop->scope, loop->a, false) ||
        resolve_all(resolver, loop->scope, &loop->body, false) ||
        resolve(resolver, loop->test_scope, loop->c, false) ||
        resolve_all(resolver, loop->else_scope, &loop->orelse, false))
        return -1;
    resolver->n_loops--;
    return 0;
}

/* A parameter may be called loop. */
static int resolve_parameters(struct resolver *resolver, struct jinja_node *macro)
{
    size_t n_loops = resolver->n_loops;
    int rc;

    resolver->n_loops = 0;
    rc = resolve_all(resolver, macro->scope, &macro->items, false);
    resolver->n_loops = n_loops;
    return rc;
}

static int resolve_macro(struct resolver *resolver, struct jinja_scope *scope,
                         struct jinja_node *macro)
{
    struct symbols symbols;

    macro->scope = begin_scope(resolver, scope, &symbols);
    if (!macro->scope)
        return -1;
    for (size_t i = 0; i < macro->items.n_items; i++)
        if (declare(resolver, &symbols, macro->items.items[i]->name))
            return -1;
    if (declare_special(resolver, &symbols, macro) ||
        note_all(resolver, &symbols, &macro->defaults) ||
        note_all(resolver, &symbols, &macro->body))
        return -1;
    end_scope(&symbols);
    return resolve_parameters(resolver, macro) ||
                   resolve_all(resolver, macro->scope, &macro->defaults, false) ||
                   resolve_all(resolver, macro->scope, &macro->body, false)
               ? -1 : 0;
}

/* Blocks of set, filter, with, and `block`, which sees the context alone. */
static int resolve_block(struct resolver *resolver, struct jinja_scope *scope,
                         struct jinja_node *node)
{
    bool has_filter = node->kind == NODE_SET_BLOCK || node->kind == NODE_FILTER_BLOCK;
    struct symbols symbols;

    node->scope = begin_scope(resolver, node->kind == NODE_BLOCK ? NULL : scope, &symbols);
    if (!node->scope)
        return -1;
    for (size_t i = 0; i < node->items.n_items; i++)
        if (declare_target(resolver, &symbols, node->items.items[i]))
            return -1;
    if (note_all(resolver, &symbols, &node->body) ||
        (has_filter && note(resolver, &symbols, node->b)))
        return -1;
    end_scope(&symbols);
    return resolve_parameters(resolver, node) ||
                   resolve_all(resolver, node->scope, &node->body, false) ||
                   (has_filter && resolve(resolver, node->scope, node->b, false))
               ? -1 : 0;
}

static int resolve_if(struct resolver *resolver, struct jinja_scope *scope,
                      struct jinja_node *node)
{
    return resolve(resolver, scope, node->a, true) ||
                   resolve_all(resolver, scope, &node->body, true) ||
                   resolve_all(resolver, scope, &node->items, true) ||
                   resolve_all(resolver, scope, &node->orelse, true)
               ? -1 : 0;
}

static int find_row(struct resolver *resolver, struct jinja_node *node, bool is_soft)
{
    bool is_filter = node->kind == NODE_FILTER;

    node->row = (is_filter ? resolver->rows->find_filter
                           : resolver->rows->find_test)(node->name);
    resolver->heap->line = node->line;
    if (!node->row && !is_soft)
        return jinja_unsupported(resolver->heap, "the %s '%.*s' is not supported",
                                 is_filter ? "filter" : "test",
                                 (int)(node->name->size < 80 ? node->name->size : 80),
                                 node->name->bytes);
    return 0;
}

static int resolve_expression(struct resolver *resolver, struct jinja_scope *scope,
                              struct jinja_node *node, bool is_soft)
{
    if (node->kind == NODE_CONDITIONAL)
        is_soft = true;
    if ((node->kind == NODE_FILTER || node->kind == NODE_TEST) &&
        find_row(resolver, node, is_soft))
        return -1;
    for (size_t i = 0; i < node->arguments.n_named; i++)
        if (resolve(resolver, scope, node->arguments.named[i].node, is_soft))
            return -1;
    return resolve(resolver, scope, node->a, is_soft) ||
                   resolve(resolver, scope, node->b, is_soft) ||
                   resolve(resolver, scope, node->c, is_soft) ||
                   resolve_all(resolver, scope, &node->items, is_soft) ||
                   resolve(resolver, scope, node->arguments.list, is_soft) ||
                   resolve(resolver, scope, node->arguments.dict, is_soft)
               ? -1 : 0;
}

static int resolve(struct resolver *resolver, struct jinja_scope *scope, struct jinja_node *node,
                   bool is_soft)
{
    if (!node)
        return 0;
    if (jinja_spend(resolver->heap, 1))
        return -1;
    switch (node->kind) {
    case NODE_NAME: return resolve_name(resolver, scope, node);
    case NODE_IF: return resolve_if(resolver, scope, node);
    case NODE_FOR: return resolve_for(resolver, scope, node, is_soft);
    case NODE_MACRO: case NODE_CALL_BLOCK:
        return resolve(resolver, scope, node->a, is_soft) ||
                       resolve_macro(resolver, scope, node)
                   ? -1 : 0;
    case NODE_GENERATION: return resolve_macro(resolver, scope, node);
    case NODE_SET_BLOCK:
        return resolve(resolver, scope, node->a, is_soft) ||
                       resolve_block(resolver, scope, node)
                   ? -1 : 0;
    case NODE_WITH:
        return resolve_all(resolver, scope, &node->defaults, is_soft) ||
                       resolve_block(resolver, scope, node)
                   ? -1 : 0;
    case NODE_BLOCK: resolver->has_blocks = true; /* fall through */
    case NODE_FILTER_BLOCK: return resolve_block(resolver, scope, node);
    default: return resolve_expression(resolver, scope, node, is_soft);
    }
}

int jinja_resolve_names(struct jinja_heap *heap, struct jinja_tree *tree,
                        const struct jinja_rows *rows)
{
    struct resolver resolver = {.heap = heap, .rows = rows};
    struct symbols symbols;

    tree->scope = begin_scope(&resolver, NULL, &symbols);
    if (!tree->scope || note_all(&resolver, &symbols, &tree->body))
        return -1;
    end_scope(&symbols);
    if (resolve_all(&resolver, tree->scope, &tree->body, false))
        return -1;
    heap->line = 1;
    if (resolver.uses_self && resolver.has_blocks)
        return jinja_unsupported(heap, "'self', the blocks of a template, is not supported");
    return 0;
}
