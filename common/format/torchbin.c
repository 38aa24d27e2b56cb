/* torchbin.c - read PyTorch .bin checkpoints without Python.
 *
 * A pickle describes the tensors, storages hold their raw bytes; torchbin_zip.c and
 * torchbin_stream.c say how the two lie in a file. The pickle says "call _rebuild_tensor_v2 with
 * this storage, offset, size and stride". We call nothing: pickle.c gives us the call as data, the
 * table below says what the names mean, and any other name refuses the file. A hostile file can be
 * refused, it cannot run code.
 *
 * Source: torch/serialization.py, torch/_utils.py, torch/_weights_only_unpickler.py (2.x). */
#include "checkpoint_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "format/pickle.h"
#include "format/torchbin_container.h"

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
#define OPAQUE(module, name) {module, name, PICKLE_GIVES_OPAQUE, NULL, ROLE_OTHER, 0}
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

    /* Beside the tensors of Megatron's files (docs/formats.md, "Megatron-LM"). */
    {"argparse", "Namespace", PICKLE_GIVES_RECORD, NULL, ROLE_OTHER, 0},
    CALL("__builtin__", "bytes", ROLE_OTHER),
    CALL("builtins", "bytes", ROLE_OTHER),
    CALL("signal", "Signals", ROLE_OTHER),
    CALL("megatron.core.enums", "ModelType", ROLE_OTHER),
    CALL("megatron.core.transformer.enums", "AttnBackend", ROLE_OTHER),
    OPAQUE("_io", "BytesIO"),
    OPAQUE("numpy", "dtype"),
    {"numpy", "ndarray", PICKLE_NOT_CALLABLE, NULL, ROLE_OTHER, 0},
    OPAQUE("numpy.core.multiarray", "_reconstruct"),
    OPAQUE("numpy._core.multiarray", "_reconstruct"),

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

/* What a persistent id stands for: a storage, or a range of one (which only the old stream has). */
struct storage_view {
    size_t storage; /* index */
    size_t first, n_items;
};

/* ---- values of the pickle ---- */

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

bool torchbin_is_tensor(const struct pickle_value *value)
{
    int role = value->kind == PICKLE_OBJECT ? value->node->maker->role : ROLE_OTHER;

    return role == ROLE_TENSOR || role == ROLE_PARAMETER;
}

/* ---- storages ---- */

/* Finds or adds the storage of this key. Ids of one storage must agree. */
static int add_storage(struct torchbin_source *source, const struct torchbin_storage *found,
                       size_t *index, struct error *err)
{
    const struct torchbin_storage *known;

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
static int read_storage_id(const struct pickle_node *id, size_t n_fields,
                           struct torchbin_storage *storage, struct error *err)
{
    const struct pickle_value *fields = id->items;

    if (id->n_items == 0 || !pickle_is_text(&fields[0]))
        return error_set(err, ERROR_FORMAT, "it does not begin with a text");
    if (!pickle_is(&fields[0], "storage"))
        return error_set(err, ERROR_FORMAT, "it is a '%.*s', not a 'storage'",
                         SHOWN(fields[0].text, fields[0].length));
    if (id->n_items != n_fields)
        return error_set(err, ERROR_FORMAT, "it has %zu fields, not %zu", id->n_items, n_fields);
    if (fields[1].kind != PICKLE_GLOBAL || fields[1].global->role != ROLE_STORAGE)
        return error_set(err, ERROR_FORMAT, "its second field is not a storage type");
    if (!pickle_is_text(&fields[2]))
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
    struct torchbin_source *source = context;
    size_t n_fields = source->container->n_id_fields;
    struct torchbin_storage storage = {0};
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
    if (source->container->has_views && read_view(&id->node->items[n_fields - 1], view, err)) {
        error_context(err, "persistent id");
        return NULL;
    }
    return view;
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
        if (pickle_is_text(key))
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
static int place_tensor(const struct torchbin_source *source, const struct storage_view *view,
                        const struct rebuild *rebuild, struct tensor *tensor, struct error *err)
{
    struct torchbin_storage *storage = &source->storages[view->storage];
    size_t view_item = dtype_info(storage->dtype)->n_bits / 8, item, first = 0;

    tensor->dtype = storage->dtype;
    if (rebuild->dtype) {
        if (rebuild->dtype->kind != PICKLE_GLOBAL || rebuild->dtype->global->role != ROLE_DTYPE)
            return error_set(err, ERROR_FORMAT, "its dtype is not a dtype");
        tensor->dtype = (enum dtype)rebuild->dtype->global->detail;
    }
    item = dtype_info(tensor->dtype)->n_bits / 8;
    if (get_size(rebuild->offset, "its storage offset", &first, err) ||
        (!storage->is_located && source->container->locate(source, storage, err)))
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

static int read_tensor(const struct torchbin_source *source, const struct pickle_value *value,
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
    if (!torchbin_is_tensor(value) || value->node->maker->role != ROLE_TENSOR)
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

int torchbin_check_name(const struct pickle_value *name, struct error *err)
{
    size_t valid;

    if (!pickle_is_text(name))
        return error_set(err, ERROR_FORMAT, "the name of a tensor is not a text");
    valid = utf8_valid_prefix(name->text, name->length);
    if (valid == name->length)
        return 0;
    return error_set(err, ERROR_FORMAT, "tensor '%.*s': %s at byte %zu of its name",
                     SHOWN(name->text, name->length),
                     name->kind == PICKLE_STRING ? "a lone surrogate" : "no UTF-8", valid);
}

int torchbin_add_tensor(const struct torchbin_source *source, const char *name, size_t length,
                        const struct pickle_value *value, struct error *err)
{
    size_t shape[TENSOR_DIMS_MAX], strides[TENSOR_DIMS_MAX];
    struct tensor tensor = {
        .name = name, .source = source->checkpoint->files[source->file_index].source};

    if (read_tensor(source, value, &tensor, shape, strides, err))
        return error_context(err, "tensor '%.*s'", SHOWN(name, length));
    return checkpoint_add_tensor(source->checkpoint, &tensor, length, err);
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
            if (torchbin_is_tensor(&value->node->items[i]))
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
static int add_state_dict(const struct torchbin_source *source, const struct pickle_value *result,
                          struct error *err)
{
    const struct pickle_node *dict = find_state_dict(result, err);
    size_t n_tensors = 0;

    if (!dict)
        return -1;
    for (size_t i = 0; i < dict->n_items; i += 2) {
        const struct pickle_value *name = &dict->items[i], *value = name + 1;

        if (torchbin_is_tensor(value) && n_tensors++ == TORCHBIN_TENSORS_MAX)
            return error_set(err, ERROR_FORMAT, "more than %d tensors", TORCHBIN_TENSORS_MAX);
        if (torchbin_is_tensor(value) &&
            (torchbin_check_name(name, err) ||
             torchbin_add_tensor(source, name->text, name->length, value, err)))
            return -1;
        if (holds_tensors(value)) {
            bool is_named = pickle_is_text(name);
            size_t length = is_named ? name->length : 0;

            return error_set(err, ERROR_FORMAT, "'%.*s' holds tensors, but only those directly in "
                             "the state dict can be read",
                             SHOWN(is_named ? name->text : "", length));
        }
    }
    return 0;
}

int torchbin_take(const struct torchbin_source *source, const struct pickle_value *result,
                  struct error *err)
{
    return source->taker ? source->taker->take(source->taker, source, result, err)
                         : add_state_dict(source, result, err);
}

/* ---- the reader ---- */

int torchbin_load_pickle(struct torchbin_source *source, struct pickle *pickle, bool has_storages,
                         const char *bytes, size_t size, size_t origin, struct error *err)
{
    const struct pickle_rules rules = {globals, sizeof globals / sizeof *globals,
                                       has_storages ? make_storage_view : NULL, source};

    return pickle_load(pickle, &rules, bytes, size, origin, err);
}

void torchbin_forget_storages(struct torchbin_source *source)
{
    hash_map_release(&source->by_key);
    source->n_storages = 0;
}

static bool is_empty(const unsigned char *head, size_t n)
{
    (void)head;
    return n == 0;
}

static bool is_preview(const unsigned char *head, size_t n)
{
    return n >= 8 && memcmp(head, "PYTORCH1", 8) == 0;
}

/* The name of the first member, with zeros behind it. Torch before 0.1.10 wrote these four. */
static bool is_tar(const unsigned char *head, size_t n)
{
    static const char *const members[] = {"sys_info", "pickle", "tensors", "storages"};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char name[64] = {0};

        memcpy(name, members[i], strlen(members[i]));
        if (n >= sizeof name && memcmp(head, name, sizeof name) == 0)
            return true;
    }
    return false;
}

static const struct torchbin_container *const containers[] = {&torchbin_zip, &torchbin_stream};

/* What is of PyTorch and cannot be read. The empty file is one of them so that it is called empty
 * and not of another format. */
static const struct {
    bool (*matches)(const unsigned char *head, size_t n);
    enum error_code code;
    const char *what;
} refused[] = {
    {is_empty, ERROR_FORMAT, "the file is empty"},
    {is_preview, ERROR_UNSUPPORTED, "PYTORCH1, a preview of TorchScript, is not supported"},
    {is_tar, ERROR_UNSUPPORTED, "a tar archive, as PyTorch wrote it before 2017, is not supported; "
                                "load and save it with a newer one"},
};

static const struct torchbin_container *find_container(const unsigned char *head, size_t n)
{
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++)
        if (containers[i]->matches(head, n))
            return containers[i];
    return NULL;
}

/* The row of `refused`, or SIZE_MAX. */
static size_t find_refused(const unsigned char *head, size_t n)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].matches(head, n))
            return i;
    return SIZE_MAX;
}

static bool matches(const unsigned char *head, size_t n)
{
    return find_container(head, n) || find_refused(head, n) != SIZE_MAX;
}

int torchbin_read(struct checkpoint *checkpoint, size_t file, struct torchbin_taker *taker,
                  struct error *err)
{
    struct torchbin_source source = {.checkpoint = checkpoint, .file_index = file,
                                     .file = checkpoint->files[file].file, .taker = taker};
    unsigned char head[64];
    size_t n = source.file->size_bytes < sizeof head ? source.file->size_bytes : sizeof head, row;
    int rc;

    if (file_read(source.file, 0, head, n, err))
        return -1;
    source.container = find_container(head, n);
    if (!source.container) {
        row = find_refused(head, n);
        return row == SIZE_MAX ? error_set(err, ERROR_FORMAT, "not a PyTorch checkpoint")
                               : error_set(err, refused[row].code, "%s", refused[row].what);
    }
    rc = source.container->read(&source, err);
    torchbin_forget_storages(&source);
    free(source.storages);
    return rc;
}

static int read_state_dict(struct checkpoint *checkpoint, size_t file, struct error *err)
{
    return torchbin_read(checkpoint, file, NULL, err);
}

const struct checkpoint_reader torchbin_reader = {"PyTorch checkpoint", matches, read_state_dict};
