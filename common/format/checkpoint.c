/* checkpoint.c - find the weights of a model directory, let a reader list their tensors, read
 * values.
 *
 * Which file: the order of transformers. Which reader: a table by suffix. Shards are read one after
 * another; with an index, a tensor counts only in the file that the index names for it. */
#include "checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/folder_hint.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "base/model_files.h"
#include "format/checkpoint_reader.h"
#include "format/gguf_blocks.h"
#include "format/gguf_parts.h"
#include "format/rank_slices.h"
#include "tensor/tensor_source.h"

static const struct {
    const char *suffix;
    const struct checkpoint_reader *reader;
} readers[] = {
    {".safetensors", &safetensors_reader},
    {".bin", &torchbin_reader},
    {".pt", &torchbin_reader},
    {".pth", &torchbin_reader},
    {".gguf", &gguf_reader},
};

static const size_t index_bytes_max = 100 * 1000 * 1000;

/* ---- names of files ---- */

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);

    return n > m && strcmp(name + n - m, suffix) == 0;
}

static const struct checkpoint_reader *find_reader(const char *name)
{
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (has_suffix(name, readers[i].suffix))
            return readers[i].reader;
    return NULL;
}

/* The one *.pt or *.pth of the directory, to be freed; NULL when there is none (no error), or more
 * than one (ERROR_FORMAT). */
static char *find_lone(const struct folder *folder, const char *directory, struct error *err)
{
    char **names, *lone = NULL;
    size_t n_names;

    if (folder_list(folder, directory, &names, &n_names, err))
        return NULL;
    for (size_t i = 0; i < n_names; i++) {
        if (!model_files_is_lone_weights(names[i]))
            continue;
        if (lone) {
            error_set(err, ERROR_FORMAT, "'%s': '" ERROR_NAME "' and '" ERROR_NAME "' could both "
                      "be the weights; name the file instead of the directory", folder->path, lone,
                      names[i]);
            free(lone);
            lone = NULL;
            break;
        }
        lone = memory_copy(names[i]);
    }
    folder_names_free(names, n_names);
    return lone;
}

/* A numbered file of a directory that lacks the one with 0: what that one is called, to be freed; NULL
 * when there is none (no error), or with an error. */
static char *find_first_number(const struct folder *folder, const char *directory,
                               struct error *err)
{
    char **names, *first = NULL;
    size_t n_names;

    if (folder_list(folder, directory, &names, &n_names, err))
        return NULL;
    for (size_t i = 0; i < n_names && !first; i++)
        if (model_files_number(names[i]) > 0)
            first = model_files_numbered(names[i], 0);
    folder_names_free(names, n_names);
    return first;
}

/* The name of the weights or of their index, relative to the folder, to be freed; NULL when there
 * are none (no error), or with an error. */
static char *find_weights(const struct folder *folder, const char *directory,
                          struct model_weights_name *kind, struct error *err)
{
    char *lone, *path;

    for (size_t i = 0; i < MODEL_WEIGHTS_NAMES; i++) {
        path = folder_join(directory, model_weights_names[i].name);
        *kind = model_weights_names[i];
        if (folder_look(folder, path) != FOLDER_ABSENT)
            return path;
        free(path);
    }
    *kind = (struct model_weights_name){"consolidated", false, true};
    lone = find_first_number(folder, directory, err);
    if (!lone && !err->code) {
        *kind = (struct model_weights_name){0};
        lone = find_lone(folder, directory, err);
    }
    if (!lone)
        return NULL;
    path = folder_join(directory, lone);
    free(lone);
    return path;
}

int checkpoint_look(const struct folder *folder, const char *directory, bool *is_there,
                    struct error *err)
{
    struct model_weights_name kind;
    char *path = find_weights(folder, directory, &kind, err);

    *is_there = path != NULL;
    free(path);
    return err->code ? -1 : 0;
}

bool checkpoint_look_consolidated(const struct folder *folder, const char *directory)
{
    struct error ignored = {0};
    struct model_weights_name kind;
    char *path = find_weights(folder, directory, &kind, &ignored);

    free(path);
    return path && kind.name && model_files_is_consolidated(kind.name);
}

bool checkpoint_is_consolidated(const struct checkpoint *checkpoint)
{
    const char *name = checkpoint->files[0].name, *slash = strrchr(name, '/');

    return model_files_is_consolidated(slash ? slash + 1 : name);
}

/* ---- opening ---- */

static int add_file(struct checkpoint *checkpoint, const struct folder *folder, const char *name,
                    struct error *err)
{
    struct file *file = folder_open_file(folder, name, err);

    if (!file)
        return -1;
    checkpoint_add_file(checkpoint, file, name);
    return 0;
}

static int read_file(struct checkpoint *checkpoint, size_t index, struct error *err)
{
    static const char pointer[] = "version https://git-lfs";
    const struct file *file = checkpoint->files[index].file;
    const struct checkpoint_reader *reader = find_reader(checkpoint->files[index].name);
    unsigned char head[64];
    size_t n = file->size_bytes < sizeof head ? file->size_bytes : sizeof head;

    if (file_read(file, 0, head, n, err))
        return -1;
    if (n >= sizeof pointer - 1 && memcmp(head, pointer, sizeof pointer - 1) == 0)
        return error_set(err, ERROR_FORMAT, "'%s': a Git LFS pointer, not the weights; fetch them "
                         "with 'git lfs pull'", file->path);
    if (gguf_reader.matches(head, n) && reader != &gguf_reader) {
        if (reader || checkpoint->n_files > 1)
            return error_set(err, ERROR_FORMAT, "'%s': a GGUF file under the name of another "
                             "format; call it .gguf", file->path);
        reader = &gguf_reader; /* ollama names its files by their digests */
    }
    if (!reader)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': not a weights file that can be read "
                         "(.safetensors, .bin, .pt, .pth, .gguf)", file->path);
    if (reader->matches && !reader->matches(head, n))
        return error_set(err, ERROR_FORMAT, "'%s': not a %s file", file->path, reader->name);
    if (reader->read(checkpoint, index, err))
        return error_context(err, "'%s'", file->path);
    return 0;
}

static int check_shard_name(struct json_text name, struct error *err)
{
    if (memchr(name.bytes, '\0', name.length))
        return error_set(err, ERROR_FORMAT, "shard '" ERROR_NAME "…': a NUL in its name",
                         name.bytes);
    if (name.length == 0 || name.length > 255 || strpbrk(name.bytes, "/\\") ||
        strcmp(name.bytes, ".") == 0 || strcmp(name.bytes, "..") == 0)
        return error_set(err, ERROR_FORMAT, "shard '" ERROR_NAME "' is not a plain file name",
                         name.bytes);
    if (!find_reader(name.bytes) || find_reader(name.bytes) == &gguf_reader)
        return error_set(err, ERROR_FORMAT, "shard '" ERROR_NAME "' is not a weights file",
                         name.bytes);
    return 0;
}

/* One entry of weight_map: `tensor` has been copied, the value follows in the reader. */
static int map_tensor(struct checkpoint *checkpoint, const struct folder *folder,
                      const char *directory, const char *tensor, size_t length,
                      struct json_reader *reader, struct hash_map *file_numbers,
                      struct error *err)
{
    struct json_text name;
    size_t *number, file = checkpoint->n_files, n_mapped = checkpoint->weight_map.n_entries;

    if (memchr(tensor, '\0', length))
        return error_set(err, ERROR_FORMAT, "weight_map: tensor '" ERROR_NAME "…': a NUL in its "
                         "name", tensor);
    if (json_reader_peek(reader) != JSON_STRING)
        return error_set(err, ERROR_FORMAT, "weight_map '" ERROR_NAME "' is not a string", tensor);
    if (json_reader_string(reader, &name, err) || check_shard_name(name, err))
        return -1;
    number = hash_map_find(file_numbers, name.bytes, name.length);
    if (number) {
        file = *number;
    } else {
        char *path = folder_join(directory, name.bytes);
        int rc = folder_look(folder, path) == FOLDER_ABSENT
                     ? error_set(err, ERROR_FORMAT, "shard '%s' is missing; is the "
                                 "download complete?", path)
                     : add_file(checkpoint, folder, path, err);

        free(path);
        if (rc)
            return -1;
        hash_map_add(file_numbers, arena_copy(&checkpoint->arena, name.bytes, name.length),
                     name.length, file);
    }
    hash_map_add(&checkpoint->weight_map, tensor, length, file);
    if (checkpoint->weight_map.n_entries == n_mapped)
        return error_set(err, ERROR_FORMAT, "weight_map: duplicate tensor '" ERROR_NAME "'",
                         tensor);
    return 0;
}

static int read_weight_map(struct checkpoint *checkpoint, const struct folder *folder,
                           const char *directory, struct json_reader *reader, struct error *err)
{
    struct hash_map file_numbers = {0};
    struct json_text key;
    int more;

    if (json_reader_peek(reader) != JSON_OBJECT)
        return error_set(err, ERROR_FORMAT, "weight_map is not an object");
    json_reader_object(reader, err);
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        size_t length = key.length;
        const char *tensor = arena_copy(&checkpoint->arena, key.bytes, length);

        more = map_tensor(checkpoint, folder, directory, tensor, length, reader, &file_numbers,
                          err);
        if (more < 0)
            break;
    }
    hash_map_release(&file_numbers);
    return more;
}

static int read_index(struct checkpoint *checkpoint, const struct folder *folder,
                      const char *directory, struct json_reader *reader, struct error *err)
{
    bool has_map = false;
    struct json_text key;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        if (!json_text_is(key, "weight_map")) {
            if (json_reader_skip(reader, err))
                return -1;
            continue;
        }
        if (has_map)
            return error_set(err, ERROR_FORMAT, "duplicate key 'weight_map'");
        has_map = true;
        if (read_weight_map(checkpoint, folder, directory, reader, err))
            return -1;
    }
    if (more || json_reader_finish(reader, err))
        return -1;
    if (checkpoint->weight_map.n_entries == 0)
        return error_set(err, ERROR_FORMAT, has_map ? "weight_map is empty" : "no weight_map");
    return 0;
}

static int open_index(struct checkpoint *checkpoint, const struct folder *folder,
                      const char *directory, const char *path, struct error *err)
{
    struct json_reader reader;
    size_t size;
    char *text = folder_read_text(folder, path, index_bytes_max, &size, err);
    int rc;

    if (!text)
        return -1;
    json_reader_init(&reader, text, size);
    reader.takes_constants = true; /* Python wrote it */
    rc = read_index(checkpoint, folder, directory, &reader, err);
    if (rc)
        error_context(err, "'%s/%s'", folder->path, path);
    json_reader_release(&reader);
    free(text);
    return rc;
}

/* The highest number of the files that are called like `first`, which has 0. */
static int find_last_number(const struct folder *folder, const char *first, unsigned *last,
                            struct error *err)
{
    const char *slash = strrchr(first, '/'), *ending = strrchr(first, '.');
    char *directory = memory_format("%.*s", slash ? (int)(slash - first) : 0, first), **names;
    size_t n_names;
    int rc = folder_list(folder, directory, &names, &n_names, err);

    *last = 0;
    free(directory);
    if (rc)
        return -1;
    for (size_t i = 0; i < n_names; i++) {
        int number = model_files_number(names[i]);

        if (number > 0 && (unsigned)number > *last && has_suffix(names[i], ending))
            *last = (unsigned)number;
    }
    folder_names_free(names, n_names);
    return 0;
}

/* Files that hold the next layers, or slices of the same ones. */
static int add_numbered_files(struct checkpoint *checkpoint, const struct folder *folder,
                              const char *first, struct error *err)
{
    unsigned last;

    if (find_last_number(folder, first, &last, err))
        return -1;
    for (unsigned i = 0; i <= last; i++) {
        char *path = model_files_numbered(first, i);
        int rc = folder_look(folder, path) == FOLDER_ABSENT
                     ? error_set(err, ERROR_FORMAT, "'%s/%s' is missing, though there are others "
                                 "up to number %02u; is the download complete?", folder->path,
                                 path, last)
                     : add_file(checkpoint, folder, path, err);

        free(path);
        if (rc)
            return -1;
    }
    checkpoint->has_ranks = last > 0;
    return 0;
}

/* The parts of a split GGUF model, in the order of their numbers; `path` is one of them. */
static int add_parts(struct checkpoint *checkpoint, const struct folder *folder, const char *path,
                     struct error *err)
{
    unsigned number, n_parts;

    if (!gguf_parts_name(path, &number, &n_parts))
        return add_file(checkpoint, folder, path, err);
    if (number == 0 || number > n_parts)
        return error_set(err, ERROR_FORMAT, "'%s/%s': its name says part %u of %u", folder->path,
                         path, number, n_parts);
    for (unsigned i = 1; i <= n_parts; i++) {
        char *part = gguf_parts_path(path, i);
        int rc = folder_look(folder, part) == FOLDER_ABSENT
                     ? error_set(err, ERROR_FORMAT, "'%s/%s' is missing, one of %u parts; is the "
                                 "download complete?", folder->path, part, n_parts)
                     : add_file(checkpoint, folder, part, err);

        free(part);
        if (rc)
            return -1;
    }
    return 0;
}

static int finish_gguf(struct checkpoint *checkpoint, struct error *err)
{
    return gguf_parts_finish(checkpoint, err) || gguf_blocks_apply_scales(checkpoint, err) ? -1
                                                                                           : 0;
}

static int check_mapped(const struct checkpoint *checkpoint, struct error *err)
{
    const struct hash_map *map = &checkpoint->weight_map;

    for (size_t i = 0; i < map->n_slots; i++)
        if (map->slots[i].key && !hash_map_find(&checkpoint->by_name, map->slots[i].key,
                                                map->slots[i].length))
            return error_set(err, ERROR_FORMAT, "'%s': tensor '" ERROR_NAME "' is not in it, "
                             "though the index says so",
                             checkpoint->files[map->slots[i].value].file->path,
                             map->slots[i].key);
    return 0;
}

static int open_all(struct checkpoint *checkpoint, const struct folder *folder,
                    const char *directory, const char *path,
                    const struct model_weights_name *kind,
                    struct notices *notices, struct error *err)
{
    if (kind->is_index)
        checkpoint->index = arena_copy(&checkpoint->arena, path, strlen(path));
    if (kind->is_index      ? open_index(checkpoint, folder, directory, path, err)
        : kind->is_numbered ? add_numbered_files(checkpoint, folder, path, err)
                            : add_parts(checkpoint, folder, path, err))
        return -1;
    for (size_t i = 0; i < checkpoint->n_files; i++)
        if (read_file(checkpoint, i, err))
            return -1;
    if (check_mapped(checkpoint, err))
        return -1;
    if (checkpoint->has_ranks && rank_slices_join(checkpoint, err))
        return error_context(err, "'%s'", folder->path);
    if (checkpoint->n_tensors == 0)
        return error_set(err, ERROR_FORMAT, "'%s/%s': no tensors in it", folder->path, path);
    if (checkpoint->gguf && finish_gguf(checkpoint, err))
        return error_context(err, "'%s/%s'", folder->path, path);
    if (checkpoint->n_unmapped)
        notices_add(notices, "'%s/%s': %zu tensors in the shards that the index does not name are "
                    "left out", folder->path, path, checkpoint->n_unmapped);
    hash_map_release(&checkpoint->weight_map);
    return 0;
}

static void no_weights(const struct folder *folder, const char *directory, struct error *err)
{
    char *hint = folder_hint(folder, directory, NULL, NULL, true);

    error_set(err, ERROR_FORMAT, "'%s%s%s': no weights (looked for model.safetensors, "
              "pytorch_model.bin, their index files, consolidated.*, and a single *.pt or *.pth)%s",
              folder->path, *directory ? "/" : "", directory, hint);
    free(hint);
}

struct checkpoint *checkpoint_open(const struct folder *folder, const char *directory,
                                   const char *file, struct notices *notices, struct error *err)
{
    struct checkpoint *checkpoint;
    struct model_weights_name kind = {0};
    char *path = file ? folder_join(directory, file)
                      : find_weights(folder, directory, &kind, err);

    if (!path) {
        no_weights(folder, directory, err);
        return NULL;
    }
    checkpoint = memory_zalloc(1, sizeof *checkpoint);
    if (open_all(checkpoint, folder, directory, path, &kind, notices, err)) {
        checkpoint_close(checkpoint);
        checkpoint = NULL;
    }
    free(path);
    return checkpoint;
}

struct checkpoint *checkpoint_reopen(const struct checkpoint *of)
{
    struct checkpoint *checkpoint = memory_zalloc(1, sizeof *checkpoint);

    *checkpoint = *of;
    checkpoint->is_reopened = true;
    checkpoint->replaced = NULL;
    checkpoint->n_replaced = 0;
    checkpoint->weight_map = (struct hash_map){0};
    checkpoint->arena = (struct arena){0};
    return checkpoint;
}

static void close_files(struct checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->n_files; i++)
        file_close(checkpoint->files[i].file);
    free(checkpoint->files);
    free(checkpoint->metadata);
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    if (!checkpoint->is_reopened)
        close_files(checkpoint);
    if (!checkpoint->is_reopened || checkpoint->n_replaced) {
        free(checkpoint->tensors);
        hash_map_release(&checkpoint->by_name);
    }
    for (size_t i = 0; i < checkpoint->n_replaced; i++)
        free(checkpoint->replaced[i]);
    free(checkpoint->replaced);
    hash_map_release(&checkpoint->weight_map);
    arena_release(&checkpoint->arena);
    free(checkpoint);
}

void checkpoint_unmap(const struct checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->n_files; i++)
        file_unmap(checkpoint->files[i].file);
}
