/* jinja.c - running the statements of a template. */
#include "jinja.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "jinja/jinja_eval.h"
#include "jinja/jinja_filters.h"
#include "jinja/jinja_parser.h"
#include "jinja/jinja_scope.h"
#include "jinja/jinja_tests.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_value.h"

enum flow { FLOW_ERROR = -1, FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };

static enum flow execute_all(struct jinja_run *run, struct jinja_frame *frame,
                             const struct jinja_nodes *list);

#define EXECUTE(name)                                                                             \
    static enum flow name(struct jinja_run *run, struct jinja_frame *frame,                       \
                          const struct jinja_node *node)

static enum flow flow_of(int rc)
{
    return rc ? FLOW_ERROR : FLOW_NEXT;
}

/* ---- frames ---- */

static struct jinja_frame *frame_new(struct jinja_run *run, const struct jinja_scope *scope,
                                     struct jinja_frame *outer)
{
    struct jinja_frame *frame = jinja_alloc(run->heap, 1, sizeof *frame);

    if (!frame || jinja_spend(run->heap, scope->n_variables / 4))
        return NULL;
    frame->scope = scope;
    frame->outer = outer;
    frame->values = jinja_alloc(run->heap, scope->n_variables, sizeof *frame->values);
    return frame->values ? frame : NULL;
}

/* Gives the variables that are no parameters what they have at the beginning. */
static int load(struct jinja_run *run, struct jinja_frame *frame)
{
    for (size_t i = 0; i < frame->scope->n_variables; i++) {
        const struct jinja_variable *variable = &frame->scope->variables[i];
        const struct jinja_frame *outer = frame;

        switch (variable->load) {
        case JINJA_LOAD_PARAMETER: break;
        case JINJA_LOAD_NOTHING: frame->values[i].kind = JINJA_MISSING; break;
        case JINJA_LOAD_OUTER:
            for (size_t k = 0; k < variable->hops; k++)
                outer = outer->outer;
            frame->values[i] = outer->values[variable->slot];
            break;
        case JINJA_LOAD_CONTEXT:
            if (jinja_resolve(run, variable->name, &frame->values[i]))
                return -1;
            break;
        }
    }
    return jinja_spend(run->heap, frame->scope->n_variables / 4);
}

static struct jinja_frame *enter(struct jinja_run *run, const struct jinja_scope *scope,
                                 struct jinja_frame *outer)
{
    struct jinja_frame *frame = frame_new(run, scope, outer);

    return frame && load(run, frame) == 0 ? frame : NULL;
}

/* ---- printing ---- */

static int print(struct jinja_run *run, struct jinja_value value)
{
    size_t before = run->out->size;

    if (jinja_add_str(run->heap, run->out, value))
        return -1;
    run->n_printed += run->out->size - before;
    if (run->n_printed > JINJA_OUTPUT_MAX)
        return jinja_fail(run->heap, "the template prints more than %d MB",
                          JINJA_OUTPUT_MAX / 1000 / 1000);
    return 0;
}

EXECUTE(print_text)
{
    (void)frame;
    return flow_of(print(run, node->value));
}

EXECUTE(print_values)
{
    struct jinja_value value;

    for (size_t i = 0; i < node->items.n_items; i++)
        if (jinja_eval(run, frame, node->items.items[i], &value) || print(run, value))
            return FLOW_ERROR;
    return FLOW_NEXT;
}

/* What the statements print, as a string; *flow says how they ended. */
static int capture(struct jinja_run *run, struct jinja_frame *frame,
                   const struct jinja_nodes *body, enum flow *flow, struct jinja_value *out)
{
    struct buffer *before = run->out, text = {0};

    run->out = &text;
    *flow = execute_all(run, frame, body);
    run->out = before;
    if (*flow != FLOW_NEXT) {
        buffer_release(&text);
        return *flow == FLOW_ERROR ? -1 : 0;
    }
    return jinja_take_buffer(run->heap, &text, out);
}

/* ---- assignment ---- */

static int assign(struct jinja_run *run, struct jinja_frame *frame,
                  const struct jinja_node *target, struct jinja_value value);

static int assign_member(struct jinja_run *run, struct jinja_frame *frame,
                         const struct jinja_node *target, struct jinja_value value)
{
    struct jinja_value name = {.kind = JINJA_STRING, .string = target->name}, space;

    if (jinja_eval(run, frame, target->a, &space))
        return -1;
    if (space.kind != JINJA_NAMESPACE)
        return jinja_fail(run->heap, "cannot assign attribute on non-namespace object");
    if (target->name->bytes[0] == '_')
        return jinja_fail(run->heap, "a member of a namespace must not begin with '_'");
    return jinja_dict_set(run->heap, space.dict, name, value);
}

static int unpack(struct jinja_run *run, struct jinja_frame *frame,
                  const struct jinja_node *target, struct jinja_value value)
{
    size_t n = target->items.n_items;
    struct jinja_value list;

    if (jinja_to_list(run->heap, value, JINJA_LIST, &list))
        return -1;
    if (list.list->n_items != n)
        return jinja_fail(run->heap, "%zu values for %zu names", list.list->n_items, n);
    for (size_t i = 0; i < n; i++)
        if (assign(run, frame, target->items.items[i], list.list->items[i]))
            return -1;
    return 0;
}

static int assign(struct jinja_run *run, struct jinja_frame *frame,
                  const struct jinja_node *target, struct jinja_value value)
{
    if (target->kind == NODE_TUPLE)
        return unpack(run, frame, target, value);
    if (target->kind == NODE_NAMESPACE_NAME)
        return assign_member(run, frame, target, value);
    frame->values[target->slot] = value;
    return 0;
}

EXECUTE(set)
{
    struct jinja_value value;

    return flow_of(jinja_eval(run, frame, node->b, &value) ||
                   assign(run, frame, node->a, value));
}

/* The body printed into a string, which goes through the filters, if there are any. */
static enum flow print_through(struct jinja_run *run, struct jinja_frame *frame,
                               const struct jinja_node *node, struct jinja_value *out)
{
    struct jinja_frame *inner = enter(run, node->scope, frame);
    enum flow flow;

    if (!inner || capture(run, inner, &node->body, &flow, out))
        return FLOW_ERROR;
    if (flow != FLOW_NEXT || !node->b)
        return flow;
    run->piped = *out;
    return flow_of(jinja_eval(run, inner, node->b, out));
}

EXECUTE(set_block)
{
    struct jinja_value value;
    enum flow flow = print_through(run, frame, node, &value);

    return flow == FLOW_NEXT ? flow_of(assign(run, frame, node->a, value)) : flow;
}

EXECUTE(filter_block)
{
    struct jinja_value value;
    enum flow flow = print_through(run, frame, node, &value);

    if (flow == FLOW_NEXT && value.kind != JINJA_STRING)
        return flow_of(jinja_fail(run->heap, "a filter block has to give a string, not '%s'",
                                  jinja_type_name(value)));
    return flow == FLOW_NEXT ? flow_of(print(run, value)) : flow;
}

EXECUTE(with)
{
    struct jinja_frame *inner = enter(run, node->scope, frame);
    struct jinja_value value;

    if (!inner)
        return FLOW_ERROR;
    for (size_t i = 0; i < node->items.n_items; i++)
        if (jinja_eval(run, frame, node->defaults.items[i], &value) ||
            assign(run, inner, node->items.items[i], value))
            return FLOW_ERROR;
    return execute_all(run, inner, &node->body);
}

/* ---- conditions and loops ---- */

EXECUTE(branch)
{
    struct jinja_value condition;

    if (jinja_eval(run, frame, node->a, &condition))
        return FLOW_ERROR;
    if (jinja_truth(condition))
        return execute_all(run, frame, &node->body);
    for (size_t i = 0; i < node->items.n_items; i++) {
        const struct jinja_node *other = node->items.items[i];

        if (jinja_eval(run, frame, other->a, &condition))
            return FLOW_ERROR;
        if (jinja_truth(condition))
            return execute_all(run, frame, &other->body);
    }
    return execute_all(run, frame, &node->orelse);
}

EXECUTE(leave_loop)
{
    (void)run;
    (void)frame;
    return node->kind == NODE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
}

/* `for … if`: items that pass the test, each tested when it is asked for. */
struct sieve {
    struct jinja_run *run;
    struct jinja_frame *frame; /* of the test */
    const struct jinja_node *loop;
    struct jinja_walk walk;
};

/* The item again, from its names: where they are several, as a tuple. */
static int read_target(struct jinja_heap *heap, const struct jinja_frame *frame,
                       const struct jinja_node *target, struct jinja_value *item)
{
    if (target->kind != NODE_TUPLE) {
        *item = frame->values[target->slot];
        return 0;
    }
    if (jinja_list_new(heap, JINJA_TUPLE, target->items.n_items, item))
        return -1;
    for (size_t i = 0; i < target->items.n_items; i++)
        if (read_target(heap, frame, target->items.items[i], &item->list->items[i]))
            return -1;
    return 0;
}

static int next_passed(struct jinja_heap *heap, struct jinja_iterator *self,
                       struct jinja_value *item)
{
    struct sieve *sieve = self->state;
    struct jinja_value passes;
    int more;

    while ((more = jinja_walk_next(heap, &sieve->walk, item)) > 0) {
        if (assign(sieve->run, sieve->frame, sieve->loop->a, *item) ||
            jinja_eval(sieve->run, sieve->frame, sieve->loop->c, &passes))
            return -1;
        if (jinja_truth(passes))
            return read_target(heap, sieve->frame, sieve->loop->a, item) ? -1 : 1;
    }
    return more;
}

static int sift(struct jinja_run *run, struct jinja_frame *frame, const struct jinja_node *loop,
                struct jinja_value *over)
{
    struct sieve *sieve = jinja_alloc(run->heap, 1, sizeof *sieve);

    if (!sieve)
        return -1;
    *sieve = (struct sieve){.run = run, .loop = loop};
    sieve->frame = enter(run, loop->test_scope, frame);
    if (!sieve->frame || jinja_walk_begin(run->heap, *over, &sieve->walk))
        return -1;
    return jinja_iterator_new(run->heap, next_passed, sieve, over);
}

struct recursion { /* of a recursive loop */
    const struct jinja_node *node;
    struct jinja_frame *frame; /* around it */
};

static int prepare_loop(struct jinja_run *run, struct jinja_frame *frame,
                        const struct jinja_node *node, struct jinja_value over, size_t depth0,
                        struct jinja_loop **loop)
{
    struct recursion *recursion;

    run->heap->line = node->line;
    if ((node->c && sift(run, frame, node, &over)) || jinja_loop_new(run->heap, over, loop))
        return -1;
    (*loop)->depth0 = depth0;
    if (!node->is_recursive)
        return 0;
    recursion = jinja_alloc(run->heap, 1, sizeof *recursion);
    if (!recursion)
        return -1;
    *recursion = (struct recursion){.node = node, .frame = frame};
    (*loop)->recursion = recursion;
    return 0;
}

/* The else belongs to a loop of which no turn came to its end. */
static enum flow loop_over(struct jinja_run *run, struct jinja_frame *frame,
                           const struct jinja_node *node, struct jinja_value over, size_t depth0)
{
    struct jinja_frame *inner = frame_new(run, node->scope, frame);
    enum flow flow = FLOW_NEXT;
    struct jinja_value item;
    struct jinja_loop *loop;
    bool has_run = false;
    int more = 0;

    if (!inner || prepare_loop(run, frame, node, over, depth0, &loop))
        return FLOW_ERROR;
    while (flow != FLOW_BREAK && (more = jinja_loop_next(run->heap, loop, &item)) > 0) {
        inner->values[node->loop_slot] = (struct jinja_value){.kind = JINJA_LOOP, .loop = loop};
        run->heap->line = node->line;
        if (assign(run, inner, node->a, item) || load(run, inner))
            return FLOW_ERROR;
        flow = execute_all(run, inner, &node->body);
        if (flow == FLOW_ERROR)
            return FLOW_ERROR;
        has_run |= flow == FLOW_NEXT;
    }
    if (more < 0)
        return FLOW_ERROR;
    if (has_run || node->orelse.n_items == 0)
        return FLOW_NEXT;
    inner = enter(run, node->else_scope, frame);
    return inner ? execute_all(run, inner, &node->orelse) : FLOW_ERROR;
}

EXECUTE(loop)
{
    struct jinja_value over;

    if (jinja_eval(run, frame, node->b, &over))
        return FLOW_ERROR;
    return loop_over(run, frame, node, over, 0);
}

static int call_loop(struct jinja_run *run, const struct jinja_loop *loop,
                     struct jinja_value over, struct jinja_value *out)
{
    const struct recursion *recursion = loop->recursion;
    struct buffer *before = run->out, text = {0};
    enum flow flow;

    run->out = &text;
    flow = loop_over(run, recursion->frame, recursion->node, over, loop->depth0 + 1);
    run->out = before;
    if (flow == FLOW_ERROR) {
        buffer_release(&text);
        return -1;
    }
    return jinja_take_buffer(run->heap, &text, out);
}

/* ---- macros ---- */

static int macro_value(struct jinja_run *run, struct jinja_frame *frame,
                       const struct jinja_node *node, struct jinja_value *out)
{
    struct jinja_macro *macro = jinja_alloc(run->heap, 1, sizeof *macro);

    if (!macro)
        return -1;
    *macro = (struct jinja_macro){.node = node, .frame = frame};
    *out = (struct jinja_value){.kind = JINJA_MACRO, .macro = macro};
    return 0;
}

EXECUTE(define_macro)
{
    struct jinja_value macro;

    return flow_of(macro_value(run, frame, node, &macro) || assign(run, frame, node->a, macro));
}

/* The parameters that positional arguments have left, from named ones. *rest has those that are no
 * parameters. */
static int take_named(struct jinja_run *run, const struct jinja_node *node,
                      const struct jinja_arguments *arguments, struct jinja_frame *frame,
                      struct jinja_dict *rest)
{
    for (size_t i = 0; i < arguments->n_named; i++) {
        const struct jinja_named *named = &arguments->named[i];
        struct jinja_value name = {.kind = JINJA_STRING, .string = named->name};
        size_t k = arguments->n_items;

        while (k < node->items.n_items &&
               (node->items.items[k]->name->size != named->name->size ||
                memcmp(node->items.items[k]->name->bytes, named->name->bytes,
                       named->name->size) != 0))
            k++;
        if (k < node->items.n_items)
            frame->values[node->items.items[k]->slot] = named->value;
        else if (node->has_caller && jinja_string_is(named->name, "caller"))
            frame->values[node->caller_slot] = named->value;
        else if (jinja_dict_set(run->heap, rest, name, named->value))
            return -1;
    }
    return jinja_spend(run->heap, arguments->n_named * node->items.n_items / 8);
}

static int take_special(struct jinja_run *run, const struct jinja_node *node,
                        const struct jinja_arguments *arguments, struct jinja_frame *frame,
                        struct jinja_dict *rest)
{
    size_t n = node->items.n_items, n_more = arguments->n_items > n ? arguments->n_items - n : 0;
    struct jinja_value *caller = &frame->values[node->caller_slot], *varargs;

    if (node->has_caller && (caller->kind == JINJA_MISSING || caller->kind == JINJA_NONE) &&
        jinja_undefined_hint(run->heap, "No caller defined", caller))
        return -1;
    if (node->has_kwargs)
        frame->values[node->kwargs_slot] = (struct jinja_value){.kind = JINJA_DICT, .dict = rest};
    else if (rest->n_entries > 0)
        return jinja_fail(run->heap, "a macro takes no keyword argument '%.*s'",
                          (int)(rest->entries[0].key.string->size < 80
                                    ? rest->entries[0].key.string->size : 80),
                          rest->entries[0].key.string->bytes);
    if (!node->has_varargs)
        return n_more ? jinja_fail(run->heap, "a macro takes not more than %zu argument(s)", n) : 0;
    varargs = &frame->values[node->varargs_slot];
    if (jinja_list_new(run->heap, JINJA_TUPLE, n_more, varargs))
        return -1;
    for (size_t i = 0; i < n_more; i++)
        varargs->list->items[i] = arguments->items[n + i];
    return 0;
}

/* What is not given has its default, which may name the parameters before it, or is undefined. */
static int use_defaults(struct jinja_run *run, const struct jinja_node *node,
                        struct jinja_frame *frame)
{
    size_t n = node->items.n_items, n_without = n - node->defaults.n_items;

    for (size_t i = 0; i < n; i++) {
        struct jinja_value *value = &frame->values[node->items.items[i]->slot], given;

        if (value->kind != JINJA_MISSING)
            continue;
        if (i >= n_without ? jinja_eval(run, frame, node->defaults.items[i - n_without], &given)
                           : jinja_undefined_name(run->heap, node->items.items[i]->name, &given))
            return -1;
        *value = given;
    }
    return 0;
}

static struct jinja_frame *bind(struct jinja_run *run, const struct jinja_macro *macro,
                                const struct jinja_arguments *arguments)
{
    const struct jinja_node *node = macro->node;
    struct jinja_frame *frame = frame_new(run, node->scope, macro->frame);
    struct jinja_dict *rest;

    if (!frame || jinja_dict_new(run->heap, &rest))
        return NULL;
    for (size_t i = 0; i < arguments->n_items && i < node->items.n_items; i++)
        frame->values[node->items.items[i]->slot] = arguments->items[i];
    return take_named(run, node, arguments, frame, rest) ||
                   take_special(run, node, arguments, frame, rest) || load(run, frame) ||
                   use_defaults(run, node, frame)
               ? NULL : frame;
}

static int call_macro(struct jinja_run *run, const struct jinja_macro *macro,
                      const struct jinja_arguments *arguments, struct jinja_value *out)
{
    struct jinja_frame *frame = bind(run, macro, arguments);
    enum flow flow;

    return frame ? capture(run, frame, &macro->node->body, &flow, out) : -1;
}

EXECUTE(call_block)
{
    static struct jinja_string name = {.bytes = "caller", .size = 6, .n_chars = 6};
    struct jinja_named caller = {.name = &name};
    struct jinja_value result;

    return flow_of(macro_value(run, frame, node, &caller.value) ||
                   jinja_eval_call(run, frame, node->a, &caller, &result) || print(run, result));
}

EXECUTE(generation)
{
    const struct jinja_macro body = {.node = node, .frame = frame};
    const struct jinja_arguments nothing = {0};
    struct jinja_frame *inner = bind(run, &body, &nothing);

    return inner ? execute_all(run, inner, &node->body) : FLOW_ERROR;
}

EXECUTE(block)
{
    struct jinja_frame *inner;
    enum flow flow;

    (void)frame;
    run->n_blocks++;
    inner = enter(run, node->scope, NULL);
    flow = inner ? execute_all(run, inner, &node->body) : FLOW_ERROR;
    run->n_blocks--;
    return flow;
}

/* ---- statements ---- */

static enum flow (*const executors[])(struct jinja_run *run, struct jinja_frame *frame,
                                      const struct jinja_node *node) = {
    [NODE_TEXT] = print_text, [NODE_OUTPUT] = print_values, [NODE_FOR] = loop,
    [NODE_IF] = branch, [NODE_SET] = set, [NODE_SET_BLOCK] = set_block,
    [NODE_MACRO] = define_macro, [NODE_CALL_BLOCK] = call_block,
    [NODE_FILTER_BLOCK] = filter_block, [NODE_WITH] = with, [NODE_BLOCK] = block,
    [NODE_GENERATION] = generation, [NODE_BREAK] = leave_loop, [NODE_CONTINUE] = leave_loop,
};

static enum flow execute_all(struct jinja_run *run, struct jinja_frame *frame,
                             const struct jinja_nodes *list)
{
    enum flow flow = FLOW_NEXT;

    if (jinja_enter(run->heap))
        return FLOW_ERROR;
    for (size_t i = 0; i < list->n_items && flow == FLOW_NEXT; i++) {
        run->heap->line = list->items[i]->line;
        flow = jinja_spend(run->heap, 1) ? FLOW_ERROR
                                         : executors[list->items[i]->kind](run, frame,
                                                                           list->items[i]);
    }
    jinja_leave(run->heap);
    return flow;
}

/* ---- the template ---- */

struct jinja_template {
    struct jinja_heap heap;
    struct jinja_tree tree;
};

static const void *find_filter(const struct jinja_string *name)
{
    return jinja_find_filter(name);
}

static const void *find_test(const struct jinja_string *name)
{
    return jinja_find_test(name);
}

static int compile(struct jinja_template *template, const char *source, size_t size,
                   struct error *err)
{
    static const struct jinja_rows rows = {find_filter, find_test};

    if (size > JINJA_SOURCE_MAX)
        return error_set(err, ERROR_FORMAT, "%zu bytes, a template has at most %d", size,
                         JINJA_SOURCE_MAX);
    if (utf8_valid_prefix(source, size) != size)
        return error_set(err, ERROR_FORMAT, "byte %zu is not UTF-8",
                         utf8_valid_prefix(source, size));
    return jinja_parse(&template->heap, source, size, &template->tree) ||
                   jinja_resolve_names(&template->heap, &template->tree, &rows)
               ? -1 : 0;
}

struct jinja_template *jinja_compile(const char *source, size_t size, struct error *err)
{
    struct jinja_template *template = memory_zalloc(1, sizeof *template);

    jinja_heap_init(&template->heap, err);
    if (compile(template, source, size, err)) {
        jinja_template_free(template);
        return NULL;
    }
    template->heap.err = NULL;
    return template;
}

void jinja_template_free(struct jinja_template *template)
{
    if (!template)
        return;
    jinja_heap_release(&template->heap);
    free(template);
}

int jinja_render(const struct jinja_template *template, struct jinja_heap *heap,
                 const struct jinja_dict *context, struct buffer *out)
{
    struct jinja_run run = {.heap = heap, .context = context, .out = out,
                            .call_macro = call_macro, .call_loop = call_loop};
    size_t before = out->size;

    run.root = frame_new(&run, template->tree.scope, NULL);
    if (run.root && load(&run, run.root) == 0 &&
        execute_all(&run, run.root, &template->tree.body) == FLOW_NEXT)
        return 0;
    out->size = before;
    if (out->data)
        out->data[before] = '\0';
    return -1;
}
