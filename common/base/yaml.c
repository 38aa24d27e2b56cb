/* yaml.c - libyaml's events, made into a tree.
 *
 * Anchors are known from their start on, for aliases behind them; an alias inside its own node is
 * refused, so no tree has a circle. */
#include "yaml.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/hash.h"
#include "base/memory.h"

enum { DEPTH_MAX = 64, NODES_MAX = 100000 };

struct anchor {
    struct yaml_node *node;
    bool is_open; /* its node has not ended yet */
};

struct reader {
    yaml_parser_t parser;
    const char *text; /* [size] */
    size_t size;
    struct arena *arena;
    struct anchor *anchors; /* [n_anchors] of this document */
    struct hash_map anchors_by_name;
    size_t n_anchors, depth, n_nodes;
    struct error *err;
};

/* ---- scalars ---- */

static bool is_one_of(const char *text, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static bool parse_bool(const char *text, double *number)
{
    static const char *const yes[] = {"yes", "Yes", "YES", "true", "True", "TRUE",
                                      "on", "On", "ON", NULL};
    static const char *const no[] = {"no", "No", "NO", "false", "False", "FALSE",
                                     "off", "Off", "OFF", NULL};

    *number = is_one_of(text, yes);
    return *number != 0 || is_one_of(text, no);
}

/* `text` without its underscores; false when it is too long to be a number. */
static bool strip_underscores(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; *text && n < size - 1; text++)
        if (*text != '_')
            out[n++] = *text;
    out[n] = '\0';
    return *text == '\0';
}

/* Digits of the base and underscores, the first no underscore where `strict`. */
static bool are_digits(const char *text, unsigned base)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t n_digits = base == 16 ? 22 : base;

    if (!*text)
        return false;
    for (; *text; text++)
        if (*text != '_' && !memchr(digits, *text, n_digits))
            return false;
    return true;
}

/* "1:30:00" = 5400: fields of two digits below 60 behind the first one. */
static bool parse_sexagesimal(const char *text, double *number)
{
    const char *p = text;
    double sum = 0;
    char *end;

    if (!strchr(text, ':') || *p < '0' || *p > '9')
        return false;
    for (;;) {
        size_t n = strspn(p, p == text ? "0123456789_" : "0123456789");
        char field[40];

        if (n == 0 || n >= sizeof field || (p > text && n > 2))
            return false;
        memcpy(field, p, n);
        field[n] = '\0';
        strip_underscores(field, field, sizeof field);
        if (p > text && strtod(field, NULL) >= 60)
            return false;
        sum = sum * 60 + strtod(field, NULL);
        p += n;
        if (*p != ':')
            break;
        p++;
    }
    if (*p == '.')
        sum += strtod(p, &end);
    else
        end = (char *)p;
    *number = sum;
    return *end == '\0';
}

static bool parse_integer(const char *text, double *number)
{
    const char *p = text + (*text == '-' || *text == '+');
    unsigned base = strncmp(p, "0b", 2) == 0 ? 2 : strncmp(p, "0x", 2) == 0 ? 16
                    : *p == '0' && p[1]                                   ? 8
                                                                          : 10;
    const char *digits = p + (base == 2 || base == 16 ? 2 : base == 8);
    char plain[400];
    double value = 0;

    if (*p < '0' || *p > '9' || !are_digits(digits, base) ||
        !strip_underscores(digits, plain, sizeof plain))
        return false;
    if (base == 10)
        value = strtod(plain, NULL);
    else
        for (const char *d = plain; *d; d++)
            value = value * base + (double)strtoul((char[]){*d, '\0'}, NULL, 16);
    *number = *text == '-' ? -value : value;
    return true;
}

/* Digits with a dot, and perhaps an exponent with a sign. */
static bool parse_float(const char *text, double *number)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    const char *p = text + (*text == '-' || *text == '+');
    size_t whole = strspn(p, "0123456789_"), part;
    char plain[400];

    if (is_one_of(p, infinities)) {
        *number = *text == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (is_one_of(text, nans)) {
        *number = NAN;
        return true;
    }
    if (p[whole] != '.' || *p == '_')
        return false;
    part = strspn(p + whole + 1, "0123456789_");
    if (whole == 0 && (part == 0 || p[1] == '_'))
        return false;
    p += whole + 1 + part;
    if (*p == 'e' || *p == 'E') {
        if ((p[1] != '-' && p[1] != '+') || p[2] == '\0' ||
            p[2 + strspn(p + 2, "0123456789")] != '\0')
            return false;
    } else if (*p) {
        return false;
    }
    if (!strip_underscores(text, plain, sizeof plain))
        return false;
    *number = strtod(plain, NULL);
    return true;
}

static enum yaml_type type_of_plain(const char *text, double *number)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    const char *p = text + (*text == '-' || *text == '+');

    if (is_one_of(text, nulls))
        return YAML_NULL;
    if (parse_bool(text, number))
        return YAML_BOOL;
    if (parse_integer(text, number))
        return YAML_INTEGER;
    if (parse_float(text, number))
        return YAML_FLOAT;
    if (parse_sexagesimal(p, number)) {
        *number = *text == '-' ? -*number : *number;
        return strchr(p, '.') ? YAML_FLOAT : YAML_INTEGER;
    }
    return YAML_TEXT;
}

/* ---- nodes ---- */

/* Room for one item more than n. */
static void *grow(void *items, size_t n, size_t size)
{
    return (n & (n - 1)) == 0 ? memory_resize(items, n ? 2 * n : 1, size) : items;
}

static int fail(struct reader *reader, size_t line, const char *text)
{
    return error_set(reader->err, ERROR_FORMAT, "%zu: %s", line, text);
}

/* Line feeds in front of a place: libyaml knows no line of bytes that are no text. */
static size_t count_lines(const struct reader *reader, size_t offset)
{
    size_t n = 0;

    for (size_t i = 0; i < offset && i < reader->size; i++)
        n += reader->text[i] == '\n';
    return n;
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    const yaml_parser_t *parser = &reader->parser;
    size_t line;

    if (yaml_parser_parse(&reader->parser, event))
        return 0;
    if (parser->error == YAML_MEMORY_ERROR)
        return error_set(reader->err, ERROR_RESOURCES, "out of memory");
    line = parser->error == YAML_READER_ERROR ? count_lines(reader, parser->problem_offset)
                                              : parser->problem_mark.line;
    return error_set(reader->err, ERROR_FORMAT, "%zu: not YAML: %s%s%s", line + 1,
                     parser->problem ? parser->problem : "cannot be read",
                     parser->context ? ", " : "", parser->context ? parser->context : "");
}

static struct anchor *find_anchor(const struct reader *reader, const char *name)
{
    const size_t *index = hash_map_find(&reader->anchors_by_name, name, strlen(name));

    return index ? &reader->anchors[*index] : NULL;
}

/* Its number, SIZE_MAX: it has no name. */
static size_t add_anchor(struct reader *reader, const unsigned char *name, struct yaml_node *node)
{
    const char *text;
    size_t *index;

    if (!name)
        return (size_t)-1;
    text = arena_copy(reader->arena, (const char *)name, strlen((const char *)name));
    reader->anchors = grow(reader->anchors, reader->n_anchors, sizeof *reader->anchors);
    reader->anchors[reader->n_anchors] = (struct anchor){node, true};
    index = hash_map_find(&reader->anchors_by_name, text, strlen(text));
    if (index) /* the last one of a name counts */
        *index = reader->n_anchors;
    else
        hash_map_add(&reader->anchors_by_name, text, strlen(text), reader->n_anchors);
    return reader->n_anchors++;
}

static struct yaml_node *new_node(struct reader *reader, const yaml_event_t *event,
                                  enum yaml_type type)
{
    struct yaml_node *node = arena_alloc(reader->arena, sizeof *node);

    *node = (struct yaml_node){.type = type, .line = event->start_mark.line + 1, .n_nodes = 1};
    return node;
}

static int count_node(struct reader *reader, struct yaml_node *node, const struct yaml_node *in)
{
    assert(in);
    node->n_nodes += in->n_nodes;
    if (node->n_nodes > NODES_MAX)
        return fail(reader, in->line, "more than 100,000 nodes, aliases counted as what they stand "
                    "for");
    return 0;
}

static const struct yaml_node *read_node(struct reader *reader, const yaml_event_t *event);

static const struct yaml_node *read_alias(struct reader *reader, const yaml_event_t *event)
{
    struct anchor *anchor = find_anchor(reader, (const char *)event->data.alias.anchor);
    size_t line = event->start_mark.line + 1;

    if (anchor && !anchor->is_open)
        return anchor->node;
    error_set(reader->err, ERROR_FORMAT, "%zu: alias '*" ERROR_NAME "' %s", line,
              (const char *)event->data.alias.anchor,
              anchor ? "stands within what it stands for" : "has no anchor before it");
    return NULL;
}

static int check_tag(struct reader *reader, const unsigned char *tag, const char *const *known,
                     size_t line)
{
    if (!tag || is_one_of((const char *)tag, known))
        return 0;
    return error_set(reader->err, ERROR_FORMAT, "%zu: tag '" ERROR_NAME "' is not known", line,
                     (const char *)tag);
}

static int apply_tag(struct reader *reader, struct yaml_node *node, const char *tag)
{
    static const char *const known[] = {"!", YAML_STR_TAG, YAML_NULL_TAG, YAML_BOOL_TAG,
                                        YAML_INT_TAG, YAML_FLOAT_TAG, NULL};
    static const struct {
        const char *tag;
        enum yaml_type type;
    } types[] = {{YAML_NULL_TAG, YAML_NULL}, {YAML_BOOL_TAG, YAML_BOOL},
                 {YAML_INT_TAG, YAML_INTEGER}};
    enum yaml_type type = type_of_plain(node->text, &node->number);
    char *end;

    if (check_tag(reader, (const unsigned char *)tag, known, node->line))
        return -1;
    node->type = YAML_TEXT;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(tag, types[i].tag) == 0) {
            node->type = types[i].type;
            if (type != types[i].type)
                return fail(reader, node->line, "the value is not of the type that its tag says");
        }
    if (strcmp(tag, YAML_FLOAT_TAG) != 0)
        return 0;
    node->type = YAML_FLOAT;
    if (type == YAML_INTEGER || type == YAML_FLOAT)
        return 0;
    node->number = strtod(node->text, &end);
    if (end == node->text || *end)
        return fail(reader, node->line, "the value is not of the type that its tag says");
    return 0;
}

static const struct yaml_node *read_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct yaml_node *node = new_node(reader, event, YAML_TEXT);
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length, anchor;

    if (memchr(value, '\0', length)) {
        fail(reader, node->line, "a NUL in the text");
        return NULL;
    }
    node->text = arena_copy(reader->arena, value, length);
    if (event->data.scalar.tag && strcmp((char *)event->data.scalar.tag, "!") != 0) {
        if (apply_tag(reader, node, (char *)event->data.scalar.tag))
            return NULL;
    } else if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag) {
        node->type = type_of_plain(node->text, &node->number);
    }
    anchor = add_anchor(reader, event->data.scalar.anchor, node);
    if (anchor != (size_t)-1)
        reader->anchors[anchor].is_open = false;
    return node;
}

/* Reads the next node; *node is NULL where the list or map ends instead. */
static int read_next(struct reader *reader, yaml_event_type_t end, const struct yaml_node **node)
{
    yaml_event_t event;
    bool is_end;

    *node = NULL;
    if (next_event(reader, &event))
        return -1;
    is_end = event.type == end;
    if (!is_end)
        *node = read_node(reader, &event);
    yaml_event_delete(&event);
    return is_end || *node ? 0 : -1;
}

static int read_items(struct reader *reader, struct yaml_node *list)
{
    const struct yaml_node **items = NULL, *item;
    int rc;

    while ((rc = read_next(reader, YAML_SEQUENCE_END_EVENT, &item)) == 0 && item) {
        if ((rc = count_node(reader, list, item)))
            break;
        items = grow(items, list->n_items, sizeof *items);
        items[list->n_items++] = item;
    }
    list->items = arena_alloc(reader->arena, list->n_items * sizeof *items);
    if (list->n_items)
        memcpy(list->items, items, list->n_items * sizeof *items);
    free(items);
    return rc;
}

struct members {
    struct yaml_member *items;
    size_t n_items;
    struct hash_map by_key;
};

static struct yaml_member *find_member(const struct members *members, const char *key)
{
    const size_t *index = hash_map_find(&members->by_key, key, strlen(key));

    return index ? &members->items[*index] : NULL;
}

static void append_member(struct members *members, struct yaml_member member)
{
    hash_map_add(&members->by_key, member.key, strlen(member.key), members->n_items);
    members->items = grow(members->items, members->n_items, sizeof member);
    members->items[members->n_items++] = member;
}

/* A later member of a name counts, in the place of the first. */
static void put_member(struct members *members, struct yaml_member member)
{
    struct yaml_member *old = find_member(members, member.key);

    if (!old) {
        append_member(members, member);
        return;
    }
    member.is_repeated = true;
    *old = member;
}

/* Members of what "<<" names: those that the map and earlier ones do not have. */
static int merge_map(struct reader *reader, const struct yaml_node *value, struct members *members)
{
    if (value->type == YAML_LIST) {
        for (size_t i = 0; i < value->n_items; i++)
            if (value->items[i]->type == YAML_LIST ||
                merge_map(reader, value->items[i], members))
                return reader->err->code ? -1
                                         : fail(reader, value->line, "'<<' wants maps");
        return 0;
    }
    if (value->type != YAML_MAP)
        return fail(reader, value->line, "'<<' wants a map, or a list of maps");
    for (size_t i = 0; i < value->n_items; i++) {
        struct yaml_member member = value->members[i];

        member.is_repeated = false;
        if (!find_member(members, member.key))
            append_member(members, member);
    }
    return 0;
}

static bool is_scalar(const struct yaml_node *node)
{
    return node->type != YAML_LIST && node->type != YAML_MAP;
}

static int read_members(struct reader *reader, struct yaml_node *map)
{
    struct members members = {0}, merged = {0};
    const struct yaml_node *key, *value;
    struct yaml_member *kept;
    int rc;

    while ((rc = read_next(reader, YAML_MAPPING_END_EVENT, &key)) == 0 && key) {
        if (!is_scalar(key)) {
            rc = fail(reader, key->line, "a key is a list or a map");
            break;
        }
        if ((rc = read_next(reader, YAML_NO_EVENT, &value)) ||
            (rc = count_node(reader, map, key)) || (rc = count_node(reader, map, value)))
            break;
        if (strcmp(key->text, "<<") == 0 && key->type == YAML_TEXT)
            append_member(&merged, (struct yaml_member){"<<", key->line, value, false});
        else
            put_member(&members, (struct yaml_member){key->text, key->line, value, false});
    }
    for (size_t i = 0; rc == 0 && i < merged.n_items; i++)
        rc = merge_map(reader, merged.items[i].value, &members);
    kept = arena_alloc(reader->arena, members.n_items * sizeof *kept);
    if (members.n_items)
        memcpy(kept, members.items, members.n_items * sizeof *kept);
    map->members = kept;
    map->n_items = members.n_items;
    free(members.items);
    free(merged.items);
    hash_map_release(&members.by_key);
    hash_map_release(&merged.by_key);
    return rc;
}

static const struct yaml_node *read_collection(struct reader *reader, const yaml_event_t *event)
{
    static const char *const list_tags[] = {YAML_SEQ_TAG, "!", NULL};
    static const char *const map_tags[] = {YAML_MAP_TAG, "!", NULL};
    bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
    struct yaml_node *node = new_node(reader, event, is_list ? YAML_LIST : YAML_MAP);
    size_t anchor;
    int rc;

    if (check_tag(reader, is_list ? event->data.sequence_start.tag : event->data.mapping_start.tag,
                  is_list ? list_tags : map_tags, node->line))
        return NULL;
    if (++reader->depth > DEPTH_MAX) {
        fail(reader, node->line, "nested deeper than 64 levels");
        return NULL;
    }
    anchor = add_anchor(reader, is_list ? event->data.sequence_start.anchor
                                        : event->data.mapping_start.anchor, node);
    rc = is_list ? read_items(reader, node) : read_members(reader, node);
    reader->depth--;
    if (anchor != (size_t)-1)
        reader->anchors[anchor].is_open = false;
    return rc ? NULL : node;
}

static const struct yaml_node *read_node(struct reader *reader, const yaml_event_t *event)
{
    if (++reader->n_nodes > NODES_MAX) {
        fail(reader, event->start_mark.line + 1, "more than 100,000 nodes");
        return NULL;
    }
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return read_alias(reader, event);
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, event);
    default:
        return read_collection(reader, event);
    }
}

/* ---- documents ---- */

static int read_document(struct reader *reader, struct yaml_documents *out,
                         const struct yaml_node ***items)
{
    const struct yaml_node *root;
    yaml_event_t end;

    reader->n_anchors = 0;
    hash_map_release(&reader->anchors_by_name);
    if (read_next(reader, YAML_NO_EVENT, &root) || next_event(reader, &end))
        return -1;
    yaml_event_delete(&end);
    *items = grow(*items, out->n_items, sizeof **items);
    (*items)[out->n_items++] = root;
    return 0;
}

static int read_documents(struct reader *reader, struct yaml_documents *out,
                          const struct yaml_node ***items)
{
    for (;;) {
        yaml_event_t event;
        yaml_event_type_t type;

        if (next_event(reader, &event))
            return -1;
        type = event.type;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return 0;
        if (type == YAML_DOCUMENT_START_EVENT && read_document(reader, out, items))
            return -1;
    }
}

int yaml_parse(const char *text, size_t size, struct arena *arena, struct yaml_documents *out,
               struct error *err)
{
    struct reader reader = {.text = text, .size = size, .arena = arena, .err = err};
    const struct yaml_node **items = NULL;
    int rc;

    *out = (struct yaml_documents){0};
    if (!yaml_parser_initialize(&reader.parser))
        return error_set(err, ERROR_RESOURCES, "no memory to read YAML");
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
    rc = read_documents(&reader, out, &items);
    out->items = arena_alloc(arena, out->n_items * sizeof *items);
    if (items)
        memcpy(out->items, items, out->n_items * sizeof *items);
    free(items);
    free(reader.anchors);
    hash_map_release(&reader.anchors_by_name);
    yaml_parser_delete(&reader.parser);
    return rc;
}

const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; map->type == YAML_MAP && i < map->n_items; i++)
        if (strcmp(map->members[i].key, key) == 0)
            return map->members[i].value;
    return NULL;
}

const char *yaml_type_name(const struct yaml_node *node)
{
    static const char *const names[] = {
        [YAML_NULL] = "nothing", [YAML_BOOL] = "a boolean", [YAML_INTEGER] = "a whole number",
        [YAML_FLOAT] = "a number", [YAML_TEXT] = "text", [YAML_LIST] = "a list",
        [YAML_MAP] = "a map",
    };

    return names[node->type];
}
