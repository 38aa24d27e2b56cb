/* torchbin_writer.c - a state dict as torch.save writes it: a zip of one pickle and one entry for
 * the bytes of each tensor, stored as they are, each at a multiple of 64 bytes.
 *
 * As for the other files that we write, the place of every byte is known before the first one; what
 * frames the tensors comes last, because a zip wants a checksum of each entry. The pickle calls
 * nothing but what torch.load(weights_only=True) allows.
 * Source: torch/serialization.py, caffe2/serialize/inline_container.cc, APPNOTE.TXT 4.3. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buffer.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/outdir.h"
#include "format/checkpoint_files.h"
#include "format/safetensors.h"

enum {
    ALIGNMENT = 64,
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    EXTRA_BYTES = 4, /* in front of the padding */
    NAME_BYTES_MAX = 40,
    VERSION_NEEDED = 10, /* zip 1.0: entries as they are */
    DOS_1980 = 1 << 5 | 1, /* the first day that a zip can tell */
    TENSORS_MAX = 65000,
    READ_BYTES = 1 << 20,
};

/* What torch calls the storages of a dtype; those without one of their own get an untyped storage
 * and the dtype beside it. */
static const struct torch_type {
    const char *storage; /* module, newline, name */
    const char *dtype;   /* NULL: the storage says it */
} torch_types[N_DTYPES] = {
    [DTYPE_F64] = {"torch\nDoubleStorage", NULL},
    [DTYPE_F32] = {"torch\nFloatStorage", NULL},
    [DTYPE_F16] = {"torch\nHalfStorage", NULL},
    [DTYPE_BF16] = {"torch\nBFloat16Storage", NULL},
    [DTYPE_I64] = {"torch\nLongStorage", NULL},
    [DTYPE_I32] = {"torch\nIntStorage", NULL},
    [DTYPE_I16] = {"torch\nShortStorage", NULL},
    [DTYPE_I8] = {"torch\nCharStorage", NULL},
    [DTYPE_U8] = {"torch\nByteStorage", NULL},
    [DTYPE_BOOL] = {"torch\nBoolStorage", NULL},
    [DTYPE_C64] = {"torch\nComplexFloatStorage", NULL},
    [DTYPE_C128] = {"torch\nComplexDoubleStorage", NULL},
    [DTYPE_U64] = {"torch.storage\nUntypedStorage", "uint64"},
    [DTYPE_U32] = {"torch.storage\nUntypedStorage", "uint32"},
    [DTYPE_U16] = {"torch.storage\nUntypedStorage", "uint16"},
    [DTYPE_F8_E4M3] = {"torch.storage\nUntypedStorage", "float8_e4m3fn"},
    [DTYPE_F8_E5M2] = {"torch.storage\nUntypedStorage", "float8_e5m2"},
    [DTYPE_F8_E4M3FNUZ] = {"torch.storage\nUntypedStorage", "float8_e4m3fnuz"},
    [DTYPE_F8_E5M2FNUZ] = {"torch.storage\nUntypedStorage", "float8_e5m2fnuz"},
    [DTYPE_F8_E8M0] = {"torch.storage\nUntypedStorage", "float8_e8m0fnu"},
};

struct entry {
    char name[NAME_BYTES_MAX];
    size_t header, place, size_bytes; /* bytes of the file: local header, payload */
    const char *bytes;                /* NULL: those of a tensor */
};

/* Where everything lies in the file. */
struct layout {
    struct buffer pickle;
    struct entry *entries; /* data.pkl, byteorder, the tensors, version */
    size_t n_entries, end; /* where the directory begins */
};

struct torchbin_file {
    struct checkpoint_writer base;
    struct layout layout;
};

enum { FIRST_TENSOR = 2, N_OTHERS = 3 };

/* ---- the pickle ---- */

static void add_number(struct buffer *out, uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        buffer_add_char(out, (char)(value >> 8 * i));
}

static void add_text(struct buffer *out, const char *text)
{
    buffer_add_char(out, 'X');
    add_number(out, strlen(text), 4);
    buffer_add_text(out, text);
}

static void add_integer(struct buffer *out, size_t value)
{
    if (value <= UINT8_MAX) {
        buffer_add_char(out, 'K');
        add_number(out, value, 1);
    } else if (value <= UINT16_MAX) {
        buffer_add_char(out, 'M');
        add_number(out, value, 2);
    } else if (value <= INT32_MAX) {
        buffer_add_char(out, 'J');
        add_number(out, value, 4);
    } else { /* with a sign */
        buffer_add_text(out, "\x8a\x09");
        add_number(out, value, 8);
        buffer_add_char(out, '\0');
    }
}

static void add_sizes(struct buffer *out, const size_t *sizes, size_t n)
{
    buffer_add_char(out, '(');
    for (size_t i = 0; i < n; i++)
        add_integer(out, sizes[i]);
    buffer_add_char(out, 't');
}

/* Row-major; of an empty tensor, where they mean nothing, all 1. */
static void add_strides(struct buffer *out, const struct output_tensor *tensor)
{
    size_t strides[TENSOR_DIMS_MAX], stride = 1;

    for (size_t i = tensor->n_dims; i > 0; i--) {
        strides[i - 1] = stride;
        stride *= tensor->n_items ? tensor->shape[i - 1] : 1;
    }
    add_sizes(out, strides, tensor->n_dims);
}

static const char no_hooks[] = "ccollections\nOrderedDict\n)R";

/* name, _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()) */
static void add_tensor(struct buffer *out, const struct output_tensor *tensor, size_t index)
{
    const struct torch_type *type = &torch_types[tensor->dtype];
    char key[NAME_BYTES_MAX];

    snprintf(key, sizeof key, "%zu", index);
    add_text(out, tensor->name);
    buffer_format(out, "ctorch._utils\n_rebuild_tensor_v%c\n((", type->dtype ? '3' : '2');
    add_text(out, "storage");
    buffer_format(out, "c%s\n", type->storage);
    add_text(out, key);
    add_text(out, "cpu");
    add_integer(out, type->dtype ? tensor->size_bytes : tensor->n_items);
    buffer_add_text(out, "tQ");
    add_integer(out, 0);
    add_sizes(out, tensor->shape, tensor->n_dims);
    add_strides(out, tensor);
    buffer_format(out, "\x89%s", no_hooks);
    if (type->dtype)
        buffer_format(out, "ctorch\n%s\n", type->dtype);
    buffer_add_text(out, "tR");
}

static void add_state_dict(struct buffer *out, const struct checkpoint_output *output)
{
    buffer_format(out, "\x80\x02%s(", no_hooks);
    for (size_t i = 0; i < output->n_tensors; i++)
        add_tensor(out, output->tensors[i], i);
    buffer_add_text(out, "u.");
}

/* ---- the layout ---- */

static int refuse_size(struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED, "its tensors have more than the 4 GB that can be "
                     "written to a PyTorch file");
}

static int check_tensors(const struct checkpoint_output *output, struct error *err)
{
    size_t total = 0;

    if (output->n_tensors > TENSORS_MAX)
        return error_set(err, ERROR_UNSUPPORTED, "%zu tensors in a PyTorch file; at most %d can be "
                         "written", output->n_tensors, TENSORS_MAX);
    for (size_t i = 0; i < output->n_tensors; i++) {
        const struct output_tensor *tensor = output->tensors[i];

        if (!torch_types[tensor->dtype].storage)
            return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': PyTorch files have "
                             "no numbers of type %s", tensor->name,
                             dtype_info(tensor->dtype)->name);
        if (__builtin_add_overflow(total, tensor->size_bytes, &total) || total > UINT32_MAX)
            return refuse_size(err);
    }
    return 0;
}

static void add_entry(struct layout *layout, const char *name, const char *bytes, size_t size_bytes)
{
    struct entry *entry = &layout->entries[layout->n_entries++];
    size_t place;

    *entry = (struct entry){.header = layout->end, .size_bytes = size_bytes, .bytes = bytes};
    snprintf(entry->name, sizeof entry->name, "archive/%s", name);
    place = entry->header + LOCAL_BYTES + strlen(entry->name) + EXTRA_BYTES;
    entry->place = (place + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    layout->end = entry->place + size_bytes;
}

static void release_layout(struct layout *layout)
{
    buffer_release(&layout->pickle);
    free(layout->entries);
    *layout = (struct layout){0};
}

/* Fills a zeroed layout, which is released in every case. */
static int lay_out(struct layout *layout, const struct checkpoint_output *output,
                   struct error *err)
{
    if (check_tensors(output, err))
        return -1;
    layout->entries = memory_zalloc(output->n_tensors + N_OTHERS, sizeof *layout->entries);
    add_state_dict(&layout->pickle, output);
    add_entry(layout, "data.pkl", layout->pickle.data, layout->pickle.size);
    add_entry(layout, "byteorder", "little", strlen("little"));
    for (size_t i = 0; i < output->n_tensors; i++) {
        char name[NAME_BYTES_MAX - sizeof "archive"];

        snprintf(name, sizeof name, "data/%zu", i);
        add_entry(layout, name, NULL, output->tensors[i]->size_bytes);
    }
    add_entry(layout, "version", "3\n", strlen("3\n"));
    return layout->end > UINT32_MAX ? refuse_size(err) : 0;
}

static int check(const struct checkpoint_output *output, struct error *err)
{
    struct layout layout = {0};
    int rc = lay_out(&layout, output, err);

    release_layout(&layout);
    return rc;
}

/* ---- the frame ---- */

static int read_checksum(const struct entry *entry, int fd, const char *name, unsigned char *bytes,
                         uint32_t *crc, struct error *err)
{
    size_t done = 0;

    while (done < entry->size_bytes) {
        size_t n = entry->size_bytes - done < READ_BYTES ? entry->size_bytes - done : READ_BYTES;
        ssize_t got = pread(fd, bytes, n, (off_t)(entry->place + done));

        if (interrupt_check(err))
            return -1;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, "cannot read '%s' back", name);
        if (got == 0)
            return error_set(err, ERROR_IO, "'%s' ends at byte %zu; is something else writing to "
                             "it?", name, entry->place + done);
        *crc = (uint32_t)crc32(*crc, bytes, (uInt)got);
        done += (size_t)got;
    }
    return 0;
}

/* What local header and directory say alike. */
static void add_facts(struct buffer *out, const struct entry *entry, uint32_t crc)
{
    add_number(out, VERSION_NEEDED, 2);
    add_number(out, 0, 2); /* flags */
    add_number(out, 0, 2); /* method: stored */
    add_number(out, 0, 2); /* time */
    add_number(out, DOS_1980, 2);
    add_number(out, crc, 4);
    add_number(out, entry->size_bytes, 4);
    add_number(out, entry->size_bytes, 4);
    add_number(out, strlen(entry->name), 2);
}

static void add_local(struct buffer *out, const struct entry *entry, uint32_t crc)
{
    size_t extra = entry->place - entry->header - LOCAL_BYTES - strlen(entry->name);

    buffer_add_text(out, "PK\3\4");
    add_facts(out, entry, crc);
    add_number(out, extra, 2);
    buffer_add_text(out, entry->name);
    buffer_add_text(out, "FB"); /* torch's padding */
    add_number(out, extra - EXTRA_BYTES, 2);
    for (size_t i = EXTRA_BYTES; i < extra; i++)
        buffer_add_char(out, 'Z');
}

static void add_central(struct buffer *out, const struct entry *entry, uint32_t crc)
{
    buffer_add_text(out, "PK\1\2");
    add_number(out, VERSION_NEEDED, 2); /* of the writer */
    add_facts(out, entry, crc);
    add_number(out, 0, 2); /* extra */
    add_number(out, 0, 2); /* comment */
    add_number(out, 0, 2); /* disk */
    add_number(out, 0, 2); /* attributes */
    add_number(out, 0, 4);
    add_number(out, entry->header, 4);
    buffer_add_text(out, entry->name);
}

static void add_end(struct buffer *out, const struct layout *layout)
{
    size_t size_bytes = out->size;

    buffer_add_text(out, "PK\5\6");
    add_number(out, 0, 4); /* disks */
    add_number(out, layout->n_entries, 2);
    add_number(out, layout->n_entries, 2);
    add_number(out, size_bytes, 4);
    add_number(out, layout->end, 4);
    add_number(out, 0, 2); /* comment */
}

/* Local header, and the bytes where they are no tensor's, and the entry of the directory. */
static int finish_entry(const struct entry *entry, int fd, const char *name, unsigned char *bytes,
                        struct buffer *directory, struct error *err)
{
    struct buffer local = {0};
    uint32_t crc = 0;
    int rc = 0;

    if (entry->bytes)
        crc = (uint32_t)crc32(0, (const Bytef *)entry->bytes, (uInt)entry->size_bytes);
    else
        rc = read_checksum(entry, fd, name, bytes, &crc, err);
    add_local(&local, entry, crc);
    if (entry->bytes)
        buffer_add(&local, entry->bytes, entry->size_bytes);
    if (rc == 0)
        rc = outdir_write_at(fd, entry->header, local.data, local.size, name, err);
    add_central(directory, entry, crc);
    buffer_release(&local);
    return rc;
}

static int finish(struct checkpoint_writer *base, struct error *err)
{
    const struct layout *layout = &((const struct torchbin_file *)base)->layout;
    const struct checkpoint_output_file *file = base->files;
    unsigned char *bytes = memory_alloc(READ_BYTES);
    struct buffer directory = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < layout->n_entries; i++)
        rc = finish_entry(&layout->entries[i], file->fd, file->name, bytes, &directory, err);
    if (rc == 0) {
        add_end(&directory, layout);
        rc = outdir_write_at(file->fd, layout->end, directory.data, directory.size, file->name,
                             err);
    }
    buffer_release(&directory);
    free(bytes);
    return rc;
}

/* ---- the writer ---- */

static int open_file(struct checkpoint_writer *base, struct outdir *outdir, const char *path,
                     struct error *err)
{
    if (lay_out(&((struct torchbin_file *)base)->layout, &base->output, err))
        return error_context(err, "'%s'", path);
    checkpoint_files_init(base, 1);
    return checkpoint_files_create(base, outdir, memory_copy(path), err) ? 0 : -1;
}

static int write_range(struct checkpoint_writer *base, size_t index, size_t offset,
                       const void *bytes, size_t n, struct error *err)
{
    const struct layout *layout = &((const struct torchbin_file *)base)->layout;

    return checkpoint_files_write(base->files, layout->entries[FIRST_TENSOR + index].place + offset,
                                  bytes, n, err);
}

static void release(struct checkpoint_writer *base)
{
    release_layout(&((struct torchbin_file *)base)->layout);
}

/* The order of the tensors is free: that of the other files that we write. */
const struct checkpoint_writer_kind torchbin_writer = {
    .name = "PyTorch",
    .extension = ".pt",
    .compare = safetensors_compare,
    .check = check,
    .writer_bytes = sizeof(struct torchbin_file),
    .open = open_file,
    .write = write_range,
    .finish = finish,
    .release = release,
};
