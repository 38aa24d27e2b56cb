/* pickle.c - the stack machine behind Python's pickle, with everything taken out that could act.
 *
 * One row per opcode: its name, how many bytes of operand follow, and the function that does it.
 * Rows without a function are known and refused, by name; so are all others, by number. Scalars are
 * values on the stack; texts point into the pickle; only containers and calls need memory.
 *
 * Source: pickletools.py of CPython, and torch/_weights_only_unpickler.py for what torch.save
 * emits. */
#include "pickle.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/utf8.h"

struct machine {
    struct pickle *pickle;
    const struct pickle_rules *rules;
    struct cursor cursor;
    const char *opcode; /* the name of the one that runs, and where it stands */
    size_t opcode_at;
    struct pickle_value *stack;
    size_t n_stack, stack_capacity;
    size_t *marks; /* heights of the stack */
    size_t n_marks, marks_capacity;
    size_t n_memo;             /* values stored in the two that follow */
    struct pickle_value *memo; /* [memo_size] by index; kind PICKLE_NOTHING: not stored */
    size_t memo_size;
    struct hash_map far_memo;  /* an index from PICKLE_MEMO_MAX on -> place in far_values */
    struct pickle_value *far_values;
    size_t n_far, far_capacity;
    bool has_stopped;
    struct error *err;
};

typedef int operation(struct machine *machine);

/* ---- failing ---- */

#define FAIL(machine, ...) fail(error_set((machine)->err, ERROR_FORMAT, __VA_ARGS__), machine)

static int fail(int rc, struct machine *machine)
{
    error_context(machine->err, "pickle opcode %s at byte %zu", machine->opcode,
                  machine->opcode_at);
    return rc;
}

static int fail_cut(struct machine *machine)
{
    machine->pickle->is_cut = true;
    return FAIL(machine, "runs past the end at byte %zu, and the pickle ends without STOP",
                machine->cursor.origin + machine->cursor.size);
}

/* ---- stack ---- */

/* Room for one more: the new array, or NULL when there would be more than `limit`. */
static void *grow(void *items, size_t n, size_t *capacity, size_t item_size, size_t limit)
{
    if (n == limit)
        return NULL;
    if (n < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 64;
    return memory_resize(items, *capacity, item_size);
}

static int push(struct machine *machine, struct pickle_value value)
{
    struct pickle_value *stack = grow(machine->stack, machine->n_stack, &machine->stack_capacity,
                                      sizeof *stack, PICKLE_STACK_MAX);

    if (!stack)
        return FAIL(machine, "more than %d values on the stack", PICKLE_STACK_MAX);
    machine->stack = stack;
    stack[machine->n_stack++] = value;
    return 0;
}

/* What lies above the last mark. */
static size_t count_above_mark(const struct machine *machine)
{
    return machine->n_stack - (machine->n_marks ? machine->marks[machine->n_marks - 1] : 0);
}

/* The last n values, taken off. They stay in place until the next push. */
static struct pickle_value *pop(struct machine *machine, size_t n)
{
    if (count_above_mark(machine) < n) {
        FAIL(machine, "stack underflow: %zu values wanted, %zu there", n,
             count_above_mark(machine));
        return NULL;
    }
    machine->n_stack -= n;
    return machine->stack + machine->n_stack;
}

/* The last value, left where it is. */
static struct pickle_value *top(struct machine *machine)
{
    struct pickle_value *value = pop(machine, 1);

    machine->n_stack += value != NULL;
    return value;
}

/* The values above the last mark, taken off together with it. */
static struct pickle_value *pop_mark(struct machine *machine, size_t *n)
{
    if (machine->n_marks == 0) {
        FAIL(machine, "without MARK");
        return NULL;
    }
    *n = count_above_mark(machine);
    machine->n_stack = machine->marks[--machine->n_marks];
    return machine->stack + machine->n_stack;
}

/* ---- nodes ---- */

void *pickle_alloc(struct pickle *pickle, size_t size, struct error *err)
{
    if (size > PICKLE_TREE_BYTES_MAX - pickle->tree_bytes) {
        error_set(err, ERROR_FORMAT, "its values need more than the limit of %d bytes",
                  PICKLE_TREE_BYTES_MAX);
        return NULL;
    }
    pickle->tree_bytes += size;
    return arena_alloc(&pickle->arena, size);
}

static size_t depth_of(const struct pickle_value *value)
{
    bool has_node = value->kind == PICKLE_TUPLE || value->kind == PICKLE_LIST ||
                    value->kind == PICKLE_SET || value->kind == PICKLE_DICT ||
                    value->kind == PICKLE_OBJECT;

    return has_node ? value->node->depth : 0;
}

static int reserve_items(struct machine *machine, struct pickle_node *node, size_t n)
{
    size_t capacity = 2 * node->capacity > n ? 2 * node->capacity : n;
    struct pickle_value *items;

    if (n <= node->capacity)
        return 0;
    items = pickle_alloc(machine->pickle, capacity * sizeof *items, machine->err);
    if (!items)
        return fail(-1, machine);
    if (node->n_items)
        memcpy(items, node->items, node->n_items * sizeof *items);
    node->items = items;
    node->capacity = capacity;
    return 0;
}

/* Appends copies. `values` does not lie in the node. */
static int add_items(struct machine *machine, struct pickle_node *node,
                     const struct pickle_value *values, size_t n)
{
    if (n == 0)
        return 0;
    if (reserve_items(machine, node, node->n_items + n))
        return -1;
    for (size_t i = 0; i < n; i++) {
        size_t depth = depth_of(&values[i]) + 1;

        if (depth > PICKLE_DEPTH_MAX)
            return FAIL(machine, "containers are nested too deep, the limit is %d",
                        PICKLE_DEPTH_MAX);
        if (depth > node->depth)
            node->depth = depth;
        node->items[node->n_items++] = values[i];
    }
    return 0;
}

/* Pushes a new node with copies of these items. */
static int push_node(struct machine *machine, enum pickle_kind kind,
                     const struct pickle_global *maker, const struct pickle_value *values,
                     size_t n)
{
    struct pickle_node *node = pickle_alloc(machine->pickle, sizeof *node, machine->err);

    if (!node)
        return fail(-1, machine);
    node->maker = maker;
    if (add_items(machine, node, values, n))
        return -1;
    return push(machine, (struct pickle_value){.kind = kind, .node = node});
}

static int push_marked(struct machine *machine, enum pickle_kind kind)
{
    size_t n;
    struct pickle_value *values = pop_mark(machine, &n);

    return values ? push_node(machine, kind, NULL, values, n) : -1;
}

static int push_tuple(struct machine *machine, size_t n)
{
    struct pickle_value *values = pop(machine, n);

    return values ? push_node(machine, PICKLE_TUPLE, NULL, values, n) : -1;
}

/* ---- scalars and texts ---- */

static int op_none(struct machine *machine)
{
    return push(machine, (struct pickle_value){.kind = PICKLE_NONE});
}

static int push_bool(struct machine *machine, bool value)
{
    return push(machine, (struct pickle_value){.kind = PICKLE_BOOL, .integer = value});
}

static int op_newtrue(struct machine *machine)
{
    return push_bool(machine, true);
}

static int op_newfalse(struct machine *machine)
{
    return push_bool(machine, false);
}

static int push_integer(struct machine *machine, int64_t value)
{
    return push(machine, (struct pickle_value){.kind = PICKLE_INTEGER, .integer = value});
}

static int op_binint(struct machine *machine)
{
    return push_integer(machine, (int32_t)cursor_u32(&machine->cursor));
}

static int op_binint1(struct machine *machine)
{
    return push_integer(machine, cursor_u8(&machine->cursor));
}

static int op_binint2(struct machine *machine)
{
    return push_integer(machine, cursor_u16(&machine->cursor));
}

/* The n bytes of a text or a long number. Nothing is copied: n may be anything. */
static const unsigned char *view_text(struct machine *machine, uint64_t n)
{
    if (n > cursor_left(&machine->cursor)) {
        fail_cut(machine);
        return NULL;
    }
    if (n > PICKLE_TEXT_BYTES_MAX) {
        FAIL(machine, "%zu bytes of text, more than the limit of %d", (size_t)n,
             PICKLE_TEXT_BYTES_MAX);
        return NULL;
    }
    return cursor_view(&machine->cursor, n);
}

static int push_long(struct machine *machine, size_t n)
{
    const unsigned char *bytes = view_text(machine, n);
    unsigned char sign;
    uint64_t value;

    if (!bytes)
        return -1;
    sign = n && bytes[n - 1] & 0x80 ? 0xff : 0;
    /* A byte of nothing but signs adds nothing, unless it holds the only sign. */
    while (n > 1 && bytes[n - 1] == sign && (bytes[n - 2] & 0x80) == (sign & 0x80))
        n--;
    if (n > sizeof value)
        return push(machine, (struct pickle_value){.kind = PICKLE_BIG, .length = (uint32_t)n,
                                                   .text = (const char *)bytes});
    value = sign ? UINT64_MAX : 0;
    for (size_t i = n; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return push_integer(machine, (int64_t)value);
}

static int op_long1(struct machine *machine)
{
    return push_long(machine, cursor_u8(&machine->cursor));
}

static int op_long4(struct machine *machine)
{
    int32_t n = (int32_t)cursor_u32(&machine->cursor);

    return n < 0 ? FAIL(machine, "its length of %d is negative", n) : push_long(machine, (size_t)n);
}

/* The one big-endian number of the format. */
static int op_binfloat(struct machine *machine)
{
    struct pickle_value value = {.kind = PICKLE_FLOAT};
    uint64_t bits = __builtin_bswap64(cursor_u64(&machine->cursor));

    memcpy(&value.number, &bits, sizeof bits);
    return push(machine, value);
}

/* Python writes half of a surrogate pair as if it were a character (ED A0..BF 80..BF). */
static bool is_utf8_with_surrogates(const char *text, size_t n)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t i = 0;

    for (;;) {
        i += utf8_valid_prefix(text + i, n - i);
        if (i == n)
            return true;
        if (n - i < 3 || bytes[i] != 0xed || bytes[i + 1] < 0xa0 || bytes[i + 1] > 0xbf ||
            (bytes[i + 2] & 0xc0) != 0x80)
            return false;
        i += 3;
    }
}

static int push_text(struct machine *machine, enum pickle_kind kind, uint64_t n)
{
    const char *text = (const char *)view_text(machine, n);

    if (!text)
        return -1;
    if (kind == PICKLE_STRING && !is_utf8_with_surrogates(text, n))
        return FAIL(machine, "its text is not UTF-8");
    return push(machine,
                (struct pickle_value){.kind = kind, .length = (uint32_t)n, .text = text});
}

static int op_short_binunicode(struct machine *machine)
{
    return push_text(machine, PICKLE_STRING, cursor_u8(&machine->cursor));
}

static int op_binunicode(struct machine *machine)
{
    return push_text(machine, PICKLE_STRING, cursor_u32(&machine->cursor));
}

static int op_binunicode8(struct machine *machine)
{
    return push_text(machine, PICKLE_STRING, cursor_u64(&machine->cursor));
}

static int op_short_binbytes(struct machine *machine)
{
    return push_text(machine, PICKLE_BYTES, cursor_u8(&machine->cursor));
}

static int op_binbytes(struct machine *machine)
{
    return push_text(machine, PICKLE_BYTES, cursor_u32(&machine->cursor));
}

static int op_binbytes8(struct machine *machine)
{
    return push_text(machine, PICKLE_BYTES, cursor_u64(&machine->cursor));
}

static int op_binstring(struct machine *machine)
{
    int32_t n = (int32_t)cursor_u32(&machine->cursor);

    return n < 0 ? FAIL(machine, "its length of %d is negative", n)
                 : push_text(machine, PICKLE_BYTES, (uint64_t)n);
}

/* ---- containers ---- */

static int op_empty_tuple(struct machine *machine)
{
    return push_tuple(machine, 0);
}

static int op_tuple1(struct machine *machine)
{
    return push_tuple(machine, 1);
}

static int op_tuple2(struct machine *machine)
{
    return push_tuple(machine, 2);
}

static int op_tuple3(struct machine *machine)
{
    return push_tuple(machine, 3);
}

static int op_tuple(struct machine *machine)
{
    return push_marked(machine, PICKLE_TUPLE);
}

static int op_frozenset(struct machine *machine)
{
    return push_marked(machine, PICKLE_SET);
}

static int op_empty_list(struct machine *machine)
{
    return push_node(machine, PICKLE_LIST, NULL, NULL, 0);
}

static int op_empty_dict(struct machine *machine)
{
    return push_node(machine, PICKLE_DICT, NULL, NULL, 0);
}

static int op_empty_set(struct machine *machine)
{
    return push_node(machine, PICKLE_SET, NULL, NULL, 0);
}

/* Adds n values, which have just been taken off, to the container that is now on top. */
static int extend(struct machine *machine, enum pickle_kind kind, const struct pickle_value *values,
                  size_t n)
{
    struct pickle_value *container = values ? top(machine) : NULL;

    if (!container)
        return -1;
    if (container->kind != kind)
        return FAIL(machine, "what it adds to is not a %s",
                    kind == PICKLE_LIST  ? "list"
                    : kind == PICKLE_SET ? "set"
                                         : "dictionary");
    if (kind == PICKLE_DICT && n % 2)
        return FAIL(machine, "a key without a value");
    return add_items(machine, container->node, values, n);
}

static int extend_marked(struct machine *machine, enum pickle_kind kind)
{
    size_t n = 0;
    struct pickle_value *values = pop_mark(machine, &n);

    return extend(machine, kind, values, n);
}

static int op_append(struct machine *machine)
{
    return extend(machine, PICKLE_LIST, pop(machine, 1), 1);
}

static int op_setitem(struct machine *machine)
{
    return extend(machine, PICKLE_DICT, pop(machine, 2), 2);
}

static int op_appends(struct machine *machine)
{
    return extend_marked(machine, PICKLE_LIST);
}

static int op_setitems(struct machine *machine)
{
    return extend_marked(machine, PICKLE_DICT);
}

static int op_additems(struct machine *machine)
{
    return extend_marked(machine, PICKLE_SET);
}

/* ---- stack and memo ---- */

static int op_mark(struct machine *machine)
{
    size_t *marks = grow(machine->marks, machine->n_marks, &machine->marks_capacity, sizeof *marks,
                         PICKLE_STACK_MAX);

    if (!marks)
        return FAIL(machine, "more than %d marks", PICKLE_STACK_MAX);
    machine->marks = marks;
    marks[machine->n_marks++] = machine->n_stack;
    return 0;
}

static int op_pop_mark(struct machine *machine)
{
    size_t n;

    return pop_mark(machine, &n) ? 0 : -1;
}

static int op_pop(struct machine *machine)
{
    if (machine->n_marks && count_above_mark(machine) == 0)
        return op_pop_mark(machine); /* as in Python, the mark is a thing on the stack here */
    return pop(machine, 1) ? 0 : -1;
}

static int op_dup(struct machine *machine)
{
    struct pickle_value *value = top(machine);

    return value ? push(machine, *value) : -1;
}

/* Python counts its memo numbers from 0, so an array holds them. But an index may be any 32 bits:
 * those that no array of ours should reach go to a map. */
static struct pickle_value *find_memo(const struct machine *machine, uint32_t index)
{
    const size_t *place;

    if (index < machine->memo_size)
        return machine->memo[index].kind == PICKLE_NOTHING ? NULL : &machine->memo[index];
    place = hash_map_find(&machine->far_memo, (const char *)&index, sizeof index);
    return place ? &machine->far_values[*place] : NULL;
}

static struct pickle_value *make_near_memo(struct machine *machine, uint32_t index)
{
    size_t size = machine->memo_size;

    if (index >= size) {
        size = 2 * size > index ? 2 * size : index + (size_t)64;
        size = size < PICKLE_MEMO_MAX ? size : PICKLE_MEMO_MAX;
        machine->memo = memory_resize(machine->memo, size, sizeof *machine->memo);
        memset(machine->memo + machine->memo_size, 0,
               (size - machine->memo_size) * sizeof *machine->memo);
        machine->memo_size = size;
    }
    return &machine->memo[index];
}

static struct pickle_value *make_far_memo(struct machine *machine, uint32_t index)
{
    enum { FAR_MAX = 1 << 16 };
    struct pickle_value *values = grow(machine->far_values, machine->n_far,
                                       &machine->far_capacity, sizeof *values, FAR_MAX);
    uint32_t *key;

    if (!values) {
        FAIL(machine, "more than %d memo numbers above %d", FAR_MAX, PICKLE_MEMO_MAX);
        return NULL;
    }
    machine->far_values = values;
    key = pickle_alloc(machine->pickle, sizeof *key, machine->err);
    if (!key) {
        fail(-1, machine);
        return NULL;
    }
    *key = index;
    hash_map_add(&machine->far_memo, (const char *)key, sizeof *key, machine->n_far);
    return &values[machine->n_far++];
}

static int memo_put(struct machine *machine, uint32_t index)
{
    struct pickle_value *value = top(machine), *place = find_memo(machine, index);

    if (!value)
        return -1;
    if (!place && machine->n_memo++ == PICKLE_MEMO_MAX)
        return FAIL(machine, "more than %d values in the memo", PICKLE_MEMO_MAX);
    if (!place)
        place = index < PICKLE_MEMO_MAX ? make_near_memo(machine, index)
                                        : make_far_memo(machine, index);
    if (!place)
        return -1;
    *place = *value;
    return 0;
}

static int memo_get(struct machine *machine, uint32_t index)
{
    const struct pickle_value *value = find_memo(machine, index);

    return value ? push(machine, *value)
                 : FAIL(machine, "nothing was stored as memo %u", (unsigned)index);
}

static int op_binput(struct machine *machine)
{
    return memo_put(machine, cursor_u8(&machine->cursor));
}

static int op_long_binput(struct machine *machine)
{
    return memo_put(machine, cursor_u32(&machine->cursor));
}

static int op_memoize(struct machine *machine)
{
    return memo_put(machine, (uint32_t)machine->n_memo);
}

static int op_binget(struct machine *machine)
{
    return memo_get(machine, cursor_u8(&machine->cursor));
}

static int op_long_binget(struct machine *machine)
{
    return memo_get(machine, cursor_u32(&machine->cursor));
}

/* ---- names and calls ---- */

static bool is_name(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && memcmp(name, text, length) == 0;
}

static int shown(size_t length)
{
    return length < 160 ? (int)length : 160;
}

static int push_global(struct machine *machine, const char *module, size_t module_length,
                       const char *name, size_t name_length)
{
    for (size_t i = 0; i < machine->rules->n_globals; i++) {
        const struct pickle_global *global = &machine->rules->globals[i];

        if (!is_name(global->module, module, module_length) ||
            !is_name(global->name, name, name_length))
            continue;
        if (global->unsupported)
            return fail(error_set(machine->err, ERROR_UNSUPPORTED, "%s.%s: %s not supported",
                                  global->module, global->name, global->unsupported), machine);
        return push(machine, (struct pickle_value){.kind = PICKLE_GLOBAL, .global = global});
    }
    return FAIL(machine, "'%.*s.%.*s' is not a name that a checkpoint may use",
                shown(module_length), module, shown(name_length), name);
}

/* A text up to the next line feed, which is skipped. */
static const char *view_line(struct machine *machine, size_t *length)
{
    struct cursor *cursor = &machine->cursor;
    const unsigned char *line = cursor->bytes + cursor->position;
    const unsigned char *end = cursor_left(cursor) ? memchr(line, '\n', cursor_left(cursor)) : NULL;

    if (!end) {
        fail_cut(machine);
        return NULL;
    }
    *length = (size_t)(end - line);
    return (const char *)cursor_view(cursor, *length + 1);
}

static int op_global(struct machine *machine)
{
    size_t module_length, name_length;
    const char *module = view_line(machine, &module_length);
    const char *name = module ? view_line(machine, &name_length) : NULL;

    return name ? push_global(machine, module, module_length, name, name_length) : -1;
}

static int op_stack_global(struct machine *machine)
{
    struct pickle_value *names = pop(machine, 2);

    if (!names)
        return -1;
    if (names[0].kind != PICKLE_STRING || names[1].kind != PICKLE_STRING)
        return FAIL(machine, "module and name are not both strings");
    return push_global(machine, names[0].text, names[0].length, names[1].text, names[1].length);
}

/* The one argument that a dictionary may be made from: a list of pairs. */
static int add_pairs(struct machine *machine, struct pickle_node *dict,
                     const struct pickle_value *list)
{
    if (list->kind != PICKLE_LIST)
        return FAIL(machine, "a dictionary is made from something else than a list of pairs");
    for (size_t i = 0; i < list->node->n_items; i++) {
        const struct pickle_value *pair = &list->node->items[i];

        if ((pair->kind != PICKLE_TUPLE && pair->kind != PICKLE_LIST) || pair->node->n_items != 2)
            return FAIL(machine, "item %zu of the list that a dictionary is made from is not a "
                        "pair", i);
        if (add_items(machine, dict, pair->node->items, 2))
            return -1;
    }
    return 0;
}

static int push_made_dict(struct machine *machine, const struct pickle_global *maker,
                          const struct pickle_node *arguments)
{
    size_t most = maker->call == PICKLE_GIVES_DICT ? 1 : 0;

    if (arguments->n_items > most)
        return FAIL(machine, "%s.%s got %zu arguments, more than %zu", maker->module, maker->name,
                    arguments->n_items, most);
    if (push_node(machine, PICKLE_DICT, maker, NULL, 0))
        return -1;
    return arguments->n_items ? add_pairs(machine, top(machine)->node, &arguments->items[0]) : 0;
}

/* REDUCE and NEWOBJ: nothing is called, what would be is written down. */
static int push_call(struct machine *machine, const struct pickle_value *callable,
                     const struct pickle_value *arguments)
{
    const struct pickle_global *maker = callable->global;
    const struct pickle_node *given = arguments->node;
    struct pickle_node *call;

    if (callable->kind != PICKLE_GLOBAL || maker->call == PICKLE_NOT_CALLABLE)
        return FAIL(machine, "what it calls is not callable");
    if (arguments->kind != PICKLE_TUPLE)
        return FAIL(machine, "the arguments are not a tuple");
    if (maker->call == PICKLE_GIVES_DICT || maker->call == PICKLE_GIVES_RECORD)
        return push_made_dict(machine, maker, given);
    if (push_node(machine, PICKLE_OBJECT, maker, NULL, 0))
        return -1;
    call = top(machine)->node;
    *call = *given; /* shares the items: neither tuples nor objects change */
    call->maker = maker;
    return 0;
}

static int op_reduce(struct machine *machine)
{
    struct pickle_value *values = pop(machine, 2);

    return values ? push_call(machine, &values[0], &values[1]) : -1;
}

static int op_newobj_ex(struct machine *machine)
{
    struct pickle_value *values = pop(machine, 3);

    if (!values)
        return -1;
    if (values[2].kind != PICKLE_DICT || values[2].node->n_items)
        return FAIL(machine, "keyword arguments are not supported");
    return push_call(machine, &values[0], &values[1]);
}

/* The attributes of a record become its items. */
static int fill_record(struct machine *machine, struct pickle_node *record,
                       const struct pickle_value *state)
{
    if (state->kind != PICKLE_DICT || state->node->maker)
        return FAIL(machine, "the state of %s.%s is not a dictionary", record->maker->module,
                    record->maker->name);
    if (record->n_items)
        return FAIL(machine, "%s.%s gets a second state", record->maker->module,
                    record->maker->name);
    return add_items(machine, record, state->node->items, state->node->n_items);
}

/* What a call made may get a state here: the attributes of a record; those of an OrderedDict, such as
 * the _metadata of a state dict, say nothing about the weights, nor does what opaque objects hold. */
static int op_build(struct machine *machine)
{
    struct pickle_value *state = pop(machine, 1), *built = state ? top(machine) : NULL;
    bool has_maker = built && (built->kind == PICKLE_DICT || built->kind == PICKLE_OBJECT) &&
                     built->node->maker;
    enum pickle_call call = has_maker ? built->node->maker->call : PICKLE_NOT_CALLABLE;

    if (!built)
        return -1;
    if (call == PICKLE_GIVES_RECORD)
        return fill_record(machine, built->node, state);
    if (call != PICKLE_GIVES_DICT && call != PICKLE_GIVES_OPAQUE)
        return FAIL(machine, "what it builds on takes no state");
    return 0;
}

static int op_binpersid(struct machine *machine)
{
    const struct pickle_rules *rules = machine->rules;
    struct pickle_value *id = pop(machine, 1);
    const void *persistent;

    if (!id)
        return -1;
    if (!rules->persistent)
        return FAIL(machine, "a persistent id where none may be");
    persistent = rules->persistent(rules->context, machine->pickle, id, machine->err);
    if (!persistent)
        return fail(-1, machine);
    return push(machine,
                (struct pickle_value){.kind = PICKLE_PERSISTENT, .persistent = persistent});
}

/* ---- the machine ---- */

static int op_proto(struct machine *machine)
{
    unsigned protocol = cursor_u8(&machine->cursor);

    return protocol > 5 ? FAIL(machine, "protocol %u, the last known is 5", protocol) : 0;
}

/* Frames help readers that buffer; we have all bytes. */
static int op_frame(struct machine *machine)
{
    uint64_t n = cursor_u64(&machine->cursor);

    return n > cursor_left(&machine->cursor) ? fail_cut(machine) : 0;
}

static int op_stop(struct machine *machine)
{
    struct pickle_value *result = pop(machine, 1);

    if (!result)
        return -1;
    machine->pickle->result = *result;
    machine->pickle->n_bytes = machine->cursor.position;
    machine->has_stopped = true;
    return 0;
}

static const struct opcode {
    const char *name;
    size_t operand_bytes;
    operation *run; /* NULL: known, and refused */
} opcodes[256] = {
    [0x28] = {"MARK", 0, op_mark},
    [0x29] = {"EMPTY_TUPLE", 0, op_empty_tuple},
    [0x2e] = {"STOP", 0, op_stop},
    [0x30] = {"POP", 0, op_pop},
    [0x31] = {"POP_MARK", 0, op_pop_mark},
    [0x32] = {"DUP", 0, op_dup},
    [0x42] = {"BINBYTES", 4, op_binbytes},
    [0x43] = {"SHORT_BINBYTES", 1, op_short_binbytes},
    [0x46] = {"FLOAT", 0, NULL},
    [0x47] = {"BINFLOAT", 8, op_binfloat},
    [0x49] = {"INT", 0, NULL},
    [0x4a] = {"BININT", 4, op_binint},
    [0x4b] = {"BININT1", 1, op_binint1},
    [0x4c] = {"LONG", 0, NULL},
    [0x4d] = {"BININT2", 2, op_binint2},
    [0x4e] = {"NONE", 0, op_none},
    [0x50] = {"PERSID", 0, NULL},
    [0x51] = {"BINPERSID", 0, op_binpersid},
    [0x52] = {"REDUCE", 0, op_reduce},
    [0x53] = {"STRING", 0, NULL},
    [0x54] = {"BINSTRING", 4, op_binstring},
    [0x55] = {"SHORT_BINSTRING", 1, op_short_binbytes},
    [0x56] = {"UNICODE", 0, NULL},
    [0x58] = {"BINUNICODE", 4, op_binunicode},
    [0x5d] = {"EMPTY_LIST", 0, op_empty_list},
    [0x61] = {"APPEND", 0, op_append},
    [0x62] = {"BUILD", 0, op_build},
    [0x63] = {"GLOBAL", 0, op_global},
    [0x64] = {"DICT", 0, NULL},
    [0x65] = {"APPENDS", 0, op_appends},
    [0x67] = {"GET", 0, NULL},
    [0x68] = {"BINGET", 1, op_binget},
    [0x69] = {"INST", 0, NULL},
    [0x6a] = {"LONG_BINGET", 4, op_long_binget},
    [0x6c] = {"LIST", 0, NULL},
    [0x6f] = {"OBJ", 0, NULL},
    [0x70] = {"PUT", 0, NULL},
    [0x71] = {"BINPUT", 1, op_binput},
    [0x72] = {"LONG_BINPUT", 4, op_long_binput},
    [0x73] = {"SETITEM", 0, op_setitem},
    [0x74] = {"TUPLE", 0, op_tuple},
    [0x75] = {"SETITEMS", 0, op_setitems},
    [0x7d] = {"EMPTY_DICT", 0, op_empty_dict},
    [0x80] = {"PROTO", 1, op_proto},
    [0x81] = {"NEWOBJ", 0, op_reduce},
    [0x82] = {"EXT1", 0, NULL},
    [0x83] = {"EXT2", 0, NULL},
    [0x84] = {"EXT4", 0, NULL},
    [0x85] = {"TUPLE1", 0, op_tuple1},
    [0x86] = {"TUPLE2", 0, op_tuple2},
    [0x87] = {"TUPLE3", 0, op_tuple3},
    [0x88] = {"NEWTRUE", 0, op_newtrue},
    [0x89] = {"NEWFALSE", 0, op_newfalse},
    [0x8a] = {"LONG1", 1, op_long1},
    [0x8b] = {"LONG4", 4, op_long4},
    [0x8c] = {"SHORT_BINUNICODE", 1, op_short_binunicode},
    [0x8d] = {"BINUNICODE8", 8, op_binunicode8},
    [0x8e] = {"BINBYTES8", 8, op_binbytes8},
    [0x8f] = {"EMPTY_SET", 0, op_empty_set},
    [0x90] = {"ADDITEMS", 0, op_additems},
    [0x91] = {"FROZENSET", 0, op_frozenset},
    [0x92] = {"NEWOBJ_EX", 0, op_newobj_ex},
    [0x93] = {"STACK_GLOBAL", 0, op_stack_global},
    [0x94] = {"MEMOIZE", 0, op_memoize},
    [0x95] = {"FRAME", 8, op_frame},
    [0x96] = {"BYTEARRAY8", 0, NULL},
    [0x97] = {"NEXT_BUFFER", 0, NULL},
    [0x98] = {"READONLY_BUFFER", 0, NULL},
};

static int refuse_opcode(struct machine *machine, unsigned code)
{
    const char *name = opcodes[code].name;

    return error_set(machine->err, ERROR_FORMAT, "pickle opcode %s%s0x%02x%s at byte %zu is not "
                     "allowed", name ? name : "", name ? " (" : "", code, name ? ")" : "",
                     machine->opcode_at);
}

static int step(struct machine *machine)
{
    struct cursor *cursor = &machine->cursor;
    const struct opcode *opcode;
    unsigned code;

    machine->opcode_at = cursor->origin + cursor->position;
    if (cursor_left(cursor) == 0) {
        machine->pickle->is_cut = true;
        return error_set(machine->err, ERROR_FORMAT, "the pickle ends at byte %zu without STOP",
                         machine->opcode_at);
    }
    code = cursor_u8(cursor);
    opcode = &opcodes[code];
    machine->opcode = opcode->name;
    if (!opcode->run)
        return refuse_opcode(machine, code);
    if (cursor_left(cursor) < opcode->operand_bytes)
        return fail_cut(machine);
    return opcode->run(machine);
}

static int run(struct machine *machine)
{
    enum { STEPS = 1 << 20 };

    while (!machine->has_stopped) {
        if (interrupt_check(machine->err))
            return -1;
        for (size_t i = 0; i < STEPS && !machine->has_stopped; i++)
            if (step(machine))
                return -1;
    }
    return 0;
}

int pickle_load(struct pickle *pickle, const struct pickle_rules *rules, const void *bytes,
                size_t size, size_t origin, struct error *err)
{
    enum { STACK_START = 64 };
    struct machine machine = {.pickle = pickle, .rules = rules, .err = err};
    int rc;

    *pickle = (struct pickle){0};
    machine.stack = memory_alloc(STACK_START * sizeof *machine.stack); /* never NULL */
    machine.stack_capacity = STACK_START;
    cursor_init(&machine.cursor, bytes, size, origin, err);
    rc = size > PICKLE_BYTES_MAX
             ? error_set(err, ERROR_FORMAT, "a pickle of %zu bytes, more than the limit of %d",
                         size, PICKLE_BYTES_MAX)
             : run(&machine);
    free(machine.stack);
    free(machine.marks);
    free(machine.memo);
    free(machine.far_values);
    hash_map_release(&machine.far_memo);
    return rc;
}

void pickle_release(struct pickle *pickle)
{
    arena_release(&pickle->arena);
    *pickle = (struct pickle){0};
}

/* ---- looking at values ---- */

bool pickle_is_text(const struct pickle_value *value)
{
    return value->kind == PICKLE_STRING || value->kind == PICKLE_BYTES;
}

bool pickle_is(const struct pickle_value *value, const char *text)
{
    return pickle_is_text(value) && is_name(text, value->text, value->length);
}

const struct pickle_value *pickle_find(const struct pickle_node *dict, const char *key)
{
    for (size_t i = dict->n_items; i >= 2; i -= 2)
        if (pickle_is(&dict->items[i - 2], key))
            return &dict->items[i - 1];
    return NULL;
}
