/* safetensors.c - an 8-byte length, a JSON header, and the bytes of the tensors, without gaps.
 *
 * The header is walked once with the pull reader: it may be 100 MB long. All checks of the
 * reference reader are made, and one more: a name that occurs twice is refused, where the reference
 * lets the last one win. */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"

enum { PREFIX_BYTES = 8 };
static const size_t header_bytes_max = 100 * 1000 * 1000;

struct entry {
    struct tensor tensor; /* name and shape in the arena; offset is set last */
    size_t name_length;
    size_t begin, end;    /* relative to the data */
};

struct entries {
    struct entry *items;
    size_t n_items, capacity;
};

/* ---- one entry of the header ---- */

static int read_dtype(struct json_reader *reader, struct tensor *tensor, struct error *err)
{
    struct json_text name;

    if (json_reader_peek(reader) != JSON_STRING)
        return error_set(err, ERROR_FORMAT, "dtype is not a string");
    if (json_reader_string(reader, &name, err))
        return -1;
    if (dtype_find(name.bytes, name.length, &tensor->dtype) || tensor->dtype == DTYPE_C128)
        return error_set(err, ERROR_FORMAT, "unknown dtype '" ERROR_NAME "'", name.bytes);
    return 0;
}

/* A list of whole numbers: how many there are, the first `limit` of them kept. */
static int read_sizes(struct json_reader *reader, const char *what, size_t *sizes, size_t limit,
                      size_t *n_sizes, struct error *err)
{
    size_t size;
    int more;

    *n_sizes = 0;
    if (json_reader_peek(reader) != JSON_ARRAY)
        return error_set(err, ERROR_FORMAT, "%s is not a list", what);
    json_reader_array(reader, err);
    while ((more = json_reader_item(reader, err)) > 0) {
        if (json_reader_size(reader, &size, err))
            return error_context(err, "%s", what);
        if (*n_sizes < limit)
            sizes[*n_sizes] = size;
        ++*n_sizes;
    }
    return more;
}

static int read_shape(struct json_reader *reader, struct arena *arena, struct tensor *tensor,
                      struct error *err)
{
    size_t sizes[TENSOR_DIMS_MAX];
    size_t *shape;

    if (read_sizes(reader, "shape", sizes, TENSOR_DIMS_MAX, &tensor->n_dims, err))
        return -1;
    if (tensor->n_dims > TENSOR_DIMS_MAX)
        return error_set(err, ERROR_FORMAT, "%zu dimensions, more than the limit of %d",
                         tensor->n_dims, TENSOR_DIMS_MAX);
    shape = arena_alloc(arena, tensor->n_dims * sizeof *shape);
    memcpy(shape, sizes, tensor->n_dims * sizeof *shape);
    tensor->shape = shape;
    return 0;
}

static int read_offsets(struct json_reader *reader, struct entry *entry, struct error *err)
{
    size_t offsets[2], n_offsets;

    if (read_sizes(reader, "data_offsets", offsets, 2, &n_offsets, err))
        return -1;
    if (n_offsets != 2)
        return error_set(err, ERROR_FORMAT, "data_offsets must be two numbers, not %zu", n_offsets);
    entry->begin = offsets[0];
    entry->end = offsets[1];
    if (entry->end < entry->begin)
        return error_set(err, ERROR_FORMAT, "data_offsets are reversed: [%zu, %zu]", entry->begin,
                         entry->end);
    return 0;
}

static int read_entry(struct json_reader *reader, struct arena *arena, struct entry *entry,
                      struct error *err)
{
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    enum { N_KEYS = sizeof keys / sizeof *keys };
    bool seen[N_KEYS] = {false};
    struct json_text key;
    int more;

    if (json_reader_peek(reader) != JSON_OBJECT)
        return error_set(err, ERROR_FORMAT, "its entry is not an object");
    json_reader_object(reader, err);
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        size_t k = 0;
        int rc;

        while (k < N_KEYS && !json_text_is(key, keys[k]))
            k++;
        if (k < N_KEYS && seen[k])
            return error_set(err, ERROR_FORMAT, "duplicate key '%s'", keys[k]);
        if (k < N_KEYS)
            seen[k] = true;
        rc = k == 0   ? read_dtype(reader, &entry->tensor, err)
             : k == 1 ? read_shape(reader, arena, &entry->tensor, err)
             : k == 2 ? read_offsets(reader, entry, err)
                      : json_reader_skip(reader, err);
        if (rc)
            return -1;
    }
    for (size_t k = 0; more == 0 && k < N_KEYS; k++)
        if (!seen[k])
            return error_set(err, ERROR_FORMAT, "no %s in its entry", keys[k]);
    if (more || tensor_measure(&entry->tensor, err))
        return -1;
    if (entry->end - entry->begin != entry->tensor.size_bytes)
        return error_set(err, ERROR_FORMAT, "its shape needs %zu bytes, data_offsets give %zu",
                         entry->tensor.size_bytes, entry->end - entry->begin);
    return 0;
}

/* ---- the header ---- */

static int read_metadata(struct json_reader *reader, struct checkpoint *checkpoint,
                         struct error *err)
{
    struct json_text text;
    int more;

    if (json_reader_peek(reader) != JSON_OBJECT)
        return error_set(err, ERROR_FORMAT, "__metadata__ is not an object");
    json_reader_object(reader, err);
    while ((more = json_reader_member(reader, &text, err)) > 0) {
        const char *key = arena_copy(&checkpoint->arena, text.bytes, text.length);

        if (json_reader_peek(reader) != JSON_STRING)
            return error_set(err, ERROR_FORMAT, "__metadata__ '" ERROR_NAME "' is not a string",
                             key);
        if (json_reader_string(reader, &text, err))
            return -1;
        checkpoint_add_metadata(checkpoint, key,
                                arena_copy(&checkpoint->arena, text.bytes, text.length));
    }
    return more;
}

static struct entry *add_entry(struct entries *entries)
{
    if (entries->n_items == entries->capacity) {
        entries->capacity = entries->capacity ? 2 * entries->capacity : 64;
        entries->items = memory_resize(entries->items, entries->capacity, sizeof *entries->items);
    }
    entries->items[entries->n_items] = (struct entry){0};
    return &entries->items[entries->n_items++];
}

static int read_header(struct json_reader *reader, struct checkpoint *checkpoint,
                       struct arena *arena, struct entries *entries, struct error *err)
{
    bool has_metadata = false;
    struct json_text key;
    int more;

    json_reader_object(reader, err);
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        struct entry *entry;

        if (json_text_is(key, "__metadata__")) {
            if (has_metadata)
                return error_set(err, ERROR_FORMAT, "duplicate __metadata__");
            has_metadata = true;
            if (read_metadata(reader, checkpoint, err))
                return -1;
            continue;
        }
        entry = add_entry(entries);
        entry->tensor.name = arena_copy(arena, key.bytes, key.length);
        entry->name_length = key.length;
        if (read_entry(reader, arena, entry, err))
            return error_context(err, "tensor '" ERROR_NAME "'", entry->tensor.name);
    }
    return more ? -1 : json_reader_finish(reader, err);
}

static int compare_places(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->tensor.name, y->tensor.name);
}

/* Entry i does not begin where the one before ends. The cause may be a name that occurs twice. */
static int report_gap(const struct entries *entries, size_t i, size_t end, struct error *err)
{
    const struct entry *entry = &entries->items[i];

    for (size_t k = 0; k < i; k++)
        if (strcmp(entries->items[k].tensor.name, entry->tensor.name) == 0)
            return error_set(err, ERROR_FORMAT, "duplicate tensor '" ERROR_NAME "'",
                             entry->tensor.name);
    return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %s: it begins at byte %zu of the "
                     "data, the one before ends at %zu", entry->tensor.name,
                     entry->begin < end ? "overlaps another one" : "a hole before it",
                     entry->begin, end);
}

/* The tensors must fill the data without holes and overlaps, to its last byte. */
static int check_places(struct entries *entries, size_t n_data_bytes, struct error *err)
{
    size_t end = 0;

    if (entries->n_items)
        qsort(entries->items, entries->n_items, sizeof *entries->items, compare_places);
    for (size_t i = 0; i < entries->n_items; i++) {
        const struct entry *entry = &entries->items[i];

        if (entry->begin != end)
            return report_gap(entries, i, end, err);
        if (entry->end > n_data_bytes)
            return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': ends at byte %zu of the "
                             "data, the file at %zu; is the download complete?",
                             entry->tensor.name, entry->end, n_data_bytes);
        end = entry->end;
    }
    if (end != n_data_bytes)
        return error_set(err, ERROR_FORMAT, "%zu bytes after the last tensor", n_data_bytes - end);
    return 0;
}

static int read_header_size(const struct file *file, size_t *n_header_bytes, struct error *err)
{
    unsigned char head[PREFIX_BYTES + 1];
    struct cursor cursor;
    size_t n;

    if (file->size_bytes == 0)
        return error_set(err, ERROR_FORMAT, "is empty");
    if (file->size_bytes < sizeof head)
        return error_set(err, ERROR_FORMAT, "%zu bytes are too few for a safetensors file",
                         file->size_bytes);
    if (file_read(file, 0, head, sizeof head, err))
        return -1;
    cursor_init(&cursor, head, sizeof head, 0, err);
    n = cursor_u64(&cursor);
    if (n > header_bytes_max)
        return error_set(err, ERROR_FORMAT, "header length %zu is above the limit of %zu", n,
                         header_bytes_max);
    if (n > file->size_bytes - PREFIX_BYTES)
        return error_set(err, ERROR_FORMAT, "header ends at byte %zu, the file at %zu; is the "
                         "download complete?", n + PREFIX_BYTES, file->size_bytes);
    if (n == 0)
        return error_set(err, ERROR_FORMAT, "the header is empty");
    if (head[PREFIX_BYTES] != '{')
        return error_set(err, ERROR_FORMAT, "the header does not begin with '{'");
    *n_header_bytes = n;
    return 0;
}

static int read_tensors(struct checkpoint *checkpoint, size_t file_index, struct error *err)
{
    const struct file *file = checkpoint->files[file_index].file;
    struct entries entries = {0};
    struct arena arena = {0};
    struct json_reader reader = {0};
    size_t n_header_bytes;
    char *header;
    int rc = -1;

    if (read_header_size(file, &n_header_bytes, err))
        return -1;
    header = memory_try(n_header_bytes, 1, "the header", err);
    if (!header || file_read(file, PREFIX_BYTES, header, n_header_bytes, err))
        goto done;
    json_reader_init(&reader, header, n_header_bytes);
    if (read_header(&reader, checkpoint, &arena, &entries, err)) {
        error_context(err, "header");
        goto done;
    }
    if (check_places(&entries, file->size_bytes - PREFIX_BYTES - n_header_bytes, err))
        goto done;
    for (size_t i = 0; i < entries.n_items; i++) {
        struct entry *entry = &entries.items[i];

        entry->tensor.source = checkpoint->files[file_index].source;
        entry->tensor.offset = PREFIX_BYTES + n_header_bytes + entry->begin;
        if (checkpoint_add_tensor(checkpoint, &entry->tensor, entry->name_length, err))
            goto done;
    }
    rc = 0;
done:
    json_reader_release(&reader);
    arena_release(&arena);
    free(entries.items);
    free(header);
    return rc;
}

const struct checkpoint_reader safetensors_reader = {"safetensors", NULL, read_tensors};

/* ---- writing ---- */

int safetensors_compare(const struct output_tensor *a, const struct output_tensor *b)
{
    if (a->dtype != b->dtype)
        return a->dtype < b->dtype ? -1 : 1;
    return strcmp(a->name, b->name);
}

static void add_tensor(struct json_writer *json, const struct output_tensor *tensor, size_t offset)
{
    json_writer_object(json, tensor->name);
    json_writer_string(json, "dtype", dtype_info(tensor->dtype)->name);
    json_writer_array(json, "shape");
    for (size_t k = 0; k < tensor->n_dims; k++)
        json_writer_size(json, NULL, tensor->shape[k]);
    json_writer_end(json);
    json_writer_array(json, "data_offsets");
    json_writer_size(json, NULL, offset);
    json_writer_size(json, NULL, offset + tensor->size_bytes);
    json_writer_end(json);
    json_writer_end(json);
}

void safetensors_add_header(struct buffer *out, const struct output_tensor *const *tensors,
                            size_t n_tensors)
{
    unsigned char prefix[PREFIX_BYTES] = {0};
    struct json_writer json = {.out = out};
    size_t start = out->size, offset = 0, n_header_bytes;

    buffer_add(out, prefix, sizeof prefix);
    json_writer_object(&json, NULL);
    json_writer_object(&json, "__metadata__");
    json_writer_string(&json, "format", "pt");
    json_writer_end(&json);
    for (size_t i = 0; i < n_tensors; i++) {
        add_tensor(&json, tensors[i], offset);
        offset += tensors[i]->size_bytes;
    }
    json_writer_end(&json);
    while ((out->size - start) % 8 != 0)
        buffer_add_char(out, ' ');
    n_header_bytes = out->size - start - PREFIX_BYTES;
    for (size_t i = 0; i < PREFIX_BYTES; i++)
        out->data[start + i] = (char)(n_header_bytes >> 8 * i & 0xff);
}
