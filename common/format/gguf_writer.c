/* gguf_writer.c - one GGUF file: what it says of the model, its list of tensors, the tensors. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "format/checkpoint_files.h"
#include "format/gguf_metadata.h"
#include "tensor/q8_0.h"

enum { ALIGNMENT = 32, DIMS_MAX = 4, NAME_MAX_BYTES = 63, VERSION = 3, TYPE_Q8_0 = 8 };

/* Blocks that are packed at once, on the stack of the thread. */
enum { BLOCKS_AT_ONCE = 1024 };

static const struct type {
    enum dtype dtype;
    uint32_t id;
} types[] = {
    {DTYPE_F32, 0}, {DTYPE_F16, 1},  {DTYPE_I8, 24},  {DTYPE_I16, 25},
    {DTYPE_I32, 26}, {DTYPE_I64, 27}, {DTYPE_F64, 28}, {DTYPE_BF16, 30},
};

struct gguf_file {
    struct checkpoint_writer base;
    size_t *offsets;   /* [n_tensors], of the data */
    size_t data_start; /* in the file */
};

static const struct type *find_type(enum dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype)
            return &types[i];
    return NULL;
}

static size_t align(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int check_tensor(const struct output_tensor *tensor, struct error *err)
{
    if (!find_type(tensor->dtype))
        return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': GGUF has no numbers of "
                         "type %s", tensor->name, dtype_info(tensor->dtype)->name);
    if (tensor->n_dims == 0 || tensor->n_dims > DIMS_MAX)
        return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': %zu dimensions; a GGUF "
                         "file holds tensors of 1 to %d", tensor->name, tensor->n_dims, DIMS_MAX);
    if (strlen(tensor->name) > NAME_MAX_BYTES)
        return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': GGUF has no names of "
                         "more than %d bytes", tensor->name, NAME_MAX_BYTES);
    return 0;
}

static int check(const struct checkpoint_output *output, struct error *err)
{
    for (size_t i = 0; i < output->n_tensors; i++)
        if (check_tensor(output->tensors[i], err))
            return -1;
    return 0;
}

/* Numbers in names count as numbers: layer 10 stands behind layer 9. */
static int compare(const struct output_tensor *a, const struct output_tensor *b)
{
    return strverscmp(a->name, b->name);
}

/* ---- the head of the file ---- */

static void add_u32(struct buffer *out, uint32_t value)
{
    buffer_add(out, &value, sizeof value);
}

static void add_u64(struct buffer *out, uint64_t value)
{
    buffer_add(out, &value, sizeof value);
}

static void add_tensor(struct buffer *out, const struct output_tensor *tensor, size_t offset)
{
    add_u64(out, strlen(tensor->name));
    buffer_add_text(out, tensor->name);
    add_u32(out, (uint32_t)tensor->n_dims);
    for (size_t i = tensor->n_dims; i > 0; i--)
        add_u64(out, tensor->shape[i - 1]);
    add_u32(out, tensor->packing == OUTPUT_Q8_0 ? TYPE_Q8_0 : find_type(tensor->dtype)->id);
    add_u64(out, offset);
}

static void add_head(struct buffer *out, const struct checkpoint_output *output,
                     const size_t *offsets)
{
    buffer_add_text(out, "GGUF");
    add_u32(out, VERSION);
    add_u64(out, output->n_tensors);
    add_u64(out, output->metadata->n_values);
    buffer_add(out, output->metadata->bytes.data, output->metadata->bytes.size);
    for (size_t i = 0; i < output->n_tensors; i++)
        add_tensor(out, output->tensors[i], offsets[i]);
    while (out->size % ALIGNMENT)
        buffer_add_char(out, '\0');
}

/* Where each tensor lies, and where the last one ends. */
static size_t lay_out(const struct checkpoint_output *output, size_t *offsets)
{
    size_t end = 0;

    for (size_t i = 0; i < output->n_tensors; i++) {
        offsets[i] = align(end);
        end = offsets[i] + output->tensors[i]->size_bytes;
    }
    return end;
}

static int open_file(struct checkpoint_writer *base, struct outdir *outdir, const char *path,
                     struct error *err)
{
    struct gguf_file *writer = (struct gguf_file *)base;
    struct checkpoint_output_file *file;
    struct buffer head = {0};
    size_t end;
    int rc = -1;

    writer->offsets = memory_zalloc(base->output.n_tensors, sizeof *writer->offsets);
    end = lay_out(&base->output, writer->offsets);
    add_head(&head, &base->output, writer->offsets);
    writer->data_start = head.size;
    checkpoint_files_init(base, 1);
    file = checkpoint_files_create(base, outdir, memory_copy(path), err);
    if (file)
        rc = outdir_write_at(file->fd, 0, head.data, head.size, path, err);
    /* The padding behind the last tensor, and no byte of that: other ranks may have written it. */
    if (rc == 0 && align(end) > end)
        rc = outdir_write_at(file->fd, head.size + align(end) - 1, "", 1, path, err);
    buffer_release(&head);
    return rc;
}

/* ---- the tensors ---- */

static int write_packed(struct gguf_file *writer, size_t place, const char *items, size_t n_blocks,
                        struct error *err)
{
    char packed[BLOCKS_AT_ONCE * Q8_0_BYTES];

    for (size_t done = 0, n; done < n_blocks; done += n) {
        n = n_blocks - done < BLOCKS_AT_ONCE ? n_blocks - done : BLOCKS_AT_ONCE;
        q8_0_pack(items + done * Q8_0_ITEMS * sizeof(float), n, packed);
        if (checkpoint_files_write(&writer->base.files[0], place + done * Q8_0_BYTES, packed,
                                   n * Q8_0_BYTES, err))
            return -1;
    }
    return 0;
}

static int write_range(struct checkpoint_writer *base, size_t index, size_t offset,
                       const void *bytes, size_t n, struct error *err)
{
    struct gguf_file *writer = (struct gguf_file *)base;
    size_t start = writer->data_start + writer->offsets[index], block = Q8_0_ITEMS * sizeof(float);

    if (base->output.tensors[index]->packing == OUTPUT_PLAIN)
        return checkpoint_files_write(&base->files[0], start + offset, bytes, n, err);
    assert(offset % block == 0 && n % block == 0);
    return write_packed(writer, start + offset / block * Q8_0_BYTES, bytes, n / block, err);
}

static void release(struct checkpoint_writer *base)
{
    free(((struct gguf_file *)base)->offsets);
}

const struct checkpoint_writer_kind gguf_writer = {
    .name = "gguf",
    .extension = ".gguf",
    .compare = compare,
    .check = check,
    .writer_bytes = sizeof(struct gguf_file),
    .open = open_file,
    .write = write_range,
    .release = release,
};
