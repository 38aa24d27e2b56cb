/* scratch.h - files that a unit test writes for the module to read.
 *
 * All names are relative to the scratch directory; folders on the way are made. What fails here
 * ends the program: a test that cannot write its input has nothing to say. */
#ifndef COCKTAIL_SCRATCH_H
#define COCKTAIL_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "format/checkpoint.h"
#include "format/safetensors.h"
#include "tensor/dtype.h"
#include "test.h"

/* The path of `name`, valid until this is called 16 times more. */
static inline const char *scratch_path(const char *name)
{
    static char paths[16][4096];
    static size_t next;
    char *path = paths[next++ % 16];

    snprintf(path, sizeof paths[0], "%s%s%s", test_scratch(), *name ? "/" : "", name);
    return path;
}

static inline void scratch_must(bool is_done, const char *what, const char *name)
{
    if (is_done)
        return;
    printf("# cannot %s '%s'\n", what, name);
    exit(1);
}

/* Makes the folders that `name` lies in. */
static inline void scratch_parents(const char *name)
{
    char *path = memory_copy(scratch_path(name));

    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    free(path);
}

static inline void scratch_folder(const char *name)
{
    scratch_parents(name);
    mkdir(scratch_path(name), 0777);
    scratch_must(access(scratch_path(name), W_OK) == 0, "make", name);
}

static inline void scratch_write(const char *name, const void *bytes, size_t n)
{
    FILE *file;

    scratch_parents(name);
    file = fopen(scratch_path(name), "wb");
    scratch_must(file && fwrite(bytes, 1, n, file) == n, "write", name);
    scratch_must(fclose(file) == 0, "write", name);
}

static inline void scratch_text(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text));
}

static inline void scratch_link(const char *target, const char *name)
{
    scratch_parents(name);
    unlink(scratch_path(name));
    scratch_must(symlink(target, scratch_path(name)) == 0, "link", name);
}

static inline bool scratch_exists(const char *name)
{
    struct stat info;

    return lstat(scratch_path(name), &info) == 0;
}

/* The whole file, to be freed; *n bytes and a NUL. NULL when it is not there. */
static inline char *scratch_read(const char *name, size_t *n)
{
    FILE *file = fopen(scratch_path(name), "rb");
    struct buffer bytes = {0};
    char part[4096];
    size_t got;

    if (n)
        *n = 0;
    if (!file)
        return NULL;
    buffer_add(&bytes, "", 0);
    while ((got = fread(part, 1, sizeof part, file)) > 0)
        buffer_add(&bytes, part, got);
    fclose(file);
    if (n)
        *n = bytes.size;
    return bytes.data;
}

static inline bool scratch_holds(const char *name, const char *text)
{
    size_t n;
    char *found = scratch_read(name, &n);
    bool same = found && n == strlen(text) && memcmp(found, text, n) == 0;

    if (!same)
        printf("# '%s' holds '%s', not '%s'\n", name, found ? found : "(nothing)", text);
    free(found);
    return same;
}

/* ---- safetensors files ---- */

/* A tensor to write: bytes, or, where they are NULL, items first, first + 1, first + 2 … as its
 * dtype stores them (zeros for what is neither mixable nor a whole number). */
struct scratch_tensor {
    const char *name;
    enum dtype dtype;
    double first;
    size_t n_dims, shape[4];
    const void *bytes;
};

#define SCRATCH_DIMS(...) sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t), {__VA_ARGS__}
/* TENSOR("name", DTYPE_F32, 1, 2, 3): shape [2, 3], values 1 … 6. */
#define TENSOR(name, dtype, first, ...)                                                           \
    ((struct scratch_tensor){name, dtype, first, SCRATCH_DIMS(__VA_ARGS__), NULL})
#define TENSOR_BYTES(name, dtype, bytes, ...)                                                     \
    ((struct scratch_tensor){name, dtype, 0, SCRATCH_DIMS(__VA_ARGS__), bytes})

static inline void scratch_values(const struct scratch_tensor *tensor, unsigned char *out, size_t n)
{
    const struct dtype_info *info = dtype_info(tensor->dtype);

    memset(out, 0, n * info->n_bits / 8);
    for (size_t i = 0; i < n; i++) {
        double value = tensor->first + (double)i;
        long long whole = (long long)value;

        if (info->is_mixable)
            dtype_from_double(tensor->dtype, &value, out + i * info->n_bits / 8, 1);
        else if (info->kind == DTYPE_INTEGER)
            memcpy(out + i * info->n_bits / 8, &whole, info->n_bits / 8);
        else if (info->kind == DTYPE_BOOLEAN)
            out[i] = whole % 2 != 0;
    }
}

static inline int scratch_compare(const void *a, const void *b)
{
    return safetensors_compare(*(const struct output_tensor *const *)a,
                               *(const struct output_tensor *const *)b);
}

static inline void scratch_safetensors(const char *name, const struct scratch_tensor *tensors,
                                       size_t n_tensors)
{
    struct output_tensor *made = calloc(n_tensors + 1, sizeof *made);
    const struct output_tensor **order = calloc(n_tensors + 1, sizeof *order);
    struct buffer out = {0};
    struct error err = {0};

    scratch_must(made && order, "make", name);
    for (size_t i = 0; i < n_tensors; i++) {
        made[i] = (struct output_tensor){.name = tensors[i].name, .dtype = tensors[i].dtype,
                                         .n_dims = tensors[i].n_dims, .shape = tensors[i].shape};
        scratch_must(output_tensor_measure(&made[i], &err) == 0, "measure", tensors[i].name);
        order[i] = &made[i];
    }
    qsort(order, n_tensors, sizeof *order, scratch_compare);
    safetensors_add_header(&out, order, n_tensors);
    for (size_t i = 0; i < n_tensors; i++) {
        const struct scratch_tensor *tensor = &tensors[order[i] - made];
        unsigned char *values = calloc(order[i]->size_bytes + 1, 1);

        scratch_must(values != NULL, "make", name);
        if (tensor->bytes)
            memcpy(values, tensor->bytes, order[i]->size_bytes);
        else
            scratch_values(tensor, values, order[i]->n_items);
        buffer_add(&out, values, order[i]->size_bytes);
        free(values);
    }
    scratch_write(name, out.data, out.size);
    buffer_release(&out);
    free(order);
    free(made);
}

/* SAFETENSORS("a/model.safetensors", TENSOR(…), TENSOR(…)) */
#define SAFETENSORS(name, ...)                                                                    \
    scratch_safetensors(name, (const struct scratch_tensor[]){__VA_ARGS__},                       \
                        sizeof((const struct scratch_tensor[]){__VA_ARGS__}) /                    \
                            sizeof(struct scratch_tensor))

/* Opens the weights in the folder `name`, or `file` in it. */
static inline struct checkpoint *scratch_open(const char *name, const char *file,
                                              struct notices *notices, struct error *err)
{
    struct folder *folder = folder_open(scratch_path(name), false, err);
    struct checkpoint *checkpoint = NULL;

    if (folder)
        checkpoint = checkpoint_open(folder, "", file, notices, err);
    folder_close(folder);
    return checkpoint;
}

#endif
