#include "checkpoint_reader.h"

#include <string.h>

#include "base/memory.h"

/* ---- tensors ---- */

int checkpoint_add_tensor(struct checkpoint *checkpoint, const struct tensor *found,
                          size_t name_length, struct error *err)
{
    struct tensor tensor = *found;
    size_t n = checkpoint->n_tensors, *mapped, *sizes;

    if (memchr(found->name, '\0', name_length))
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "…': a NUL in its name",
                         found->name);
    mapped = hash_map_find(&checkpoint->weight_map, found->name, name_length);
    if (checkpoint->weight_map.n_entries &&
        (!mapped || checkpoint->files[*mapped].source != found->source)) {
        checkpoint->n_unmapped++;
        return 0;
    }
    tensor.name = arena_copy(&checkpoint->arena, found->name, name_length);
    if (hash_map_add(&checkpoint->by_name, tensor.name, name_length, n) != n &&
        !checkpoint->has_ranks)
        return error_set(err, ERROR_FORMAT, "duplicate tensor '" ERROR_NAME "'", tensor.name);
    if (tensor_measure(&tensor, err))
        return error_context(err, "tensor '" ERROR_NAME "'", tensor.name);
    sizes = arena_alloc(&checkpoint->arena, tensor.n_dims * sizeof *sizes);
    if (tensor.n_dims)
        memcpy(sizes, tensor.shape, tensor.n_dims * sizeof *sizes);
    tensor.shape = sizes;
    if (tensor.strides) {
        sizes = arena_alloc(&checkpoint->arena, tensor.n_dims * sizeof *sizes);
        tensor.strides = memcpy(sizes, tensor.strides, tensor.n_dims * sizeof *sizes);
    }
    if ((n & (n - 1)) == 0) /* doubles at powers of two */
        checkpoint->tensors = memory_resize(checkpoint->tensors, n ? 2 * n : 1, sizeof tensor);
    checkpoint->tensors[checkpoint->n_tensors++] = tensor;
    return 0;
}

int checkpoint_replace_tensors(struct checkpoint *checkpoint, struct tensor *tensors,
                               size_t n_tensors, struct error *err)
{
    bool is_borrowed = checkpoint->is_reopened && checkpoint->n_replaced == 0;

    checkpoint->replaced = memory_resize(checkpoint->replaced, checkpoint->n_replaced + 1,
                                         sizeof *checkpoint->replaced);
    checkpoint->replaced[checkpoint->n_replaced++] = is_borrowed ? NULL : checkpoint->tensors;
    checkpoint->tensors = tensors;
    checkpoint->n_tensors = n_tensors;
    if (is_borrowed)
        checkpoint->by_name = (struct hash_map){0};
    hash_map_release(&checkpoint->by_name);
    for (size_t i = 0; i < n_tensors; i++)
        if (hash_map_add(&checkpoint->by_name, tensors[i].name, strlen(tensors[i].name), i) != i)
            return error_set(err, ERROR_FORMAT, "duplicate tensor '" ERROR_NAME "'",
                             tensors[i].name);
    return 0;
}

void checkpoint_add_metadata(struct checkpoint *checkpoint, const char *key, const char *value)
{
    for (size_t i = 0; i < checkpoint->n_metadata; i++)
        if (strcmp(checkpoint->metadata[i].key, key) == 0)
            return; /* every shard repeats it */
    checkpoint->metadata = memory_resize(checkpoint->metadata, checkpoint->n_metadata + 1,
                                         sizeof *checkpoint->metadata);
    checkpoint->metadata[checkpoint->n_metadata++] = (struct checkpoint_metadata){
        arena_copy(&checkpoint->arena, key, strlen(key)),
        arena_copy(&checkpoint->arena, value, strlen(value)),
    };
}

/* ---- files as sources ---- */

struct file_source {
    struct tensor_source source;
    struct file *file;
    const char *name;
};

static int file_source_read(const struct tensor_source *source, size_t offset, size_t n_bytes,
                            void *out, struct error *err)
{
    return file_read(((const struct file_source *)source)->file, offset, out, n_bytes, err);
}

static const void *file_source_view(const struct tensor_source *source, size_t offset,
                                    struct error *err)
{
    const char *map = file_map(((const struct file_source *)source)->file, err);

    return map ? map + offset : NULL;
}

static void file_source_describe(const struct tensor_source *source, struct buffer *out)
{
    buffer_add_text(out, ((const struct file_source *)source)->name);
}

static const struct tensor_source_kind file_source_kind = {
    .read = file_source_read, .view = file_source_view, .describe = file_source_describe,
};

void checkpoint_add_file(struct checkpoint *checkpoint, struct file *file, const char *name)
{
    struct file_source *source = arena_alloc(&checkpoint->arena, sizeof *source);
    const char *kept = arena_copy(&checkpoint->arena, name, strlen(name));

    *source = (struct file_source){{&file_source_kind}, file, kept};
    checkpoint->files = memory_resize(checkpoint->files, checkpoint->n_files + 1,
                                      sizeof *checkpoint->files);
    checkpoint->files[checkpoint->n_files++] =
        (struct checkpoint_file){file, kept, &source->source};
}
