#include "jinja_eval.h"

#include <string.h>

#include "jinja/jinja_filters.h"
#include "jinja/jinja_functions.h"
#include "jinja/jinja_iterate.h"
#include "jinja/jinja_lookup.h"
#include "jinja/jinja_methods.h"
#include "jinja/jinja_operators.h"
#include "jinja/jinja_tests.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_value.h"

#define EVAL(name)                                                                                \
    static int name(struct jinja_run *run, struct jinja_frame *frame,                             \
                    const struct jinja_node *node, struct jinja_value *out)

/* ---- names ---- */

/* A `block` sees what has been set outside of everything by now. */
static bool find_in_root(const struct jinja_run *run, const struct jinja_string *name,
                         struct jinja_value *out)
{
    const struct jinja_scope *scope = run->root->scope;

    for (size_t i = 0; i < scope->n_variables; i++)
        if (scope->variables[i].is_stored && run->root->values[i].kind != JINJA_MISSING &&
            scope->variables[i].name->size == name->size &&
            memcmp(scope->variables[i].name->bytes, name->bytes, name->size) == 0) {
            *out = run->root->values[i];
            return true;
        }
    return false;
}

int jinja_resolve(struct jinja_run *run, const struct jinja_string *name, struct jinja_value *out)
{
    struct jinja_value key = {.kind = JINJA_STRING, .string = (struct jinja_string *)name};
    const struct jinja_function *function;
    int found;

    if (run->n_blocks > 0 && find_in_root(run, name, out))
        return jinja_spend(run->heap, run->root->scope->n_variables / 8);
    if (jinja_string_is(name, "self")) { /* the blocks of the template, which has none */
        *out = (struct jinja_value){.kind = JINJA_NAMESPACE};
        return jinja_dict_new(run->heap, &out->dict);
    }
    found = jinja_dict_get(run->heap, run->context, key, out);
    if (found)
        return found < 0 ? -1 : 0;
    function = jinja_find_function(name);
    *out = (struct jinja_value){.kind = function ? JINJA_FUNCTION : JINJA_MISSING,
                                .function = function};
    return 0;
}

EVAL(eval_name)
{
    for (size_t i = 0; i < node->hops; i++)
        frame = frame->outer;
    *out = frame->values[node->slot];
    return out->kind == JINJA_MISSING ? jinja_undefined_name(run->heap, node->name, out) : 0;
}

/* ---- calls ---- */

/* Positional arguments: those that are written, and the items of *list. */
static int eval_items(struct jinja_run *run, struct jinja_frame *frame,
                      const struct jinja_node *node, struct jinja_arguments *arguments)
{
    struct jinja_list_builder list = {0};
    struct jinja_value item, more;

    for (size_t i = 0; i < node->items.n_items; i++)
        if (jinja_eval(run, frame, node->items.items[i], &item) ||
            jinja_list_add(run->heap, &list, item))
            return -1;
    if (node->arguments.list) {
        if (jinja_eval(run, frame, node->arguments.list, &more) ||
            jinja_to_list(run->heap, more, JINJA_LIST, &more))
            return -1;
        for (size_t i = 0; i < more.list->n_items; i++)
            if (jinja_list_add(run->heap, &list, more.list->items[i]))
                return -1;
    }
    arguments->items = list.items;
    arguments->n_items = list.n_items;
    return 0;
}

static int check_once(struct jinja_run *run, const struct jinja_named *named, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (named[i].name->size == named[n].name->size &&
            memcmp(named[i].name->bytes, named[n].name->bytes, named[n].name->size) == 0)
            return jinja_fail(run->heap, "argument '%.*s' is given twice",
                              (int)(named[n].name->size < 80 ? named[n].name->size : 80),
                              named[n].name->bytes);
    return jinja_spend(run->heap, n / 4);
}

/* Named ones: those that are written, one more, and the members of **dict. */
static int eval_named(struct jinja_run *run, struct jinja_frame *frame,
                      const struct jinja_node *node, const struct jinja_named *more,
                      struct jinja_arguments *arguments)
{
    size_t n = 0, most = node->arguments.n_named + (more != NULL);
    struct jinja_value dict = {.kind = JINJA_MISSING};
    struct jinja_named *named;

    if (node->arguments.dict) {
        if (jinja_eval(run, frame, node->arguments.dict, &dict))
            return -1;
        if (dict.kind != JINJA_DICT)
            return jinja_fail(run->heap, "argument after ** must be a mapping, not %s",
                              jinja_type_name(dict));
        most += dict.dict->n_entries;
    }
    if (most == 0)
        return 0;
    named = jinja_alloc(run->heap, most, sizeof *named);
    if (!named)
        return -1;
    for (size_t i = 0; i < node->arguments.n_named; i++, n++) {
        named[n].name = node->arguments.named[i].name;
        if (jinja_eval(run, frame, node->arguments.named[i].node, &named[n].value))
            return -1;
    }
    if (more)
        named[n++] = *more;
    for (size_t i = 0; dict.kind == JINJA_DICT && i < dict.dict->n_entries; i++, n++) {
        if (dict.dict->entries[i].key.kind != JINJA_STRING)
            return jinja_fail(run->heap, "keywords must be strings");
        named[n].name = dict.dict->entries[i].key.string;
        named[n].value = dict.dict->entries[i].value;
        if (check_once(run, named, n))
            return -1;
    }
    arguments->named = named;
    arguments->n_named = n;
    return 0;
}

static int call(struct jinja_run *run, struct jinja_value callee,
                const struct jinja_arguments *arguments, struct jinja_value *out)
{
    int format;

    switch (callee.kind) {
    case JINJA_MACRO: return run->call_macro(run, callee.macro, arguments, out);
    case JINJA_FUNCTION: return callee.function->call(run->heap, arguments, out);
    case JINJA_JOINER: return jinja_call_joiner(run->heap, callee.joiner, out);
    case JINJA_UNDEFINED: return jinja_fail_undefined(run->heap, callee);
    case JINJA_METHOD:
        format = jinja_is_format_method(callee.method);
        return format ? jinja_str_format(run->heap, callee.method->self, format == 2, arguments,
                                         out)
                      : jinja_call_method(run->heap, callee.method, arguments, out);
    case JINJA_LOOP:
        if (!callee.loop->recursion)
            return jinja_fail(run->heap, "the loop must have the 'recursive' marker to be called");
        if (arguments->n_items != 1 || arguments->n_named > 0)
            return jinja_fail(run->heap, "loop() takes exactly one argument");
        return run->call_loop(run, callee.loop, arguments->items[0], out);
    default:
        return jinja_fail(run->heap, "'%s' object is not callable", jinja_type_name(callee));
    }
}

int jinja_eval_call(struct jinja_run *run, struct jinja_frame *frame,
                    const struct jinja_node *node, const struct jinja_named *more,
                    struct jinja_value *out)
{
    struct jinja_arguments arguments = {0};
    struct jinja_value callee;

    if (jinja_eval(run, frame, node->a, &callee) || eval_items(run, frame, node, &arguments) ||
        eval_named(run, frame, node, more, &arguments))
        return -1;
    run->heap->line = node->line;
    return call(run, callee, &arguments, out);
}

EVAL(eval_call)
{
    return jinja_eval_call(run, frame, node, NULL, out);
}

EVAL(eval_filter)
{
    struct jinja_arguments arguments = {0};
    struct jinja_value value;

    if (jinja_eval(run, frame, node->a, &value) || eval_items(run, frame, node, &arguments) ||
        eval_named(run, frame, node, NULL, &arguments))
        return -1;
    run->heap->line = node->line;
    if (!node->row)
        return jinja_unsupported(run->heap, "the filter '%.*s' is not supported",
                                 (int)(node->name->size < 80 ? node->name->size : 80),
                                 node->name->bytes);
    return jinja_run_filter(run->heap, node->row, value, &arguments, out);
}

EVAL(eval_test)
{
    struct jinja_arguments arguments = {0};
    struct jinja_value value;
    int is_true;

    if (jinja_eval(run, frame, node->a, &value) || eval_items(run, frame, node, &arguments) ||
        eval_named(run, frame, node, NULL, &arguments))
        return -1;
    run->heap->line = node->line;
    if (!node->row)
        return jinja_unsupported(run->heap, "the test '%.*s' is not supported",
                                 (int)(node->name->size < 80 ? node->name->size : 80),
                                 node->name->bytes);
    is_true = jinja_run_test(run->heap, node->row, value, &arguments);
    *out = jinja_bool(is_true > 0);
    return is_true < 0 ? -1 : 0;
}

/* ---- values ---- */

EVAL(eval_list)
{
    if (jinja_list_new(run->heap, node->kind == NODE_LIST ? JINJA_LIST : JINJA_TUPLE,
                       node->items.n_items, out))
        return -1;
    for (size_t i = 0; i < node->items.n_items; i++)
        if (jinja_eval(run, frame, node->items.items[i], &out->list->items[i]))
            return -1;
    return 0;
}

EVAL(eval_dict)
{
    struct jinja_value key, value;
    struct jinja_dict *dict;

    if (jinja_dict_new(run->heap, &dict))
        return -1;
    for (size_t i = 0; i + 1 < node->items.n_items; i += 2)
        if (jinja_eval(run, frame, node->items.items[i], &key) ||
            jinja_eval(run, frame, node->items.items[i + 1], &value) ||
            jinja_dict_set(run->heap, dict, key, value))
            return -1;
    *out = (struct jinja_value){.kind = JINJA_DICT, .dict = dict};
    return 0;
}

EVAL(eval_attribute)
{
    struct jinja_value of;

    if (jinja_eval(run, frame, node->a, &of))
        return -1;
    run->heap->line = node->line;
    return jinja_get_attribute(run->heap, of, node->name, out);
}

EVAL(eval_item)
{
    struct jinja_value of, index;

    if (jinja_eval(run, frame, node->a, &of) || jinja_eval(run, frame, node->b, &index))
        return -1;
    run->heap->line = node->line;
    return jinja_get_item(run->heap, of, index, out);
}

EVAL(eval_slice)
{
    struct jinja_value of, bounds[3] = {{.kind = JINJA_MISSING}};

    if (jinja_eval(run, frame, node->a, &of))
        return -1;
    for (size_t i = 0; i < 3; i++)
        if (node->items.items[i] && jinja_eval(run, frame, node->items.items[i], &bounds[i]))
            return -1;
    run->heap->line = node->line;
    return jinja_get_slice(run->heap, of, bounds[0], bounds[1], bounds[2], out);
}

/* ---- operators ---- */

EVAL(eval_not)
{
    struct jinja_value value;

    if (jinja_eval(run, frame, node->a, &value))
        return -1;
    *out = jinja_bool(!jinja_truth(value));
    return 0;
}

EVAL(eval_sign)
{
    struct jinja_value value;

    if (jinja_eval(run, frame, node->a, &value))
        return -1;
    return jinja_signed(run->heap, value, node->kind == NODE_NEGATE, out);
}

EVAL(eval_binary)
{
    struct jinja_value a, b;

    if (jinja_eval(run, frame, node->a, &a) || jinja_eval(run, frame, node->b, &b))
        return -1;
    run->heap->line = node->line;
    return jinja_binary(run->heap, node->operator, a, b, out);
}

EVAL(eval_logic)
{
    if (jinja_eval(run, frame, node->a, out))
        return -1;
    return jinja_truth(*out) == (node->kind == NODE_AND) ? jinja_eval(run, frame, node->b, out) : 0;
}

EVAL(eval_comparison)
{
    struct jinja_value left, right;
    int is_true = 1;

    if (jinja_eval(run, frame, node->a, &left))
        return -1;
    for (size_t i = 0; i < node->items.n_items && is_true > 0; i++) {
        if (jinja_eval(run, frame, node->items.items[i], &right))
            return -1;
        run->heap->line = node->line;
        is_true = jinja_relation(run->heap, node->operators[i], left, right);
        left = right;
    }
    *out = jinja_bool(is_true > 0);
    return is_true < 0 ? -1 : 0;
}

EVAL(eval_concat)
{
    struct jinja_value text, item;

    if (jinja_eval(run, frame, node->items.items[0], &item) ||
        jinja_to_str(run->heap, item, &text))
        return -1;
    for (size_t i = 1; i < node->items.n_items; i++)
        if (jinja_eval(run, frame, node->items.items[i], &item) ||
            jinja_to_str(run->heap, item, &item) ||
            jinja_string_concat(run->heap, text.string, item.string, &text))
            return -1;
    *out = text;
    return 0;
}

EVAL(eval_conditional)
{
    struct jinja_value condition;

    if (jinja_eval(run, frame, node->b, &condition))
        return -1;
    if (jinja_truth(condition))
        return jinja_eval(run, frame, node->a, out);
    if (node->c)
        return jinja_eval(run, frame, node->c, out);
    return jinja_undefined_hint(run->heap, "the condition of an inline if was false, and it has no "
                                           "else", out);
}

EVAL(eval_constant)
{
    (void)run;
    (void)frame;
    *out = node->value;
    return 0;
}

EVAL(eval_piped)
{
    (void)frame;
    (void)node;
    *out = run->piped;
    return 0;
}

static int (*const evaluators[])(struct jinja_run *run, struct jinja_frame *frame,
                                 const struct jinja_node *node, struct jinja_value *out) = {
    [NODE_CONST] = eval_constant, [NODE_NAME] = eval_name, [NODE_TUPLE] = eval_list,
    [NODE_LIST] = eval_list, [NODE_DICT] = eval_dict, [NODE_ATTRIBUTE] = eval_attribute,
    [NODE_ITEM] = eval_item, [NODE_SLICE] = eval_slice, [NODE_CALL] = eval_call,
    [NODE_FILTER] = eval_filter, [NODE_TEST] = eval_test, [NODE_PIPED] = eval_piped,
    [NODE_NOT] = eval_not, [NODE_NEGATE] = eval_sign, [NODE_PLUS] = eval_sign,
    [NODE_BINARY] = eval_binary, [NODE_AND] = eval_logic, [NODE_OR] = eval_logic,
    [NODE_COMPARE] = eval_comparison, [NODE_CONCAT] = eval_concat,
    [NODE_CONDITIONAL] = eval_conditional,
};

int jinja_eval(struct jinja_run *run, struct jinja_frame *frame, const struct jinja_node *node,
               struct jinja_value *out)
{
    int rc;

    run->heap->line = node->line;
    if (jinja_spend(run->heap, 1) || jinja_enter(run->heap))
        return -1;
    rc = evaluators[node->kind](run, frame, node, out);
    jinja_leave(run->heap);
    return rc;
}
