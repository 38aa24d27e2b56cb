#include "jinja_value.h"

#include <math.h>
#include <string.h>

#include "jinja/jinja_big.h"

/* ---- strings ---- */

struct jinja_room {
    size_t used, capacity;
    char bytes[];
};

static struct jinja_string *string_new(struct jinja_heap *heap, const char *bytes, size_t size,
                                       struct jinja_value *out)
{
    struct jinja_string *string = jinja_alloc(heap, 1, sizeof *string);

    if (!string)
        return NULL;
    *string = (struct jinja_string){.bytes = bytes, .size = size, .n_chars = SIZE_MAX};
    *out = (struct jinja_value){.kind = JINJA_STRING, .string = string};
    return string;
}

static int check_size(struct jinja_heap *heap, size_t size)
{
    if (size > JINJA_STRING_MAX)
        return jinja_fail(heap, "a string of more than %d MB", JINJA_STRING_MAX / 1000 / 1000);
    return jinja_spend(heap, size / 64);
}

int jinja_string_copy(struct jinja_heap *heap, const char *bytes, size_t size,
                      struct jinja_value *out)
{
    char *copy;

    if (check_size(heap, size))
        return -1;
    copy = jinja_alloc(heap, size, 1);
    if (!copy)
        return -1;
    if (size > 0)
        memcpy(copy, bytes, size);
    return string_new(heap, copy, size, out) ? 0 : -1;
}

int jinja_string_text(struct jinja_heap *heap, const char *text, struct jinja_value *out)
{
    return string_new(heap, text, strlen(text), out) ? 0 : -1;
}

int jinja_string_part(struct jinja_heap *heap, const struct jinja_string *of, size_t start,
                      size_t size, struct jinja_value *out)
{
    struct jinja_string *part = string_new(heap, of->bytes + start, size, out);

    if (!part)
        return -1;
    part->is_safe = of->is_safe;
    part->room = of->room;
    return 0;
}

int jinja_string_marked(struct jinja_heap *heap, struct jinja_value string, bool is_safe,
                        struct jinja_value *out)
{
    if (jinja_string_part(heap, string.string, 0, string.string->size, out))
        return -1;
    out->string->is_safe = is_safe;
    return 0;
}

static struct jinja_room *room_new(struct jinja_heap *heap, size_t capacity)
{
    struct jinja_room *room = jinja_alloc(heap, 1, sizeof *room + capacity);

    if (room)
        room->capacity = capacity;
    return room;
}

int jinja_string_concat(struct jinja_heap *heap, const struct jinja_string *a,
                        const struct jinja_string *b, struct jinja_value *out)
{
    struct jinja_room *room = a->room;
    size_t size = a->size + b->size;
    struct jinja_string *string;

    if (size > JINJA_STRING_MAX)
        return check_size(heap, size);
    if (!room || a->bytes + a->size != room->bytes + room->used ||
        b->size > room->capacity - room->used) {
        room = room_new(heap, size < 128 ? size : size + size / 2);
        if (!room || jinja_spend(heap, a->size / 64))
            return -1;
        memcpy(room->bytes, a->bytes, a->size);
        room->used = a->size;
    }
    if (jinja_spend(heap, b->size / 64))
        return -1;
    if (b->size > 0)
        memcpy(room->bytes + room->used, b->bytes, b->size);
    room->used += b->size;
    string = string_new(heap, room->bytes + room->used - size, size, out);
    if (!string)
        return -1;
    string->room = room;
    return 0;
}

static size_t count_chars(const char *bytes, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    return n;
}

size_t jinja_string_chars(struct jinja_string *string)
{
    if (string->n_chars == SIZE_MAX)
        string->n_chars = count_chars(string->bytes, string->size);
    return string->n_chars;
}

size_t jinja_string_offset(const struct jinja_string *string, size_t index)
{
    size_t at = 0;

    if (string->n_chars == string->size)
        return index < string->size ? index : string->size;
    while (at < string->size) {
        if (((unsigned char)string->bytes[at] & 0xc0) != 0x80 && index-- == 0)
            return at;
        at++;
    }
    return string->size;
}

bool jinja_string_is(const struct jinja_string *string, const char *text)
{
    size_t size = strlen(text);

    return string->size == size && memcmp(string->bytes, text, size) == 0;
}

/* ---- lists ---- */

int jinja_list_new(struct jinja_heap *heap, enum jinja_kind kind, size_t n,
                   struct jinja_value *out)
{
    struct jinja_list *list = jinja_alloc(heap, 1, sizeof *list);

    if (!list || jinja_spend(heap, n / 4))
        return -1;
    list->items = jinja_alloc(heap, n, sizeof *list->items);
    if (!list->items)
        return -1;
    list->n_items = n;
    *out = (struct jinja_value){.kind = kind, .list = list};
    return 0;
}

int jinja_list_add(struct jinja_heap *heap, struct jinja_list_builder *list,
                   struct jinja_value item)
{
    if (jinja_spend(heap, 1))
        return -1;
    if (list->n_items == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 8;
        struct jinja_value *items = jinja_alloc(heap, capacity, sizeof *items);

        if (!items)
            return -1;
        if (list->n_items > 0)
            memcpy(items, list->items, list->n_items * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n_items++] = item;
    return 0;
}

int jinja_list_finish(struct jinja_heap *heap, const struct jinja_list_builder *list,
                      enum jinja_kind kind, struct jinja_value *out)
{
    struct jinja_list *made = jinja_alloc(heap, 1, sizeof *made);

    if (!made)
        return -1;
    made->items = list->items;
    made->n_items = list->n_items;
    *out = (struct jinja_value){.kind = kind, .list = made};
    return 0;
}

int jinja_pair(struct jinja_heap *heap, struct jinja_value first, struct jinja_value second,
               struct jinja_value *out)
{
    if (jinja_list_new(heap, JINJA_TUPLE, 2, out))
        return -1;
    out->list->items[0] = first;
    out->list->items[1] = second;
    return 0;
}

/* ---- hashes and dicts ---- */

static uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    uint64_t hash = seed;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

static uint64_t hash_number(uint64_t seed, struct jinja_value value)
{
    double number;

    if (value.kind == JINJA_BIG)
        return hash_bytes(seed, value.big->limbs, value.big->n_limbs * sizeof *value.big->limbs);
    if (value.kind != JINJA_FLOAT) {
        int64_t integer = value.kind == JINJA_BOOL ? value.boolean : value.integer;

        return hash_bytes(seed, &integer, sizeof integer);
    }
    number = value.number;
    if (number == floor(number) && fabs(number) < 9e18)
        return hash_number(seed, jinja_int((int64_t)number));
    return hash_bytes(seed, &number, sizeof number);
}

bool jinja_is_hashable(struct jinja_value value)
{
    return value.kind != JINJA_LIST && value.kind != JINJA_DICT && value.kind != JINJA_VIEW;
}

static int hash_value(struct jinja_heap *heap, struct jinja_value value, uint64_t *hash)
{
    if (!jinja_is_hashable(value))
        return jinja_fail(heap, "unhashable type: '%s'", jinja_type_name(value));
    if (jinja_is_number(value)) {
        *hash = hash_number(heap->seed, value);
    } else if (value.kind == JINJA_STRING) {
        if (jinja_spend(heap, value.string->size / 64))
            return -1;
        *hash = hash_bytes(heap->seed, value.string->bytes, value.string->size);
    } else if (value.kind == JINJA_TUPLE) {
        if (jinja_enter(heap) || jinja_spend(heap, value.list->n_items))
            return -1;
        *hash = heap->seed + 1;
        for (size_t i = 0; i < value.list->n_items; i++) {
            uint64_t item;

            if (hash_value(heap, value.list->items[i], &item))
                return -1;
            *hash = hash_bytes(*hash, &item, sizeof item);
        }
        jinja_leave(heap);
    } else {
        *hash = (uint64_t)value.kind;
    }
    return 0;
}

int jinja_dict_new(struct jinja_heap *heap, struct jinja_dict **out)
{
    *out = jinja_alloc(heap, 1, sizeof **out);
    return *out ? 0 : -1;
}

/* Strings, which nearly all keys are, without the detour. */
static int is_key(struct jinja_heap *heap, const struct jinja_dict_entry *entry,
                  struct jinja_value key, uint64_t hash)
{
    if (entry->hash != hash)
        return 0;
    return jinja_equal(heap, entry->key, key);
}

/* The number of the entry + 1, or 0; *slot is where it is or belongs. -1 on error. */
static int find_slot(struct jinja_heap *heap, const struct jinja_dict *dict,
                     struct jinja_value key, uint64_t hash, size_t *slot)
{
    for (size_t at = hash & (dict->n_slots - 1);; at = (at + 1) & (dict->n_slots - 1)) {
        uint32_t entry = dict->slots[at];
        int is_equal;

        *slot = at;
        if (entry == 0)
            return 0;
        if (jinja_spend(heap, 1))
            return -1;
        is_equal = is_key(heap, &dict->entries[entry - 1], key, hash);
        if (is_equal)
            return is_equal < 0 ? -1 : (int)entry;
    }
}

static int find_entry(struct jinja_heap *heap, const struct jinja_dict *dict,
                      struct jinja_value key, uint64_t hash)
{
    size_t slot;

    if (dict->slots)
        return find_slot(heap, dict, key, hash, &slot);
    for (size_t i = 0; i < dict->n_entries; i++) {
        int is_equal = is_key(heap, &dict->entries[i], key, hash);

        if (is_equal)
            return is_equal < 0 ? -1 : (int)i + 1;
    }
    return 0;
}

enum { DICT_SMALL = 8 };

static int index_entries(struct jinja_heap *heap, struct jinja_dict *dict)
{
    dict->n_slots = 2 * dict->capacity;
    dict->slots = jinja_alloc(heap, dict->n_slots, sizeof *dict->slots);
    if (!dict->slots)
        return -1;
    for (size_t i = 0; i < dict->n_entries; i++) {
        size_t at = dict->entries[i].hash & (dict->n_slots - 1);

        while (dict->slots[at]) {
            if (jinja_spend(heap, 1))
                return -1;
            at = (at + 1) & (dict->n_slots - 1);
        }
        dict->slots[at] = (uint32_t)i + 1;
    }
    return 0;
}

static int grow(struct jinja_heap *heap, struct jinja_dict *dict)
{
    size_t capacity = dict->capacity ? 2 * dict->capacity : 4;
    struct jinja_dict_entry *entries = jinja_alloc(heap, capacity, sizeof *entries);

    if (!entries)
        return -1;
    if (dict->n_entries > 0)
        memcpy(entries, dict->entries, dict->n_entries * sizeof *entries);
    dict->entries = entries;
    dict->capacity = capacity;
    return capacity > DICT_SMALL ? index_entries(heap, dict) : 0;
}

int jinja_dict_set(struct jinja_heap *heap, struct jinja_dict *dict, struct jinja_value key,
                   struct jinja_value value)
{
    uint64_t hash;
    int found;

    if (jinja_spend(heap, 1) || hash_value(heap, key, &hash))
        return -1;
    found = find_entry(heap, dict, key, hash);
    if (found < 0)
        return -1;
    if (found > 0) {
        dict->entries[found - 1].value = value;
        return 0;
    }
    if (dict->n_entries == dict->capacity && grow(heap, dict))
        return -1;
    dict->entries[dict->n_entries] = (struct jinja_dict_entry){key, value, hash};
    if (dict->slots) {
        size_t slot;

        if (find_slot(heap, dict, key, hash, &slot) < 0)
            return -1;
        dict->slots[slot] = (uint32_t)dict->n_entries + 1;
    }
    dict->n_entries++;
    return 0;
}

int jinja_dict_set_text(struct jinja_heap *heap, struct jinja_dict *dict, const char *key,
                        struct jinja_value value)
{
    struct jinja_value name;

    if (jinja_string_text(heap, key, &name))
        return -1;
    return jinja_dict_set(heap, dict, name, value);
}

int jinja_dict_get(struct jinja_heap *heap, const struct jinja_dict *dict, struct jinja_value key,
                   struct jinja_value *out)
{
    uint64_t hash;
    int found;

    if (hash_value(heap, key, &hash))
        return -1;
    found = find_entry(heap, dict, key, hash);
    if (found > 0)
        *out = dict->entries[found - 1].value;
    return found > 0 ? 1 : found;
}

int jinja_dict_get_text(struct jinja_heap *heap, const struct jinja_dict *dict, const char *key,
                        struct jinja_value *out)
{
    struct jinja_string text = {.bytes = key, .size = strlen(key), .n_chars = SIZE_MAX};

    return jinja_dict_get(heap, dict, (struct jinja_value){.kind = JINJA_STRING, .string = &text},
                          out);
}

/* ---- undefined ---- */

static struct jinja_undefined *undefined_new(struct jinja_heap *heap, struct jinja_value *out)
{
    struct jinja_undefined *undefined = jinja_alloc(heap, 1, sizeof *undefined);

    if (undefined)
        *out = (struct jinja_value){.kind = JINJA_UNDEFINED, .undefined = undefined};
    return undefined;
}

int jinja_undefined_name(struct jinja_heap *heap, const struct jinja_string *name,
                         struct jinja_value *out)
{
    struct jinja_undefined *undefined = undefined_new(heap, out);

    if (!undefined)
        return -1;
    undefined->name = name;
    return 0;
}

int jinja_undefined_hint(struct jinja_heap *heap, const char *hint, struct jinja_value *out)
{
    struct jinja_undefined *undefined = undefined_new(heap, out);

    if (!undefined)
        return -1;
    undefined->hint = hint;
    return 0;
}

int jinja_undefined_item(struct jinja_heap *heap, struct jinja_value owner,
                         struct jinja_value index, struct jinja_value *out)
{
    struct jinja_undefined *undefined = undefined_new(heap, out);

    if (!undefined)
        return -1;
    undefined->owner = jinja_type_name(owner);
    if (index.kind == JINJA_STRING)
        undefined->name = index.string;
    else
        undefined->index = index;
    return 0;
}

enum { NAME_SHOWN = 80 };

int jinja_fail_undefined(struct jinja_heap *heap, struct jinja_value value)
{
    const struct jinja_undefined *undefined = value.undefined;
    const struct jinja_string *name = undefined->name;
    int n = name ? (int)(name->size < NAME_SHOWN ? name->size : NAME_SHOWN) : 0;

    if (undefined->hint)
        return jinja_fail(heap, "%s", undefined->hint);
    if (!undefined->owner)
        return jinja_fail(heap, "'%.*s' is undefined", n, name ? name->bytes : "");
    if (name)
        return jinja_fail(heap, "'%s object' has no attribute '%.*s'", undefined->owner, n,
                          name->bytes);
    if (undefined->index.kind == JINJA_INT)
        return jinja_fail(heap, "%s object has no element %lld", undefined->owner,
                          (long long)undefined->index.integer);
    return jinja_fail(heap, "%s object has no such element", undefined->owner);
}

/* ---- asking ---- */

bool jinja_is_whole(struct jinja_value value)
{
    return value.kind == JINJA_BOOL || value.kind == JINJA_INT || value.kind == JINJA_BIG;
}

bool jinja_is_number(struct jinja_value value)
{
    return jinja_is_whole(value) || value.kind == JINJA_FLOAT;
}

static const char *const type_names[JINJA_KINDS] = {
    [JINJA_MISSING] = "missing", [JINJA_UNDEFINED] = "Undefined", [JINJA_NONE] = "NoneType",
    [JINJA_BOOL] = "bool", [JINJA_INT] = "int", [JINJA_BIG] = "int", [JINJA_FLOAT] = "float",
    [JINJA_STRING] = "str", [JINJA_LIST] = "list", [JINJA_TUPLE] = "tuple", [JINJA_DICT] = "dict",
    [JINJA_RANGE] = "range", [JINJA_VIEW] = "dict_view", [JINJA_ITERATOR] = "generator",
    [JINJA_NAMESPACE] = "Namespace", [JINJA_LOOP] = "LoopContext", [JINJA_MACRO] = "Macro",
    [JINJA_METHOD] = "builtin_function_or_method", [JINJA_FUNCTION] = "function",
    [JINJA_CYCLER] = "Cycler", [JINJA_JOINER] = "Joiner",
};

const char *jinja_type_name(struct jinja_value value)
{
    static const char *const views[] = {"dict_keys", "dict_values", "dict_items"};

    if (value.kind == JINJA_VIEW)
        return views[value.view->kind];
    return type_names[value.kind];
}

bool jinja_truth(struct jinja_value value)
{
    switch (value.kind) {
    case JINJA_MISSING: case JINJA_UNDEFINED: case JINJA_NONE: return false;
    case JINJA_BOOL: return value.boolean;
    case JINJA_INT: return value.integer != 0;
    case JINJA_FLOAT: return value.number != 0;
    case JINJA_STRING: return value.string->size > 0;
    case JINJA_LIST: case JINJA_TUPLE: return value.list->n_items > 0;
    case JINJA_DICT: return value.dict->n_entries > 0;
    case JINJA_RANGE: return value.range->n_items > 0;
    case JINJA_VIEW: return value.view->dict->n_entries > 0;
    default: return true;
    }
}

double jinja_to_double(struct jinja_value value)
{
    return value.kind == JINJA_FLOAT ? value.number : jinja_whole_to_double(value);
}

/* ---- equality and order ---- */

/* A 64-bit integer against a double, without rounding either. */
static int compare_mixed(int64_t whole, double number)
{
    int64_t below;

    if (number >= 9223372036854775808.0)
        return -1;
    if (number < -9223372036854775808.0)
        return 1;
    below = (int64_t)floor(number);
    if (whole != below)
        return whole < below ? -1 : 1;
    return number > (double)below ? -1 : 0;
}

/* False: one of them is NaN. */
static bool compare_numbers(struct jinja_value a, struct jinja_value b, int *order)
{
    int64_t whole;
    double x, y;

    if (jinja_is_whole(a) && jinja_is_whole(b)) {
        *order = jinja_whole_compare(a, b);
        return true;
    }
    x = jinja_to_double(a);
    y = jinja_to_double(b);
    if (isnan(x) || isnan(y))
        return false;
    if (a.kind == JINJA_FLOAT && jinja_to_int64(b, &whole))
        *order = -compare_mixed(whole, x);
    else if (b.kind == JINJA_FLOAT && jinja_to_int64(a, &whole))
        *order = compare_mixed(whole, y);
    else
        *order = (x > y) - (x < y);
    return true;
}

static int compare_bytes(const struct jinja_string *a, const struct jinja_string *b)
{
    size_t n = a->size < b->size ? a->size : b->size;
    int order = n > 0 ? memcmp(a->bytes, b->bytes, n) : 0;

    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static int equal_lists(struct jinja_heap *heap, const struct jinja_list *a,
                       const struct jinja_list *b)
{
    int is_equal = a->n_items == b->n_items;

    if (jinja_enter(heap))
        return -1;
    for (size_t i = 0; i < a->n_items && is_equal > 0; i++)
        is_equal = jinja_equal(heap, a->items[i], b->items[i]);
    jinja_leave(heap);
    return is_equal;
}

static int equal_dicts(struct jinja_heap *heap, const struct jinja_dict *a,
                       const struct jinja_dict *b)
{
    int is_equal = a->n_entries == b->n_entries;

    if (jinja_enter(heap))
        return -1;
    for (size_t i = 0; i < a->n_entries && is_equal > 0; i++) {
        struct jinja_value other;

        is_equal = jinja_dict_get(heap, b, a->entries[i].key, &other);
        if (is_equal > 0)
            is_equal = jinja_equal(heap, a->entries[i].value, other);
    }
    jinja_leave(heap);
    return is_equal;
}

/* Keys and items are sets in Python; values are not, and equal nothing. */
static int equal_views(struct jinja_heap *heap, const struct jinja_view *a,
                       const struct jinja_view *b)
{
    int is_equal = a->kind == b->kind && a->kind != JINJA_VIEW_VALUES &&
                   a->dict->n_entries == b->dict->n_entries;

    for (size_t i = 0; i < a->dict->n_entries && is_equal > 0; i++) {
        struct jinja_value other;

        is_equal = jinja_dict_get(heap, b->dict, a->dict->entries[i].key, &other);
        if (is_equal > 0 && a->kind == JINJA_VIEW_ITEMS)
            is_equal = jinja_equal(heap, a->dict->entries[i].value, other);
    }
    return is_equal;
}

static bool equal_ranges(const struct jinja_range *a, const struct jinja_range *b)
{
    if (a->n_items != b->n_items || a->n_items == 0)
        return a->n_items == b->n_items;
    return a->start == b->start && (a->n_items == 1 || a->step == b->step);
}

int jinja_equal(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b)
{
    int order;

    if (jinja_spend(heap, 1))
        return -1;
    if (jinja_is_number(a) && jinja_is_number(b))
        return compare_numbers(a, b, &order) && order == 0;
    if (a.kind != b.kind)
        return 0;
    switch (a.kind) {
    case JINJA_UNDEFINED: case JINJA_NONE:
        return 1;
    case JINJA_STRING:
        if (a.string->size != b.string->size)
            return 0;
        return jinja_spend(heap, a.string->size / 64) ? -1 : compare_bytes(a.string, b.string) == 0;
    case JINJA_LIST: case JINJA_TUPLE:
        return equal_lists(heap, a.list, b.list);
    case JINJA_DICT:
        return equal_dicts(heap, a.dict, b.dict);
    case JINJA_RANGE:
        return equal_ranges(a.range, b.range);
    case JINJA_VIEW:
        return equal_views(heap, a.view, b.view);
    default:
        return a.dict == b.dict; /* any pointer: the same thing */
    }
}

int jinja_compare(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b, int *order,
                  bool *is_ordered)
{
    *is_ordered = true;
    if (jinja_spend(heap, 1))
        return -1;
    if (jinja_is_number(a) && jinja_is_number(b)) {
        *is_ordered = compare_numbers(a, b, order);
        return 0;
    }
    if (a.kind == JINJA_UNDEFINED || b.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, a.kind == JINJA_UNDEFINED ? a : b);
    if (a.kind == JINJA_VIEW || b.kind == JINJA_VIEW)
        return jinja_unsupported(heap, "views of dicts as sets are not supported");
    if (a.kind != b.kind ||
        (a.kind != JINJA_STRING && a.kind != JINJA_LIST && a.kind != JINJA_TUPLE))
        return jinja_fail(heap, "cannot compare '%s' and '%s'", jinja_type_name(a),
                          jinja_type_name(b));
    if (a.kind == JINJA_STRING) {
        *order = compare_bytes(a.string, b.string);
        return jinja_spend(heap, a.string->size / 64);
    }
    if (jinja_enter(heap))
        return -1;
    for (size_t i = 0; i < a.list->n_items && i < b.list->n_items; i++) {
        int is_equal = jinja_equal(heap, a.list->items[i], b.list->items[i]), rc = 0;

        if (is_equal <= 0) {
            if (is_equal == 0)
                rc = jinja_compare(heap, a.list->items[i], b.list->items[i], order, is_ordered);
            jinja_leave(heap);
            return is_equal < 0 ? -1 : rc;
        }
    }
    jinja_leave(heap);
    *order = (a.list->n_items > b.list->n_items) - (a.list->n_items < b.list->n_items);
    return 0;
}
