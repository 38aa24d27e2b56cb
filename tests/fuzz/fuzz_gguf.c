/* fuzz_gguf.c - any bytes as a GGUF file: refused with a reason or read, never more.
 *
 * What is accepted must also be true: all values can be asked for, ranges of every tensor can be
 * read, and a row of blocks gives the same numbers where it lies. The first byte is 0 and the rest
 * is a whole file; or the rest is the head of one, behind four bytes that say how many zeros follow
 * it: so no change of a head fails for the length of the data alone. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "format/checkpoint.h"
#include "format/checkpoint_reader.h"
#include "format/gguf.h"
#include "format/gguf_blocks.h"
#include "format/gguf_parts.h"
#include "math/gemm_matrix.h"

#include "fuzz_folder.h"

enum { READ_ITEMS_MAX = 1500 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct file *make_input(const uint8_t *bytes, size_t size)
{
    struct file *file = memory_zalloc(1, sizeof *file);
    uint32_t n_zeros = 0;
    size_t n_head = 0;

    if (size > 0)
        n_head = bytes[0] == 0 || size < 1 + sizeof n_zeros ? 1 : 1 + sizeof n_zeros;
    if (n_head > 1)
        memcpy(&n_zeros, bytes + 1, sizeof n_zeros);
    bytes += n_head;
    size -= n_head;
    *file = (struct file){.fd = memfd_create("fuzz", MFD_CLOEXEC), .size_bytes = size + n_zeros,
                          .path = memory_copy("fuzz.gguf")};
    MUST(file->fd >= 0 && write(file->fd, bytes, size) == (ssize_t)size);
    MUST(ftruncate(file->fd, (off_t)file->size_bytes) == 0);
    return file;
}

static struct checkpoint *open_file(struct file *file)
{
    struct checkpoint *checkpoint = memory_zalloc(1, sizeof *checkpoint);
    struct error err = {0};

    checkpoint_add_file(checkpoint, file, "fuzz.gguf");
    if (gguf_reader.read(checkpoint, 0, &err) == 0 && checkpoint->n_tensors > 0 &&
        gguf_parts_finish(checkpoint, &err) == 0 && gguf_blocks_apply_scales(checkpoint, &err) == 0)
        return checkpoint;
    MUST(!err.code == !*err.text && (err.code || checkpoint->n_tensors == 0));
    MUST(err.code == ERROR_NONE || err.code == ERROR_FORMAT || err.code == ERROR_UNSUPPORTED);
    checkpoint_close(checkpoint);
    return NULL;
}

static void ask_values(const struct gguf *gguf)
{
    for (size_t i = 0; i < gguf->n_values; i++) {
        const struct gguf_value *value = &gguf->values[i];

        MUST(i > 1000 || gguf_find(gguf, value->key) == value);
        for (size_t k = 0; k < value->n_items; k++)
            if (gguf_is_number(value))
                gguf_number(value, k);
            else
                MUST(strlen(gguf_text(value, k).bytes) <= gguf_text(value, k).length);
    }
}

static void read_ranges(const struct tensor *tensor)
{
    static char out[READ_ITEMS_MAX * sizeof(double)];
    size_t n = tensor->n_items < READ_ITEMS_MAX ? tensor->n_items : READ_ITEMS_MAX;
    size_t middle = (tensor->n_items - n) / 2;
    struct error err = {0};

    MUST(tensor_read(tensor, 0, n, out, &err) == 0);
    MUST(tensor_read(tensor, middle, n, out, &err) == 0);
    MUST(tensor_read(tensor, tensor->n_items - n, n, out, &err) == 0);
}

static bool is_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

/* The end of the last row. */
static void use_blocks(const struct tensor *tensor)
{
    float lies[READ_ITEMS_MAX], read[READ_ITEMS_MAX];
    struct error err = {0};
    struct tensor_blocks blocks;
    struct gemm_matrix matrix;
    size_t n;
    int rc = tensor_blocks(tensor, &blocks, &err);

    MUST(rc >= 0);
    if (rc == 0)
        return;
    matrix = (struct gemm_matrix){.format = matrix_format_find(blocks.format), .data = blocks.data,
                                  .scales = blocks.scales, .n_out = tensor->shape[0],
                                  .n_in = tensor->shape[1], .stride = blocks.stride,
                                  .first_out = blocks.first_row};
    n = matrix.n_in < READ_ITEMS_MAX ? matrix.n_in : READ_ITEMS_MAX;
    gemm_matrix_widen(&matrix, matrix.n_out - 1, 1, matrix.n_in - n, n, lies);
    MUST(tensor_read(tensor, tensor->n_items - n, n, read, &err) == 0);
    MUST(is_same(lies, read, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct checkpoint *checkpoint = open_file(make_input(bytes, size));

    if (!checkpoint)
        return 0;
    ask_values(checkpoint->gguf);
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        read_ranges(&checkpoint->tensors[i]);
        use_blocks(&checkpoint->tensors[i]);
    }
    checkpoint_close(checkpoint);
    return 0;
}
