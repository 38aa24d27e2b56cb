/* torchbin_nested.c - walk through what a pickle holds, for tensors by their path and for values.
 *
 * One container may stand in many places of a pickle, and in itself: depth and the number of values
 * that are looked at are bounded, so that a small file can neither fill the stack nor take forever. */
#include "torchbin_nested.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/torchbin_container.h"

enum {
    DEPTH_MAX = 16,
    DIGITS_MAX = 9,               /* behind the root */
    VISITS_MAX = 4 * 1000 * 1000, /* values that are looked at for tensors */
    VALUES_MAX = 100 * 1000,      /* values that are given back */
    MEMBERS_MAX = 4096,           /* of one dictionary that is given back */
    NAME_BYTES_MAX = 4096,        /* of a tensor, with the way to it */
    TEXT_BYTES_MAX = 16 * 1024 * 1024, /* of all texts that are given back */
};

/* ---- tensors ---- */

struct walk {
    const struct torchbin_source *source;
    struct buffer path;
    size_t n_visits, n_tensors;
    struct error *err;
};

static int walk_dict(struct walk *walk, const struct pickle_node *dict, size_t depth);

static int visit(struct walk *walk, const struct pickle_value *value, size_t depth)
{
    if (walk->n_visits++ == VISITS_MAX)
        return error_set(walk->err, ERROR_FORMAT, "more than %d values in its dictionaries",
                         VISITS_MAX);
    if (torchbin_is_tensor(value)) {
        if (walk->n_tensors++ == TORCHBIN_TENSORS_MAX)
            return error_set(walk->err, ERROR_FORMAT, "more than %d tensors",
                             TORCHBIN_TENSORS_MAX);
        return torchbin_add_tensor(walk->source, walk->path.data, walk->path.size, value,
                                   walk->err);
    }
    if (value->kind != PICKLE_DICT)
        return 0;
    if (depth == DEPTH_MAX)
        return error_set(walk->err, ERROR_FORMAT, "'" ERROR_NAME "': dictionaries are nested "
                         "deeper than %d", walk->path.data, DEPTH_MAX);
    return walk_dict(walk, value->node, depth + 1);
}

/* Keys that are no texts lead to no parameter. */
static int walk_dict(struct walk *walk, const struct pickle_node *dict, size_t depth)
{
    size_t length = walk->path.size;

    for (size_t i = 0; i < dict->n_items; i += 2) {
        const struct pickle_value *key = &dict->items[i];

        if (!pickle_is_text(key))
            continue;
        if (length + 1 + key->length > NAME_BYTES_MAX)
            return error_set(walk->err, ERROR_FORMAT, "'%.*s…': a name of more than %d bytes",
                             SHOWN(key->text, key->length), NAME_BYTES_MAX);
        if (torchbin_check_name(key, walk->err))
            return -1;
        walk->path.size = length;
        if (length)
            buffer_add_char(&walk->path, '.');
        buffer_add(&walk->path, key->text, key->length);
        if (visit(walk, key + 1, depth))
            return -1;
    }
    return 0;
}

/* "model", "model0", … */
static bool is_root(const struct pickle_value *key, const char *root)
{
    size_t length = strlen(root);

    if (!pickle_is_text(key) || key->length < length ||
        key->length > length + DIGITS_MAX || memcmp(key->text, root, length) != 0)
        return false;
    for (size_t i = length; i < key->length; i++)
        if (key->text[i] < '0' || key->text[i] > '9')
            return false;
    return true;
}

static int add_tensors(const struct torchbin_source *source, const struct pickle_node *top,
                       const char *root, struct error *err)
{
    struct walk walk = {.source = source, .err = err};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < top->n_items; i += 2) {
        if (!is_root(&top->items[i], root))
            continue;
        buffer_clear(&walk.path);
        buffer_add(&walk.path, top->items[i].text, top->items[i].length);
        rc = visit(&walk, &top->items[i + 1], 0);
    }
    buffer_release(&walk.path);
    return rc;
}

/* ---- values ---- */

struct conversion {
    size_t n_values, n_bytes;
    struct error *err;
};

static cJSON *convert(struct conversion *conversion, const struct pickle_value *value,
                      size_t depth);

static cJSON *need(cJSON *json)
{
    if (!json)
        memory_exhausted();
    return json;
}

static cJSON *convert_text(struct conversion *conversion, const struct pickle_value *value)
{
    char *text;
    cJSON *json;

    if (value->length > TEXT_BYTES_MAX - conversion->n_bytes) {
        error_set(conversion->err, ERROR_FORMAT, "more than %d bytes of texts", TEXT_BYTES_MAX);
        return NULL;
    }
    conversion->n_bytes += value->length;
    if (memchr(value->text, '\0', value->length)) {
        error_set(conversion->err, ERROR_FORMAT, "a NUL in the text '%.*s…'",
                  SHOWN(value->text, value->length));
        return NULL;
    }
    text = memory_format("%.*s", (int)value->length, value->text);
    json = need(cJSON_CreateString(text));
    free(text);
    return json;
}

static cJSON *convert_list(struct conversion *conversion, const struct pickle_node *list,
                           size_t depth)
{
    cJSON *json = need(cJSON_CreateArray());

    for (size_t i = 0; i < list->n_items; i++) {
        cJSON *item = convert(conversion, &list->items[i], depth + 1);

        if (!item) {
            cJSON_Delete(json);
            return NULL;
        }
        cJSON_AddItemToArray(json, item);
    }
    return json;
}

/* Of repeated keys the last one counts, as in Python. */
static int add_member(struct conversion *conversion, cJSON *object,
                      const struct pickle_value *key, const struct pickle_value *value,
                      size_t depth)
{
    cJSON *name = convert_text(conversion, key);
    cJSON *item = name ? convert(conversion, value, depth + 1) : NULL;

    if (item) {
        cJSON_DeleteItemFromObjectCaseSensitive(object, name->valuestring);
        cJSON_AddItemToObject(object, name->valuestring, item);
    }
    cJSON_Delete(name);
    return item ? 0 : -1;
}

static cJSON *convert_dict(struct conversion *conversion, const struct pickle_node *dict,
                           size_t depth)
{
    cJSON *json = need(cJSON_CreateObject());

    if (dict->n_items / 2 > MEMBERS_MAX) {
        error_set(conversion->err, ERROR_FORMAT, "a dictionary of %zu values, more than the limit "
                  "of %d", dict->n_items / 2, MEMBERS_MAX);
        cJSON_Delete(json);
        return NULL;
    }
    for (size_t i = 0; i < dict->n_items; i += 2)
        if (pickle_is_text(&dict->items[i]) &&
            add_member(conversion, json, &dict->items[i], &dict->items[i + 1], depth)) {
            cJSON_Delete(json);
            return NULL;
        }
    return json;
}

/* "torch.bfloat16", "signal.Signals" */
static cJSON *convert_name(const struct pickle_global *global)
{
    char *name = memory_format("%s.%s", global->module, global->name);
    cJSON *json = need(cJSON_CreateString(name));

    free(name);
    return json;
}

static cJSON *convert(struct conversion *conversion, const struct pickle_value *value,
                      size_t depth)
{
    if (conversion->n_values++ == VALUES_MAX) {
        error_set(conversion->err, ERROR_FORMAT, "more than %d values", VALUES_MAX);
        return NULL;
    }
    if (depth > DEPTH_MAX) {
        error_set(conversion->err, ERROR_FORMAT, "values are nested deeper than %d", DEPTH_MAX);
        return NULL;
    }
    switch (value->kind) {
    case PICKLE_BOOL: return need(cJSON_CreateBool(value->integer != 0));
    case PICKLE_INTEGER: return need(cJSON_CreateNumber((double)value->integer));
    case PICKLE_FLOAT: return need(cJSON_CreateNumber(value->number));
    case PICKLE_STRING:
    case PICKLE_BYTES: return convert_text(conversion, value);
    case PICKLE_TUPLE:
    case PICKLE_LIST:
    case PICKLE_SET: return convert_list(conversion, value->node, depth);
    case PICKLE_DICT: return convert_dict(conversion, value->node, depth);
    case PICKLE_GLOBAL: return convert_name(value->global);
    case PICKLE_OBJECT: return convert_name(value->node->maker);
    case PICKLE_BIG: return need(cJSON_CreateNumber(INFINITY));
    case PICKLE_NOTHING:
    case PICKLE_NONE:
    case PICKLE_PERSISTENT: break;
    }
    return need(cJSON_CreateNull());
}

static cJSON *find_values(const struct pickle_node *top, const char *const *wanted,
                          struct error *err)
{
    struct conversion conversion = {.err = err};
    cJSON *values = need(cJSON_CreateObject());

    for (size_t i = 0; wanted[i]; i++) {
        const struct pickle_value *found = pickle_find(top, wanted[i]);
        cJSON *value = found ? convert(&conversion, found, 0) : NULL;

        if (found && !value) {
            error_context(err, "'%s'", wanted[i]);
            cJSON_Delete(values);
            return NULL;
        }
        if (value)
            cJSON_AddItemToObject(values, wanted[i], value);
    }
    return values;
}

/* ---- both ---- */

struct wish {
    struct torchbin_taker taker;
    const char *root;
    const char *const *wanted;
    cJSON *values;
};

static int take(struct torchbin_taker *taker, const struct torchbin_source *source,
                const struct pickle_value *result, struct error *err)
{
    struct wish *wish = (struct wish *)taker;

    if (result->kind != PICKLE_DICT)
        return error_set(err, ERROR_FORMAT, "what it holds is not a dictionary");
    cJSON_Delete(wish->values); /* of a first try with the same file */
    wish->values = find_values(result->node, wish->wanted, err);
    return wish->values ? add_tensors(source, result->node, wish->root, err) : -1;
}

int torchbin_read_nested(struct checkpoint *checkpoint, size_t file, const char *root,
                         const char *const *wanted, cJSON **values, struct error *err)
{
    struct wish wish = {{take}, root, wanted, NULL};
    int rc = torchbin_read(checkpoint, file, &wish.taker, err);

    if (rc) {
        cJSON_Delete(wish.values);
        wish.values = NULL;
    }
    *values = wish.values;
    return rc;
}
