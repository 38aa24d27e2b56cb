/* gguf_reader.c - GGUF files: values under names, a table of tensors, and their bytes.
 *
 * The head of a file, a few megabytes where there is a tokenizer in it, is read once, in order, and
 * not through a map: what it says is kept, the rest stays on the disk. All checks of ggml are made,
 * and that the tensors end inside of the file. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "format/gguf.h"
#include "format/gguf_blocks.h"
#include "format/gguf_parts.h"

enum {
    BUFFER_BYTES = 1 << 16,
    VERSION_MIN = 2,
    VERSION_MAX = 3,
    DIMS_MAX = 4,
    NAME_BYTES_MAX = 63, /* of a tensor: GGML_MAX_NAME with its NUL */
    KEY_BYTES_MAX = 65535,
    TENSORS_MAX = 1000 * 1000,
    ALIGNMENT = 32,
    ALIGNMENT_UNIT = 8,
    VALUE_BYTES_MIN = 8 + 1 + 4 + 1, /* of a key of one letter and a number */
    INFO_BYTES_MIN = 8 + 1 + 4 + 4 + 8,
};
static const size_t all_keys_bytes_max = 64 * 1000 * 1000, metadata_bytes_max = 256 * 1000 * 1000;

/* ---- reading in order ---- */

struct input {
    const struct file *file;
    size_t position;
    size_t first, n; /* the bytes of the file in `buffer` */
    unsigned char buffer[BUFFER_BYTES];
    struct error *err;
};

static size_t input_left(const struct input *input)
{
    return input->file->size_bytes - input->position;
}

static int input_check(const struct input *input, size_t n)
{
    if (n <= input_left(input))
        return 0;
    return error_set(input->err, ERROR_FORMAT, "at byte %zu: %zu bytes wanted, %zu left; is the "
                     "download complete?", input->position, n, input_left(input));
}

static int input_fill(struct input *input)
{
    size_t n = input_left(input) < BUFFER_BYTES ? input_left(input) : BUFFER_BYTES;

    input->first = input->position;
    input->n = n;
    return file_read(input->file, input->position, input->buffer, n, input->err);
}

static int input_read(struct input *input, void *out, size_t n)
{
    char *to = out;

    if (input_check(input, n))
        return -1;
    while (n > 0) {
        size_t at = input->position - input->first, n_here;

        if (at >= input->n) {
            if (input_fill(input))
                return -1;
            at = 0;
        }
        n_here = input->n - at < n ? input->n - at : n;
        memcpy(to, input->buffer + at, n_here);
        input->position += n_here;
        to += n_here;
        n -= n_here;
    }
    return 0;
}

static int read_u32(struct input *input, uint32_t *value)
{
    return input_read(input, value, sizeof *value);
}

static int read_u64(struct input *input, uint64_t *value)
{
    return input_read(input, value, sizeof *value);
}

/* ---- values ---- */

/* A file while it is read. */
struct parse {
    struct input input;
    struct arena *arena; /* for what stays */
    struct gguf gguf;    /* values from malloc */
    struct hash_map keys;
    size_t capacity, n_key_bytes;
    uint64_t n_tensors;
    size_t alignment;
};

static int check_metadata_bytes(const struct parse *parse, size_t n)
{
    if (parse->input.position <= metadata_bytes_max &&
        n <= metadata_bytes_max - parse->input.position)
        return 0;
    return error_set(parse->input.err, ERROR_FORMAT, "longer than the limit of %zu bytes for all "
                     "metadata", metadata_bytes_max);
}

static int read_text(struct parse *parse, struct gguf_text *text)
{
    uint64_t length;
    char *bytes;

    if (read_u64(&parse->input, &length) || input_check(&parse->input, length) ||
        check_metadata_bytes(parse, length))
        return -1;
    if (length == 0) {
        *text = (struct gguf_text){"", 0};
        return 0;
    }
    bytes = arena_alloc(parse->arena, length + 1);
    *text = (struct gguf_text){bytes, length};
    return input_read(&parse->input, bytes, length);
}

static int read_texts(struct parse *parse, struct gguf_value *value)
{
    struct gguf_text *texts = arena_alloc(parse->arena, value->n_items * sizeof *texts);

    value->items = texts;
    for (size_t i = 0; i < value->n_items; i++)
        if (read_text(parse, &texts[i]))
            return -1;
    return 0;
}

static int check_booleans(const struct parse *parse, const struct gguf_value *value)
{
    const unsigned char *items = value->items;

    for (size_t i = 0; i < value->n_items; i++)
        if (items[i] > 1)
            return error_set(parse->input.err, ERROR_FORMAT, "a boolean is %u, neither 0 nor 1",
                             items[i]);
    return 0;
}

static int read_items(struct parse *parse, struct gguf_value *value)
{
    size_t n_bytes;
    void *items;

    if (__builtin_mul_overflow(value->n_items, gguf_type_bytes(value->type), &n_bytes) ||
        input_check(&parse->input, n_bytes))
        return error_set(parse->input.err, ERROR_FORMAT, "%zu items do not fit into the rest of "
                         "the file", value->n_items);
    if (check_metadata_bytes(parse, n_bytes))
        return -1;
    if (value->type == GGUF_STRING)
        return read_texts(parse, value);
    value->items = items = arena_alloc(parse->arena, n_bytes);
    if (input_read(&parse->input, items, n_bytes))
        return -1;
    return value->type == GGUF_BOOL ? check_booleans(parse, value) : 0;
}

static int read_type(struct parse *parse, enum gguf_type *type)
{
    uint32_t number;

    if (read_u32(&parse->input, &number))
        return -1;
    if (number >= N_GGUF_TYPES)
        return error_set(parse->input.err, ERROR_FORMAT, "type %u of a value is not known", number);
    *type = (enum gguf_type)number;
    return 0;
}

static int read_value(struct parse *parse, struct gguf_value *value)
{
    uint64_t n_items;

    value->n_items = 1;
    if (read_type(parse, &value->type))
        return -1;
    if (value->type != GGUF_ARRAY)
        return read_items(parse, value);
    if (read_type(parse, &value->type) || read_u64(&parse->input, &n_items))
        return -1;
    if (value->type == GGUF_ARRAY)
        return error_set(parse->input.err, ERROR_FORMAT, "an array of arrays");
    value->is_array = true;
    value->n_items = n_items;
    return read_items(parse, value);
}

static int read_key(struct parse *parse, const char **key)
{
    struct error *err = parse->input.err;
    size_t n_values = parse->gguf.n_values;
    struct gguf_text text;
    uint64_t length;

    if (read_u64(&parse->input, &length))
        return -1;
    if (length == 0 || length > KEY_BYTES_MAX)
        return error_set(err, ERROR_FORMAT, "a key of %zu bytes, not of 1 to %d", (size_t)length,
                         KEY_BYTES_MAX);
    parse->n_key_bytes += length;
    if (parse->n_key_bytes > all_keys_bytes_max)
        return error_set(err, ERROR_FORMAT, "the keys are longer than the limit of %zu bytes",
                         all_keys_bytes_max);
    text = (struct gguf_text){arena_alloc(parse->arena, length + 1), length};
    if (input_read(&parse->input, (char *)text.bytes, length))
        return -1;
    if (memchr(text.bytes, '\0', length))
        return error_set(err, ERROR_FORMAT, "key '" ERROR_NAME "…': a NUL in it", text.bytes);
    if (hash_map_add(&parse->keys, text.bytes, length, n_values) != n_values)
        return error_set(err, ERROR_FORMAT, "duplicate key '" ERROR_NAME "'", text.bytes);
    *key = text.bytes;
    return 0;
}

static int read_values(struct parse *parse, uint64_t n_values)
{
    struct gguf *gguf = &parse->gguf;

    if (n_values > input_left(&parse->input) / VALUE_BYTES_MIN)
        return error_set(parse->input.err, ERROR_FORMAT, "%zu values do not fit into %zu bytes; is "
                         "the download complete?", (size_t)n_values,
                         parse->input.file->size_bytes);
    for (uint64_t i = 0; i < n_values; i++) {
        struct gguf_value value = {0};

        if (read_key(parse, &value.key))
            return error_context(parse->input.err, "metadata");
        if (read_value(parse, &value))
            return error_context(parse->input.err, "metadata '" ERROR_NAME "'", value.key);
        if (gguf->n_values == parse->capacity) {
            parse->capacity = parse->capacity ? 2 * parse->capacity : 64;
            gguf->values = memory_resize(gguf->values, parse->capacity, sizeof *gguf->values);
        }
        gguf->values[gguf->n_values++] = value;
    }
    return 0;
}

/* ---- the head ---- */

static int read_version(struct parse *parse)
{
    struct error *err = parse->input.err;
    uint32_t magic, version;

    if (read_u32(&parse->input, &magic) || read_u32(&parse->input, &version))
        return -1;
    if (version != 0 && (version & 0xFFFF) == 0)
        return error_set(err, ERROR_UNSUPPORTED, "a big-endian GGUF file; only little-endian ones "
                         "are read");
    if (version == 0)
        return error_set(err, ERROR_FORMAT, "version 0 of GGUF");
    if (version < VERSION_MIN || version > VERSION_MAX)
        return error_set(err, ERROR_UNSUPPORTED, "version %u of GGUF is not supported (%d and %d "
                         "are)", version, VERSION_MIN, VERSION_MAX);
    return 0;
}

static int find_alignment(struct parse *parse)
{
    const struct gguf_value *value = gguf_find(&parse->gguf, "general.alignment");
    struct error *err = parse->input.err;

    parse->alignment = ALIGNMENT;
    if (!value)
        return 0;
    if (value->is_array || value->type != GGUF_U32)
        return error_set(err, ERROR_FORMAT, "metadata 'general.alignment': not a number of 32 "
                         "bits without sign");
    parse->alignment = (size_t)gguf_number(value, 0);
    if (parse->alignment == 0 || parse->alignment % ALIGNMENT_UNIT ||
        (parse->alignment & (parse->alignment - 1)))
        return error_set(err, ERROR_FORMAT, "metadata 'general.alignment': %zu is not a power of "
                         "two from %d on", parse->alignment, ALIGNMENT_UNIT);
    return 0;
}

static int read_head(struct parse *parse)
{
    uint64_t n_values;

    if (read_version(parse) || read_u64(&parse->input, &parse->n_tensors) ||
        read_u64(&parse->input, &n_values))
        return -1;
    if (parse->n_tensors > TENSORS_MAX)
        return error_set(parse->input.err, ERROR_FORMAT, "%zu tensors, more than the limit of %d",
                         (size_t)parse->n_tensors, TENSORS_MAX);
    if (read_values(parse, n_values) || find_alignment(parse))
        return -1;
    if (parse->n_tensors > input_left(&parse->input) / INFO_BYTES_MIN)
        return error_set(parse->input.err, ERROR_FORMAT, "%zu tensors do not fit into %zu bytes; "
                         "is the download complete?", (size_t)parse->n_tensors,
                         parse->input.file->size_bytes);
    return 0;
}

/* ---- tensors ---- */

struct info {
    char name[NAME_BYTES_MAX + 1];
    size_t name_length;
    size_t n_dims, shape[DIMS_MAX]; /* the last is the fastest: the other way round in the file */
    enum ggml_format format;
    size_t n_bytes;
    uint64_t offset; /* from the beginning of the data */
};

static int read_name(struct parse *parse, struct info *info)
{
    uint64_t length;

    if (read_u64(&parse->input, &length))
        return -1;
    if (length == 0 || length > NAME_BYTES_MAX)
        return error_set(parse->input.err, ERROR_FORMAT, "the name of a tensor has %zu bytes, not "
                         "1 to %d", (size_t)length, NAME_BYTES_MAX);
    info->name_length = length;
    return input_read(&parse->input, info->name, length);
}

static int read_shape(struct parse *parse, struct info *info, size_t *n_items)
{
    struct error *err = parse->input.err;
    uint32_t n_dims;

    *n_items = 1;
    if (read_u32(&parse->input, &n_dims))
        return -1;
    if (n_dims > DIMS_MAX)
        return error_set(err, ERROR_FORMAT, "%u dimensions, more than %d", n_dims, DIMS_MAX);
    info->n_dims = n_dims;
    for (size_t i = n_dims; i > 0; i--) {
        uint64_t size;

        if (read_u64(&parse->input, &size))
            return -1;
        if (size == 0)
            return error_set(err, ERROR_FORMAT, "a dimension of 0");
        if (__builtin_mul_overflow(*n_items, size, n_items) || *n_items > INT64_MAX)
            return error_set(err, ERROR_FORMAT, "its number of items overflows");
        info->shape[i - 1] = size;
    }
    return 0;
}

static int read_format(struct parse *parse, struct info *info, size_t n_items)
{
    struct error *err = parse->input.err;
    const struct ggml_type *type;
    size_t row = info->n_dims ? info->shape[info->n_dims - 1] : 1;
    uint32_t id;

    if (read_u32(&parse->input, &id))
        return -1;
    if (ggml_format_find(id, &info->format))
        return error_set(err, ERROR_FORMAT, "stored as type %u, %s", id, ggml_format_reason(id));
    type = ggml_type(info->format);
    if (row % type->block_items)
        return error_set(err, ERROR_FORMAT, "rows of %zu items are not whole blocks of %zu, as %s "
                         "has them", row, type->block_items, type->name);
    if (__builtin_mul_overflow(n_items / type->block_items, type->block_bytes, &info->n_bytes))
        return error_set(err, ERROR_FORMAT, "its size overflows");
    return 0;
}

static int read_info(struct parse *parse, struct info *info)
{
    size_t n_items;

    if (read_name(parse, info))
        return -1;
    if (read_shape(parse, info, &n_items) || read_format(parse, info, n_items) ||
        read_u64(&parse->input, &info->offset))
        return error_context(parse->input.err, "tensor '" ERROR_NAME "'", info->name);
    return 0;
}

/* The next multiple of the alignment; -1 when that overflows. */
static int pad(size_t *position, size_t alignment)
{
    if (__builtin_add_overflow(*position, alignment - 1, position))
        return -1;
    *position &= ~(alignment - 1);
    return 0;
}

/* As ggml has it: one behind the other in the order of the table, each aligned, without gaps. */
static int check_place(const struct parse *parse, const struct info *info, size_t data,
                       size_t *next)
{
    struct error *err = parse->input.err;
    size_t end;

    if (info->offset != *next)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': begins at byte %zu of the "
                         "data, not at %zu, where the one before ends", info->name,
                         (size_t)info->offset, *next);
    if (__builtin_add_overflow(*next, info->n_bytes, &end) || end > SIZE_MAX - data ||
        data + end > parse->input.file->size_bytes)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': its %zu bytes from byte %zu "
                         "on end behind the file, which has %zu; is the download complete?",
                         info->name, info->n_bytes, data + *next,
                         parse->input.file->size_bytes);
    *next = end;
    return pad(next, parse->alignment);
}

static int add_tensor(struct checkpoint *checkpoint, size_t file, const struct info *info,
                      size_t place, struct error *err)
{
    struct tensor tensor = {.name = info->name, .dtype = ggml_type(info->format)->dtype,
                            .n_dims = info->n_dims, .shape = info->shape,
                            .source = checkpoint->files[file].source, .offset = place};

    if (info->format < N_GGML_BLOCKS) {
        tensor.source = gguf_blocks_source(&checkpoint->arena, tensor.source, info->format, place);
        tensor.offset = 0;
    }
    return checkpoint_add_tensor(checkpoint, &tensor, info->name_length, err);
}

static int add_tensors(struct parse *parse, struct checkpoint *checkpoint, size_t file,
                       struct info *infos)
{
    struct error *err = parse->input.err;
    size_t data, next = 0;

    for (size_t i = 0; i < parse->n_tensors; i++)
        if (read_info(parse, &infos[i]))
            return -1;
    data = parse->input.position;
    if (pad(&data, parse->alignment))
        return error_set(err, ERROR_FORMAT, "the data begin behind all memory");
    for (size_t i = 0; i < parse->n_tensors; i++) {
        size_t place = data + next;

        if (check_place(parse, &infos[i], data, &next) ||
            add_tensor(checkpoint, file, &infos[i], place, err))
            return -1;
    }
    return 0;
}

/* ---- files ---- */

static void keep_values(struct parse *parse, struct checkpoint *checkpoint)
{
    struct gguf *gguf = arena_alloc(&checkpoint->arena, sizeof *gguf);
    size_t n_bytes = parse->gguf.n_values * sizeof *gguf->values;

    *gguf = (struct gguf){arena_alloc(&checkpoint->arena, n_bytes), parse->gguf.n_values};
    if (n_bytes)
        memcpy(gguf->values, parse->gguf.values, n_bytes);
    checkpoint->gguf = gguf;
}

static int read_gguf(struct checkpoint *checkpoint, size_t file, struct error *err)
{
    struct parse *parse = memory_zalloc(1, sizeof *parse);
    struct info *infos = NULL;
    int rc = -1;

    parse->input.file = checkpoint->files[file].file;
    parse->input.err = err;
    parse->arena = &checkpoint->arena;
    if (read_head(parse) || gguf_parts_check(&parse->gguf, file, checkpoint, err))
        goto done;
    if (file == 0)
        keep_values(parse, checkpoint);
    infos = memory_try(parse->n_tensors + 1, sizeof *infos, "the table of tensors", err);
    if (!infos)
        goto done;
    memset(infos, 0, (parse->n_tensors + 1) * sizeof *infos);
    rc = add_tensors(parse, checkpoint, file, infos);
done:
    free(infos);
    free(parse->gguf.values);
    hash_map_release(&parse->keys);
    free(parse);
    return rc;
}

static bool matches(const unsigned char *head, size_t n)
{
    return n >= 4 && memcmp(head, "GGUF", 4) == 0;
}

const struct checkpoint_reader gguf_reader = {"GGUF", matches, read_gguf};
