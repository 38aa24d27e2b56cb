/* fuzz_torchbin.c - any bytes as a PyTorch file: refused or read, never more.
 *
 * What is accepted must also be true: the values of every tensor can be read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "format/checkpoint.h"
#include "format/checkpoint_reader.h"
#include "fuzz_zip.h"

enum { READ_ITEMS_MAX = 4096 }; /* of each tensor: an expanded one may claim 2^50 */

static void read_values(const struct tensor *tensor)
{
    static char out[READ_ITEMS_MAX * 16];
    size_t n = tensor->n_items < READ_ITEMS_MAX ? tensor->n_items : READ_ITEMS_MAX;
    struct error err = {0};

    if (tensor_read(tensor, 0, n, out, &err) ||
        tensor_read(tensor, tensor->n_items - n, n, out, &err))
        abort();
}

static struct file *make_file(const uint8_t *bytes, size_t size)
{
    struct file *file = memory_zalloc(1, sizeof *file);
    uint8_t *copy = memory_alloc(size);

    if (size)
        memcpy(copy, bytes, size);
    zip_clear_crcs(copy, size);
    *file = (struct file){.fd = memfd_create("fuzz", MFD_CLOEXEC), .size_bytes = size,
                          .path = memory_copy("fuzz.bin")};
    if (file->fd < 0 || write(file->fd, copy, size) != (ssize_t)size)
        abort();
    free(copy);
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct checkpoint *checkpoint = memory_zalloc(1, sizeof *checkpoint);
    struct error err = {0};

    checkpoint_add_file(checkpoint, make_file(bytes, size), "fuzz.bin");
    if (!torchbin_reader.read(checkpoint, 0, &err)) {
        for (size_t i = 0; i < checkpoint->n_tensors; i++)
            read_values(&checkpoint->tensors[i]);
    } else if (err.code == ERROR_NONE || !*err.text) {
        abort(); /* failed, and did not say why */
    }
    checkpoint_close(checkpoint);
    return 0;
}
