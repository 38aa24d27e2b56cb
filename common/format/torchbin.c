/* torchbin.c - read PyTorch .bin checkpoints without Python.
 *
 * Since 1.6 torch.save writes a zip: one pickle describes the tensors, one entry per storage holds
 * raw bytes. Before, it wrote a stream: five pickles, then the storages one behind the other. In
 * both the pickle says "call _rebuild_tensor_v2 with this storage, offset, size and stride". We
 * call nothing: pickle.c gives us the call as data, the table below says what the names mean, and
 * any other name refuses the file. A hostile file can be refused, it cannot run code.
 *
 * Source: torch/serialization.py, torch/_utils.py, torch/_weights_only_unpickler.py (2.x). */
#include "checkpoint_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "format/pickle.h"
#include "format/zip.h"

enum {
    LEGACY_PROTOCOL = 1001,
    N_STORAGE_ID = 5, /* fields of a persistent id */
    N_LEGACY_STORAGE_ID = 6,
    N_TENSORS_MAX = 1000 * 1000, /* in one file */
};

/* 0x1950a86a20f9469cfc6c, as pickle writes it behind LONG1. */
static const char legacy_magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
enum { LEGACY_MAGIC_BYTES = sizeof legacy_magic - 1 };

/* ---- the names that may occur ---- */

enum role {
    ROLE_OTHER,     /* harmless, and nothing to us */
    /* A tensor from (storage, offset, shape, strides, requires_grad, hooks, dtype). Each version
     * gives more of them, and behind them perhaps metadata; .detail is how many. */
    ROLE_TENSOR,
    ROLE_PARAMETER, /* its first argument is the tensor */
    ROLE_SIZE,      /* torch.Size(tuple) */
    ROLE_STORAGE,   /* .detail is the dtype */
    ROLE_DTYPE,     /* .detail is the dtype */
};

enum { N_ARGUMENTS = 4, N_ARGUMENTS_V2 = 6, N_ARGUMENTS_V3 = 7 }; /* of ROLE_TENSOR */

#define CALL(module, name, role) {module, name, PICKLE_GIVES_OBJECT, NULL, role, 0}
#define TENSOR(name, n_arguments) \
    {"torch._utils", name, PICKLE_GIVES_OBJECT, NULL, ROLE_TENSOR, n_arguments}
#define STORAGE(name, dtype) {"torch", name, PICKLE_NOT_CALLABLE, NULL, ROLE_STORAGE, dtype}
#define TYPE(name, dtype) {"torch", name, PICKLE_NOT_CALLABLE, NULL, ROLE_DTYPE, dtype}
#define UNSUPPORTED(module, name, what) {module, name, PICKLE_NOT_CALLABLE, what, ROLE_OTHER, 0}

static const struct pickle_global globals[] = {
    {"collections", "OrderedDict", PICKLE_GIVES_DICT, NULL, ROLE_OTHER, 0},
    TENSOR("_rebuild_tensor", N_ARGUMENTS),
    TENSOR("_rebuild_tensor_v2", N_ARGUMENTS_V2),
    TENSOR("_rebuild_tensor_v3", N_ARGUMENTS_V3),
    CALL("torch._utils", "_rebuild_parameter", ROLE_PARAMETER),
    CALL("torch._utils", "_rebuild_parameter_with_state", ROLE_PARAMETER),
    CALL("torch.nn.parameter", "Parameter", ROLE_PARAMETER),
    CALL("torch", "Size", ROLE_SIZE),
    CALL("torch", "device", ROLE_OTHER),
    CALL("_codecs", "encode", ROLE_OTHER),
    CALL("builtins", "set", ROLE_OTHER),
    CALL("builtins", "bytearray", ROLE_OTHER),
    CALL("builtins", "complex", ROLE_OTHER),
    /* Protocol 2 calls the module as Python 2 did. */
    CALL("__builtin__", "set", ROLE_OTHER),
    CALL("__builtin__", "bytearray", ROLE_OTHER),
    CALL("__builtin__", "complex", ROLE_OTHER),

    STORAGE("DoubleStorage", DTYPE_F64),
    STORAGE("FloatStorage", DTYPE_F32),
    STORAGE("HalfStorage", DTYPE_F16),
    STORAGE("BFloat16Storage", DTYPE_BF16),
    STORAGE("LongStorage", DTYPE_I64),
    STORAGE("IntStorage", DTYPE_I32),
    STORAGE("ShortStorage", DTYPE_I16),
    STORAGE("CharStorage", DTYPE_I8),
    STORAGE("ByteStorage", DTYPE_U8),
    STORAGE("BoolStorage", DTYPE_BOOL),
    STORAGE("ComplexFloatStorage", DTYPE_C64),
    STORAGE("ComplexDoubleStorage", DTYPE_C128),
    STORAGE("UntypedStorage", DTYPE_U8),
    {"torch.storage", "UntypedStorage", PICKLE_NOT_CALLABLE, NULL, ROLE_STORAGE, DTYPE_U8},
    {"torch.storage", "TypedStorage", PICKLE_NOT_CALLABLE, NULL, ROLE_OTHER, 0},

    TYPE("float64", DTYPE_F64),
    TYPE("float32", DTYPE_F32),
    TYPE("float16", DTYPE_F16),
    TYPE("bfloat16", DTYPE_BF16),
    TYPE("float8_e4m3fn", DTYPE_F8_E4M3),
    TYPE("float8_e5m2", DTYPE_F8_E5M2),
    TYPE("float8_e4m3fnuz", DTYPE_F8_E4M3FNUZ),
    TYPE("float8_e5m2fnuz", DTYPE_F8_E5M2FNUZ),
    TYPE("float8_e8m0fnu", DTYPE_F8_E8M0),
    TYPE("int64", DTYPE_I64),
    TYPE("int32", DTYPE_I32),
    TYPE("int16", DTYPE_I16),
    TYPE("int8", DTYPE_I8),
    TYPE("uint64", DTYPE_U64),
    TYPE("uint32", DTYPE_U32),
    TYPE("uint16", DTYPE_U16),
    TYPE("uint8", DTYPE_U8),
    TYPE("bool", DTYPE_BOOL),
    TYPE("complex64", DTYPE_C64),
    TYPE("complex128", DTYPE_C128),

    UNSUPPORTED("torch", "QInt8Storage", "quantised storages are"),
    UNSUPPORTED("torch", "QUInt8Storage", "quantised storages are"),
    UNSUPPORTED("torch", "QInt32Storage", "quantised storages are"),
    UNSUPPORTED("torch", "QUInt4x2Storage", "quantised storages are"),
    UNSUPPORTED("torch", "QUInt2x4Storage", "quantised storages are"),
    UNSUPPORTED("torch", "float4_e2m1fn_x2", "two values in a byte are"),
    UNSUPPORTED("torch", "complex32", "this dtype is"),
    UNSUPPORTED("torch._utils", "_rebuild_qtensor", "quantised tensors are"),
    UNSUPPORTED("torch._utils", "_rebuild_sparse_tensor", "sparse tensors are"),
    UNSUPPORTED("torch._utils", "_rebuild_sparse_csr_tensor", "sparse tensors are"),
    UNSUPPORTED("torch._utils", "_rebuild_nested_tensor", "nested tensors are"),
    UNSUPPORTED("torch._utils", "_rebuild_meta_tensor_no_storage", "tensors without data are"),
    UNSUPPORTED("torch._utils", "_rebuild_wrapper_subclass", "subclasses of tensors are"),
    UNSUPPORTED("torch._tensor", "_rebuild_from_type_v2", "tensors with attributes are"),
    UNSUPPORTED("torch.serialization", "_get_layout", "sparse tensors are"),
};

/* ---- what is read ---- */

struct storage {
    const char *key; /* as in the persistent id; points into the pickle */
    size_t key_length;
    enum dtype dtype;
    size_t n_items, size_bytes; /* as the persistent id says */
    bool is_located;
    size_t offset; /* in the file, once it is located */
};

/* What a persistent id stands for: a storage, or a range of one (which only the old stream has). */
struct storage_view {
    size_t storage; /* index */
    size_t first, n_items;
};

struct source {
    struct checkpoint *checkpoint;
    size_t file_index;
    const struct file *file;
    struct zip *zip;      /* NULL for the old stream */
    struct buffer prefix; /* of the names in the zip: "archive/" */
    struct storage *storages;
    size_t n_storages, storages_capacity;
    struct hash_map by_key; /* of storages */
};

static void source_release(struct source *source)
{
    zip_close(source->zip);
    buffer_release(&source->prefix);
    hash_map_release(&source->by_key);
    free(source->storages);
    *source = (struct source){0};
}

/* Two arguments for %.*s: texts of a pickle have no NUL behind them. */
#define SHOWN(text, length) (int)((length) < 160 ? (length) : 160), (text)

/* ---- values of the pickle ---- */

static bool is_text(const struct pickle_value *value)
{
    return value->kind == PICKLE_STRING || value->kind == PICKLE_BYTES;
}

static int get_size(const struct pickle_value *value, const char *what, size_t *size,
                    struct error *err)
{
    bool is_big = value->kind == PICKLE_BIG;

    if (value->kind != PICKLE_INTEGER && !is_big)
        return error_set(err, ERROR_FORMAT, "%s is not a whole number", what);
    if (is_big ? value->text[value->length - 1] & 0x80 : value->integer < 0)
        return error_set(err, ERROR_FORMAT, "%s is negative", what);
    if (is_big)
        return error_set(err, ERROR_FORMAT, "%s is too large for 63 bits", what);
    *size = (size_t)value->integer;
    return 0;
}

static int get_sizes(const struct pickle_value *value, const char *what,
                     size_t sizes[TENSOR_DIMS_MAX], size_t *n_sizes, struct error *err)
{
    const struct pickle_node *tuple = NULL;

    if (value->kind == PICKLE_OBJECT && value->node->maker->role == ROLE_SIZE &&
        value->node->n_items == 1)
        value = &value->node->items[0];
    if (value->kind == PICKLE_TUPLE)
        tuple = value->node;
    if (!tuple)
        return error_set(err, ERROR_FORMAT, "its %s is not a tuple", what);
    if (tuple->n_items > TENSOR_DIMS_MAX)
        return error_set(err, ERROR_FORMAT, "its %s has %zu dimensions, more than the limit of %d",
                         what, tuple->n_items, TENSOR_DIMS_MAX);
    for (size_t i = 0; i < tuple->n_items; i++)
        if (get_size(&tuple->items[i], "a number", &sizes[i], err))
            return error_context(err, "its %s", what);
    *n_sizes = tuple->n_items;
    return 0;
}

static bool is_tensor(const struct pickle_value *value)
{
    int role = value->kind == PICKLE_OBJECT ? value->node->maker->role : ROLE_OTHER;

    return role == ROLE_TENSOR || role == ROLE_PARAMETER;
}

/* ---- storages ---- */

/* Finds or adds the storage of this key. Ids of one storage must agree. */
static int add_storage(struct source *source, const struct storage *found, size_t *index,
                       struct error *err)
{
    const struct storage *known;

    *index = hash_map_add(&source->by_key, found->key, found->key_length, source->n_storages);
    if (*index < source->n_storages) {
        known = &source->storages[*index];
        if (known->dtype != found->dtype || known->n_items != found->n_items)
            return error_set(err, ERROR_FORMAT, "storage '%.*s' has %zu items of %s here and %zu "
                             "of %s elsewhere", SHOWN(found->key, found->key_length),
                             found->n_items, dtype_info(found->dtype)->name, known->n_items,
                             dtype_info(known->dtype)->name);
        return 0;
    }
    if (source->n_storages == source->storages_capacity) {
        source->storages_capacity = source->storages_capacity ? 2 * source->storages_capacity : 64;
        source->storages = memory_resize(source->storages, source->storages_capacity,
                                         sizeof *source->storages);
    }
    source->storages[source->n_storages++] = *found;
    return 0;
}

/* ("storage", type, key, location, number of items[, view]) */
static int read_storage_id(const struct pickle_node *id, size_t n_fields, struct storage *storage,
                           struct error *err)
{
    const struct pickle_value *fields = id->items;

    if (id->n_items == 0 || !is_text(&fields[0]))
        return error_set(err, ERROR_FORMAT, "it does not begin with a text");
    if (!pickle_is(&fields[0], "storage"))
        return error_set(err, ERROR_FORMAT, "it is a '%.*s', not a 'storage'",
                         SHOWN(fields[0].text, fields[0].length));
    if (id->n_items != n_fields)
        return error_set(err, ERROR_FORMAT, "it has %zu fields, not %zu", id->n_items, n_fields);
    if (fields[1].kind != PICKLE_GLOBAL || fields[1].global->role != ROLE_STORAGE)
        return error_set(err, ERROR_FORMAT, "its second field is not a storage type");
    if (!is_text(&fields[2]))
        return error_set(err, ERROR_FORMAT, "its key is not a text");
    storage->key = fields[2].text;
    storage->key_length = fields[2].length;
    storage->dtype = (enum dtype)fields[1].global->detail;
    if (get_size(&fields[4], "its number of items", &storage->n_items, err))
        return -1;
    if (dtype_bytes(storage->dtype, storage->n_items, &storage->size_bytes))
        return error_set(err, ERROR_FORMAT, "the size of its %zu items of %s overflows",
                         storage->n_items, dtype_info(storage->dtype)->name);
    return 0;
}

/* None or (key, first, number of items). The key would find the view again; we need no such memory
 * because a view is two numbers. */
static int read_view(const struct pickle_value *value, struct storage_view *view, struct error *err)
{
    size_t n_items = view->n_items;

    if (value->kind == PICKLE_NONE)
        return 0;
    if (value->kind != PICKLE_TUPLE || value->node->n_items != 3)
        return error_set(err, ERROR_FORMAT, "its view is not a tuple of three");
    if (get_size(&value->node->items[1], "the start of its view", &view->first, err) ||
        get_size(&value->node->items[2], "the size of its view", &view->n_items, err))
        return -1;
    if (view->first > n_items || view->n_items > n_items - view->first)
        return error_set(err, ERROR_FORMAT, "its view of %zu items from item %zu on reaches past "
                         "the end of its storage of %zu", view->n_items, view->first, n_items);
    return 0;
}

static const void *make_storage_view(void *context, struct pickle *pickle,
                                     const struct pickle_value *id, struct error *err)
{
    struct source *source = context;
    size_t n_fields = source->zip ? N_STORAGE_ID : N_LEGACY_STORAGE_ID;
    struct storage storage = {0};
    struct storage_view *view = pickle_alloc(pickle, sizeof *view, err);

    if (!view)
        return NULL;
    if (id->kind != PICKLE_TUPLE) {
        error_set(err, ERROR_FORMAT, "the persistent id is not a tuple");
        return NULL;
    }
    if (read_storage_id(id->node, n_fields, &storage, err) ||
        add_storage(source, &storage, &view->storage, err)) {
        error_context(err, "persistent id");
        return NULL;
    }
    view->n_items = storage.n_items;
    if (n_fields == N_LEGACY_STORAGE_ID && read_view(&id->node->items[5], view, err)) {
        error_context(err, "persistent id");
        return NULL;
    }
    return view;
}

/* Whether the entry `name` (NULL: there is none) can be the storage. */
static int check_storage_entry(const struct zip_entry *entry, const char *name,
                               const struct storage *storage, struct error *err)
{
    if (!entry)
        return error_set(err, ERROR_FORMAT, "its storage '" ERROR_NAME "' is not in the archive",
                         name);
    if (zip_check_plain(entry, err))
        return -1;
    if (entry->size_bytes < storage->size_bytes)
        return error_set(err, ERROR_FORMAT, "its storage '" ERROR_NAME "' has %zu bytes and needs "
                         "%zu bytes for %zu items of %s", name, entry->size_bytes,
                         storage->size_bytes, storage->n_items, dtype_info(storage->dtype)->name);
    return 0;
}

static int locate_in_zip(const struct source *source, struct storage *storage, struct error *err)
{
    struct buffer name = {0};
    const struct zip_entry *entry;
    int rc;

    buffer_add(&name, source->prefix.data, source->prefix.size);
    buffer_add_text(&name, "data/");
    buffer_add(&name, storage->key, storage->key_length);
    entry = zip_find(source->zip, name.data, name.size);
    rc = check_storage_entry(entry, name.data, storage, err);
    if (!rc) {
        storage->offset = entry->offset;
        storage->is_located = true;
    }
    buffer_release(&name);
    return rc;
}

static int locate(const struct source *source, struct storage *storage, struct error *err)
{
    if (storage->is_located)
        return 0;
    if (source->zip)
        return locate_in_zip(source, storage, err);
    return error_set(err, ERROR_FORMAT, "its storage '%.*s' is not listed behind the pickles",
                     SHOWN(storage->key, storage->key_length));
}

/* ---- tensors ---- */

/* The arguments of a rebuild call, by name. */
struct rebuild {
    const struct pickle_value *storage, *offset, *shape, *strides;
    const struct pickle_value *dtype, *metadata; /* NULL: not given */
};

static int check_arguments(const struct pickle_node *call, struct error *err)
{
    size_t n_fixed = (size_t)call->maker->detail, n = call->n_items;
    size_t n_metadata = n_fixed == N_ARGUMENTS ? 0 : 1;

    if (n < n_fixed || n > n_fixed + n_metadata)
        return error_set(err, ERROR_FORMAT, "%s got %zu arguments, not %zu", call->maker->name, n,
                         n_fixed);
    return 0;
}

static struct rebuild name_arguments(const struct pickle_node *call)
{
    const struct pickle_value *arguments = call->items;
    size_t n_fixed = (size_t)call->maker->detail;

    return (struct rebuild){
        .storage = &arguments[0],
        .offset = &arguments[1],
        .shape = &arguments[2],
        .strides = &arguments[3],
        .dtype = n_fixed == N_ARGUMENTS_V3 ? &arguments[6] : NULL,
        .metadata = call->n_items > n_fixed ? &arguments[n_fixed] : NULL,
    };
}

/* Flags that change what the bytes mean. Torch writes only those that are set. */
static int check_metadata(const struct pickle_value *metadata, struct error *err)
{
    if (!metadata || metadata->kind == PICKLE_NONE)
        return 0;
    if (metadata->kind != PICKLE_DICT)
        return error_set(err, ERROR_FORMAT, "its metadata is not a dictionary");
    for (size_t i = 0; i < metadata->node->n_items; i += 2) {
        const struct pickle_value *key = &metadata->node->items[i], *value = key + 1;

        if (value->kind == PICKLE_BOOL && !value->integer)
            continue;
        if (is_text(key))
            return error_set(err, ERROR_UNSUPPORTED, "its %.*s bit is set, which is not supported",
                             SHOWN(key->text, key->length));
        return error_set(err, ERROR_FORMAT, "a key of its metadata is not a text");
    }
    return 0;
}

static bool is_dense(const struct tensor *tensor)
{
    size_t expected = 1;

    for (size_t i = tensor->n_dims; i > 0; i--) {
        size_t size = tensor->shape[i - 1];

        if (size == 1)
            continue; /* its stride is never used */
        if (tensor->strides[i - 1] != expected ||
            __builtin_mul_overflow(expected, size, &expected))
            return false;
    }
    return true;
}

static bool has_items(const struct tensor *tensor)
{
    for (size_t i = 0; i < tensor->n_dims; i++)
        if (tensor->shape[i] == 0)
            return false;
    return true;
}

/* The last item of a tensor that has some must lie in its storage; then all do. */
static int check_reach(const struct tensor *tensor, size_t first, size_t n_items, struct error *err)
{
    size_t last = first, distance;

    for (size_t i = 0; i < tensor->n_dims; i++)
        if (__builtin_mul_overflow(tensor->shape[i] - 1, tensor->strides[i], &distance) ||
            __builtin_add_overflow(last, distance, &last))
            return error_set(err, ERROR_FORMAT, "the place of its last item overflows");
    if (last >= n_items)
        return error_set(err, ERROR_FORMAT, "its last item, number %zu, lies past the end of its "
                         "storage, which has %zu", last, n_items);
    return 0;
}

/* Sets dtype, offset and strides of a tensor whose shape and strides have been read. */
static int place_tensor(const struct source *source, const struct storage_view *view,
                        const struct rebuild *rebuild, struct tensor *tensor, struct error *err)
{
    struct storage *storage = &source->storages[view->storage];
    size_t view_item = dtype_info(storage->dtype)->n_bits / 8, item, first = 0;

    tensor->dtype = storage->dtype;
    if (rebuild->dtype) {
        if (rebuild->dtype->kind != PICKLE_GLOBAL || rebuild->dtype->global->role != ROLE_DTYPE)
            return error_set(err, ERROR_FORMAT, "its dtype is not a dtype");
        tensor->dtype = (enum dtype)rebuild->dtype->global->detail;
    }
    item = dtype_info(tensor->dtype)->n_bits / 8;
    if (get_size(rebuild->offset, "its storage offset", &first, err) ||
        locate(source, storage, err))
        return -1;

    /* Nothing overflows here: the storage lies in the file, and the view in the storage. */
    tensor->offset = storage->offset + view->first * view_item;
    if (!has_items(tensor)) {
        tensor->strides = NULL; /* and the offset of nothing may be anything */
        return 0;
    }
    if (check_reach(tensor, first, view->n_items * view_item / item, err))
        return -1;
    tensor->offset += first * item;
    if (is_dense(tensor))
        tensor->strides = NULL;
    return 0;
}

static int read_tensor(const struct source *source, const struct pickle_value *value,
                       struct tensor *tensor, size_t shape[TENSOR_DIMS_MAX],
                       size_t strides[TENSOR_DIMS_MAX], struct error *err)
{
    struct rebuild rebuild;
    size_t n_strides = 0;

    if (value->node->maker->role == ROLE_PARAMETER) {
        if (value->node->n_items == 0)
            return error_set(err, ERROR_FORMAT, "%s got 0 arguments", value->node->maker->name);
        value = &value->node->items[0];
    }
    if (!is_tensor(value) || value->node->maker->role != ROLE_TENSOR)
        return error_set(err, ERROR_FORMAT, "what a parameter is made from is not a tensor");
    if (check_arguments(value->node, err))
        return -1;
    rebuild = name_arguments(value->node);
    if (rebuild.storage->kind != PICKLE_PERSISTENT)
        return error_set(err, ERROR_FORMAT, "what it is made from is not a storage");
    if (check_metadata(rebuild.metadata, err) ||
        get_sizes(rebuild.shape, "shape", shape, &tensor->n_dims, err) ||
        get_sizes(rebuild.strides, "stride", strides, &n_strides, err))
        return -1;
    if (n_strides != tensor->n_dims)
        return error_set(err, ERROR_FORMAT, "%zu strides for %zu dimensions", n_strides,
                         tensor->n_dims);
    tensor->shape = shape;
    tensor->strides = strides;
    return place_tensor(source, rebuild.storage->persistent, &rebuild, tensor, err);
}

static int check_name(const struct pickle_value *name, struct error *err)
{
    size_t valid;

    if (!is_text(name))
        return error_set(err, ERROR_FORMAT, "the name of a tensor is not a text");
    valid = utf8_valid_prefix(name->text, name->length);
    if (valid == name->length)
        return 0;
    return error_set(err, ERROR_FORMAT, "tensor '%.*s': %s at byte %zu of its name",
                     SHOWN(name->text, name->length),
                     name->kind == PICKLE_STRING ? "a lone surrogate" : "no UTF-8", valid);
}

static int add_tensor(const struct source *source, const struct pickle_value *name,
                      const struct pickle_value *value, struct error *err)
{
    size_t shape[TENSOR_DIMS_MAX], strides[TENSOR_DIMS_MAX];
    struct tensor tensor = {
        .source = source->checkpoint->files[source->file_index].source};

    if (check_name(name, err))
        return -1;
    tensor.name = name->text;
    if (read_tensor(source, value, &tensor, shape, strides, err))
        return error_context(err, "tensor '%.*s'", SHOWN(name->text, name->length));
    return checkpoint_add_tensor(source->checkpoint, &tensor, name->length, err);
}

/* ---- the state dict ---- */

enum { HOLDS_TENSORS = 1, HOLDS_NONE }; /* notes on nodes */

/* Whether a container holds a tensor directly. The answer is noted down, because a small pickle can
 * hold one large list a million times. */
static bool holds_tensors(const struct pickle_value *value)
{
    bool is_container = value->kind == PICKLE_TUPLE || value->kind == PICKLE_LIST ||
                        value->kind == PICKLE_DICT || value->kind == PICKLE_SET;

    if (!is_container)
        return false;
    if (!value->node->note) {
        value->node->note = HOLDS_NONE;
        for (size_t i = 0; i < value->node->n_items; i++)
            if (is_tensor(&value->node->items[i]))
                value->node->note = HOLDS_TENSORS;
    }
    return value->node->note == HOLDS_TENSORS;
}

/* The dictionary of tensors: the result itself, or what stands in it under a usual name. When two
 * places hold tensors, we refuse to guess. */
static const struct pickle_node *find_state_dict(const struct pickle_value *result,
                                                 struct error *err)
{
    static const char *const names[] = {"state_dict", "model", "module", "model_state_dict"};
    const char *where = NULL;
    const struct pickle_node *found = NULL;

    if (result->kind != PICKLE_DICT) {
        error_set(err, ERROR_FORMAT, "what it holds is not a dictionary of tensors");
        return NULL;
    }
    if (holds_tensors(result)) {
        found = result->node;
        where = "top level";
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct pickle_value *inner = pickle_find(result->node, names[i]);

        if (!inner || inner->kind != PICKLE_DICT || !holds_tensors(inner))
            continue;
        if (found) {
            error_set(err, ERROR_FORMAT, "tensors both in '%s' and in '%s'; which of them are the "
                      "weights?", where, names[i]);
            return NULL;
        }
        found = inner->node;
        where = names[i];
    }
    if (!found)
        error_set(err, ERROR_FORMAT, "no tensors in it, nor under 'state_dict', 'model', 'module' "
                  "or 'model_state_dict'");
    return found;
}

/* Numbers, texts and None beside the tensors (counters, versions) are of no use to us. */
static int add_state_dict(const struct source *source, const struct pickle_value *result,
                          struct error *err)
{
    const struct pickle_node *dict = find_state_dict(result, err);
    size_t n_tensors = 0;

    if (!dict)
        return -1;
    for (size_t i = 0; i < dict->n_items; i += 2) {
        const struct pickle_value *name = &dict->items[i], *value = name + 1;

        if (is_tensor(value) && n_tensors++ == N_TENSORS_MAX)
            return error_set(err, ERROR_FORMAT, "more than %d tensors", N_TENSORS_MAX);
        if (is_tensor(value) && add_tensor(source, name, value, err))
            return -1;
        if (holds_tensors(value))
            return error_set(err, ERROR_FORMAT, "'%.*s' holds tensors, but only those directly in "
                             "the state dict can be read",
                             SHOWN(is_text(name) ? name->text : "", is_text(name) ? name->length
                                                                                  : (size_t)0));
    }
    return 0;
}

/* ---- the zip ---- */

static const struct zip_entry *find_part(const struct source *source, const char *name)
{
    struct buffer path = {0};
    const struct zip_entry *entry;

    buffer_add(&path, source->prefix.data, source->prefix.size);
    buffer_add_text(&path, name);
    entry = zip_find(source->zip, path.data, path.size);
    buffer_release(&path);
    return entry;
}

/* All names begin with one folder, called after the file or "archive". */
static void find_prefix(struct source *source)
{
    const struct zip_entry *first = source->zip->entries;
    const char *slash = NULL;

    if (source->zip->n_entries)
        slash = memchr(first->name, '/', first->name_length);
    buffer_add(&source->prefix, slash ? first->name : "",
               slash ? (size_t)(slash - first->name) + 1 : 0);
}

static int refuse_torchscript(const struct source *source, struct error *err)
{
    bool is_script = find_part(source, "constants.pkl") != NULL;
    const struct buffer *prefix = &source->prefix;

    for (size_t i = 0; i < source->zip->n_entries && !is_script; i++) {
        const struct zip_entry *entry = &source->zip->entries[i];
        size_t left = entry->name_length < prefix->size ? 0 : entry->name_length - prefix->size;

        is_script = left >= 5 && memcmp(entry->name + prefix->size, "code/", 5) == 0;
    }
    if (!is_script)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "a TorchScript program, which is not supported; save "
                     "the state dict of the model instead");
}

/* The entry is missing in files from before 2.1, which are little-endian. */
static int check_byte_order(const struct source *source, struct error *err)
{
    enum { LONGEST = 64 };
    const struct zip_entry *entry = find_part(source, "byteorder");
    char *order;
    int rc = 0;

    if (!entry)
        return 0;
    order = zip_read(source->zip, entry, LONGEST, err);
    if (!order)
        return -1;
    if (entry->size_bytes == 3 && memcmp(order, "big", 3) == 0)
        rc = error_set(err, ERROR_UNSUPPORTED, "big-endian files are not supported");
    else if (entry->size_bytes != 6 || memcmp(order, "little", 6) != 0)
        rc = error_set(err, ERROR_FORMAT, "its byte order is '%.*s', not 'little' or 'big'",
                       (int)entry->size_bytes, order);
    free(order);
    return rc;
}

static int read_zip_pickle(struct source *source, struct error *err)
{
    const struct pickle_rules rules = {globals, sizeof globals / sizeof *globals, make_storage_view,
                                       source};
    const struct zip_entry *entry = find_part(source, "data.pkl");
    struct pickle pickle = {0};
    char *bytes;
    int rc = -1;

    if (!entry)
        return error_set(err, ERROR_FORMAT, "a zip archive without '" ERROR_NAME "data.pkl', not a "
                         "PyTorch checkpoint", source->prefix.data);
    bytes = zip_read(source->zip, entry, PICKLE_BYTES_MAX, err);
    if (bytes && !pickle_load(&pickle, &rules, bytes, entry->size_bytes, entry->offset, err))
        rc = add_state_dict(source, &pickle.result, err);
    pickle_release(&pickle);
    free(bytes);
    return rc;
}

static int read_zip(struct source *source, struct error *err)
{
    source->zip = zip_open(source->file, err);
    if (!source->zip)
        return -1;
    find_prefix(source);
    if (refuse_torchscript(source, err) || check_byte_order(source, err))
        return -1;
    return read_zip_pickle(source, err);
}

/* ---- the old stream ---- */

enum { MAGIC, PROTOCOL, SYS_INFO, OBJECT, KEYS, N_PICKLES };

struct stream {
    const char *bytes; /* the beginning of the file */
    size_t size;
    struct pickle pickles[N_PICKLES];
    size_t end; /* of the last pickle */
};

static int load_pickles(struct source *source, struct stream *stream, struct error *err)
{
    static const char *const names[] = {"magic number", "protocol version", "sys_info", "object",
                                        "storage keys"};
    struct pickle_rules rules = {globals, sizeof globals / sizeof *globals, NULL, source};

    stream->end = 0;
    for (size_t i = 0; i < N_PICKLES; i++) {
        rules.persistent = i == OBJECT ? make_storage_view : NULL;
        if (pickle_load(&stream->pickles[i], &rules, stream->bytes + stream->end,
                        stream->size - stream->end, stream->end, err))
            return error_context(err, "%s", names[i]);
        stream->end += stream->pickles[i].n_bytes;
    }
    return 0;
}

static void release_pickles(struct stream *stream)
{
    for (size_t i = 0; i < N_PICKLES; i++)
        pickle_release(&stream->pickles[i]);
}

static bool is_cut(const struct stream *stream)
{
    for (size_t i = 0; i < N_PICKLES; i++)
        if (stream->pickles[i].is_cut)
            return true;
    return false;
}

static int check_head(const struct stream *stream, struct error *err)
{
    const struct pickle_value *magic = &stream->pickles[MAGIC].result;
    const struct pickle_value *protocol = &stream->pickles[PROTOCOL].result;
    const struct pickle_value *info = &stream->pickles[SYS_INFO].result, *order;

    if (magic->kind != PICKLE_BIG || magic->length != LEGACY_MAGIC_BYTES ||
        memcmp(magic->text, legacy_magic, LEGACY_MAGIC_BYTES) != 0)
        return error_set(err, ERROR_FORMAT, "its magic number is not that of PyTorch");
    if (protocol->kind != PICKLE_INTEGER)
        return error_set(err, ERROR_FORMAT, "its protocol version is not a number");
    if (protocol->integer != LEGACY_PROTOCOL)
        return error_set(err, ERROR_FORMAT, "protocol %lld, not %d", (long long)protocol->integer,
                         LEGACY_PROTOCOL);
    if (info->kind != PICKLE_DICT)
        return error_set(err, ERROR_FORMAT, "its sys_info is not a dictionary");
    order = pickle_find(info->node, "little_endian");
    if (!order || order->kind != PICKLE_BOOL)
        return error_set(err, ERROR_FORMAT, "its sys_info does not say if it is little_endian");
    if (!order->integer)
        return error_set(err, ERROR_UNSUPPORTED, "big-endian files are not supported");
    return 0;
}

/* A storage is its number of items and their bytes. Moves *at behind it. */
static int locate_in_stream(const struct source *source, struct storage *storage, size_t *at,
                            struct error *err)
{
    unsigned char bytes[sizeof(uint64_t)];
    struct cursor cursor;
    int64_t n_items;
    size_t left = source->file->size_bytes - *at;

    if (left < sizeof bytes)
        return error_set(err, ERROR_FORMAT, "its number of items at byte %zu lies past the end of "
                         "the file at byte %zu", *at, source->file->size_bytes);
    if (file_read(source->file, *at, bytes, sizeof bytes, err))
        return -1;
    cursor_init(&cursor, bytes, sizeof bytes, *at, err);
    n_items = (int64_t)cursor_u64(&cursor);
    if (n_items < 0)
        return error_set(err, ERROR_FORMAT, "its number of items at byte %zu is negative", *at);
    if ((size_t)n_items != storage->n_items)
        return error_set(err, ERROR_FORMAT, "at byte %zu it has %lld elements, its persistent id "
                         "says %zu", *at, (long long)n_items, storage->n_items);
    if (storage->size_bytes > left - sizeof bytes)
        return error_set(err, ERROR_FORMAT, "its %zu bytes at byte %zu reach past the end of the "
                         "file at byte %zu; is the download complete?", storage->size_bytes,
                         *at + sizeof bytes, source->file->size_bytes);
    storage->offset = *at + sizeof bytes;
    storage->is_located = true;
    *at = storage->offset + storage->size_bytes;
    return 0;
}

static int locate_storages(struct source *source, const struct stream *stream, struct error *err)
{
    const struct pickle_value *keys = &stream->pickles[KEYS].result;
    size_t at = stream->end;

    if (keys->kind != PICKLE_LIST)
        return error_set(err, ERROR_FORMAT, "its storage keys are not a list");
    for (size_t i = 0; i < keys->node->n_items; i++) {
        const struct pickle_value *key = &keys->node->items[i];
        const size_t *index;
        struct storage *storage;

        if (!is_text(key))
            return error_set(err, ERROR_FORMAT, "storage key %zu is not a text", i);
        index = hash_map_find(&source->by_key, key->text, key->length);
        if (!index)
            return error_set(err, ERROR_FORMAT, "storage '%.*s' is listed, but nothing says what "
                             "it holds", SHOWN(key->text, key->length));
        storage = &source->storages[*index];
        if (storage->is_located)
            return error_set(err, ERROR_FORMAT, "duplicate storage '%.*s'",
                             SHOWN(key->text, key->length));
        if (locate_in_stream(source, storage, &at, err))
            return error_context(err, "storage '%.*s'", SHOWN(key->text, key->length));
    }
    return 0;
}

static void forget_storages(struct source *source)
{
    hash_map_release(&source->by_key);
    source->n_storages = 0;
}

/* Nothing says how long the pickles are. Their first `size` bytes are tried; *is_short says that
 * they go on behind them. */
static int try_legacy(struct source *source, size_t size, bool *is_short, struct error *err)
{
    char *bytes = memory_try(size, 1, "the beginning of a PyTorch file", err);
    struct stream stream = {.bytes = bytes, .size = size};
    int rc = -1;

    *is_short = false;
    if (!bytes || file_read(source->file, 0, bytes, size, err))
        goto done;
    if (load_pickles(source, &stream, err))
        *is_short = is_cut(&stream);
    else if (!check_head(&stream, err) && !locate_storages(source, &stream, err))
        rc = add_state_dict(source, &stream.pickles[OBJECT].result, err);
done:
    release_pickles(&stream);
    free(bytes);
    return rc;
}

static int read_legacy(struct source *source, struct error *err)
{
    enum { FIRST_TRY = 1024 * 1024, GROWTH = 8 };
    size_t file_bytes = source->file->size_bytes;
    size_t limit = file_bytes < PICKLE_BYTES_MAX ? file_bytes : PICKLE_BYTES_MAX;
    size_t size = limit < FIRST_TRY ? limit : FIRST_TRY;

    for (;;) {
        struct error failure = {0};
        bool is_short;
        int rc = try_legacy(source, size, &is_short, &failure);

        if (rc && is_short && size < limit) {
            forget_storages(source);
            size = limit / GROWTH < size ? limit : size * GROWTH;
            continue;
        }
        if (rc && is_short && size < file_bytes)
            return error_set(err, ERROR_FORMAT, "its pickles do not end within the first %zu "
                             "bytes, which is the limit", size);
        return rc ? error_set(err, failure.code, "%s", failure.text) : 0;
    }
}

/* ---- the reader ---- */

static bool begins_with(const unsigned char *head, size_t n, const char *bytes, size_t size)
{
    return n >= size && memcmp(head, bytes, size) == 0;
}

static bool is_zip(const unsigned char *head, size_t n)
{
    return begins_with(head, n, "PK\3\4", 4);
}

/* A protocol, perhaps a frame around it, and the magic number. */
static bool is_legacy(const unsigned char *head, size_t n)
{
    return n > 0 && head[0] == 0x80 && memmem(head, n, legacy_magic, LEGACY_MAGIC_BYTES);
}

static bool is_preview(const unsigned char *head, size_t n)
{
    return begins_with(head, n, "PYTORCH1", 8);
}

/* The name of the first member, with zeros behind it. Torch before 0.1.10 wrote these four. */
static bool is_tar(const unsigned char *head, size_t n)
{
    static const char *const members[] = {"sys_info", "pickle", "tensors", "storages"};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char name[64] = {0};

        memcpy(name, members[i], strlen(members[i]));
        if (begins_with(head, n, name, sizeof name))
            return true;
    }
    return false;
}

/* An empty file too, so that it is called empty and not of another format. */
static bool matches(const unsigned char *head, size_t n)
{
    return n == 0 || is_zip(head, n) || is_legacy(head, n) || is_preview(head, n) ||
           is_tar(head, n);
}

static int read_torchbin(struct checkpoint *checkpoint, size_t file, struct error *err)
{
    struct source source = {.checkpoint = checkpoint, .file_index = file,
                            .file = checkpoint->files[file].file};
    unsigned char head[64];
    size_t n = source.file->size_bytes < sizeof head ? source.file->size_bytes : sizeof head;
    int rc;

    if (file_read(source.file, 0, head, n, err))
        return -1;
    if (is_zip(head, n))
        rc = read_zip(&source, err);
    else if (is_legacy(head, n))
        rc = read_legacy(&source, err);
    else if (is_preview(head, n))
        rc = error_set(err, ERROR_UNSUPPORTED, "PYTORCH1, a preview of TorchScript, is not "
                       "supported");
    else if (is_tar(head, n))
        rc = error_set(err, ERROR_UNSUPPORTED, "a tar archive, as PyTorch wrote it before 2017, is "
                       "not supported; load and save it with a newer one");
    else
        rc = error_set(err, ERROR_FORMAT, n ? "not a PyTorch checkpoint" : "the file is empty");
    source_release(&source);
    return rc;
}

const struct checkpoint_reader torchbin_reader = {"PyTorch checkpoint", matches, read_torchbin};
