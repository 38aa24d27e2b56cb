/* fuzz_safetensors.c - any bytes as a safetensors file: refused with a reason or read, never more.
 *
 * What is accepted must also be true: the values of every tensor can be read, and the header that
 * we would write for these tensors gives them again. The first byte is 0 and the rest is a whole
 * file; or the rest is a header, behind four bytes that say how long the data are: so no change of
 * a header fails for its length alone. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "format/checkpoint.h"
#include "format/checkpoint_reader.h"
#include "format/safetensors.h"

#include "fuzz_folder.h"

enum { PREFIX_BYTES = 8, READ_ITEMS_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* `data_bytes` of zeros behind the bytes. */
static struct file *make_file(const void *bytes, size_t size, size_t data_bytes)
{
    struct file *file = memory_zalloc(1, sizeof *file);

    *file = (struct file){.fd = memfd_create("fuzz", MFD_CLOEXEC), .size_bytes = size + data_bytes,
                          .path = memory_copy("fuzz.safetensors")};
    MUST(file->fd >= 0 && write(file->fd, bytes, size) == (ssize_t)size);
    MUST(ftruncate(file->fd, (off_t)file->size_bytes) == 0);
    return file;
}

static struct file *make_input(const uint8_t *bytes, size_t size)
{
    struct buffer whole = {0};
    struct file *file;
    uint32_t data_bytes;
    uint64_t n_header;

    if (size < 1 + sizeof data_bytes || bytes[0] == 0)
        return make_file(bytes + (size > 0), size - (size > 0), 0);
    memcpy(&data_bytes, bytes + 1, sizeof data_bytes);
    n_header = size - 1 - sizeof data_bytes;
    buffer_add(&whole, &n_header, PREFIX_BYTES);
    buffer_add(&whole, bytes + 1 + sizeof data_bytes, n_header);
    file = make_file(whole.data, whole.size, data_bytes);
    buffer_release(&whole);
    return file;
}

static struct checkpoint *open_file(struct file *file, struct error *err)
{
    struct checkpoint *checkpoint = memory_zalloc(1, sizeof *checkpoint);

    checkpoint_add_file(checkpoint, file, "fuzz.safetensors");
    if (safetensors_reader.read(checkpoint, 0, err) == 0)
        return checkpoint;
    MUST(err->code != ERROR_NONE && *err->text); /* failed, and says why */
    checkpoint_close(checkpoint);
    return NULL;
}

static void read_values(const struct tensor *tensor)
{
    static char out[READ_ITEMS_MAX * 16];
    size_t n = tensor->n_items < READ_ITEMS_MAX ? tensor->n_items : READ_ITEMS_MAX;
    struct error err = {0};

    MUST(tensor_read(tensor, 0, n, out, &err) == 0);
    MUST(tensor_read(tensor, tensor->n_items - n, n, out, &err) == 0);
}

static int compare(const void *a, const void *b)
{
    return safetensors_compare(*(const struct output_tensor *const *)a,
                               *(const struct output_tensor *const *)b);
}

static void write_and_read(const struct checkpoint *checkpoint)
{
    size_t n = checkpoint->n_tensors, data_bytes = 0;
    struct output_tensor *outputs = memory_zalloc(n, sizeof *outputs);
    const struct output_tensor **order = memory_zalloc(n, sizeof *order);
    struct checkpoint *again;
    struct buffer header = {0};
    struct error err = {0};

    for (size_t i = 0; i < n; i++) {
        outputs[i] = output_tensor_like(&checkpoint->tensors[i]);
        order[i] = &outputs[i];
        data_bytes += order[i]->size_bytes;
    }
    qsort(order, n, sizeof *order, compare);
    safetensors_add_header(&header, order, n);
    again = open_file(make_file(header.data, header.size, data_bytes), &err);
    MUST(again && again->n_tensors == n);
    for (size_t i = 0; i < n; i++) {
        const struct tensor *tensor = checkpoint_find(again, order[i]->name);

        MUST(tensor && tensor->dtype == order[i]->dtype && tensor->n_dims == order[i]->n_dims);
        MUST(tensor->n_dims == 0 || memcmp(tensor->shape, order[i]->shape,
                                           tensor->n_dims * sizeof *tensor->shape) == 0);
    }
    checkpoint_close(again);
    buffer_release(&header);
    free(order);
    free(outputs);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct error err = {0};
    struct checkpoint *checkpoint = open_file(make_input(bytes, size), &err);

    if (!checkpoint)
        return 0;
    for (size_t i = 0; i < checkpoint->n_tensors; i++)
        read_values(&checkpoint->tensors[i]);
    write_and_read(checkpoint);
    checkpoint_close(checkpoint);
    return 0;
}
