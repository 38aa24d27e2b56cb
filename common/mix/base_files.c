#include "base_files.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/model_files.h"

enum { DEPTH_MAX = 16 };

struct lister {
    struct base_files *files;
    const struct folder *folder;
    const char *const *handled;
    const char *output;
};

static void add_path(char ***list, size_t *n, char *path)
{
    *list = memory_resize(*list, *n + 1, sizeof **list);
    (*list)[(*n)++] = path;
}

/* The target of the merge, or what it is written into, standing in the base's folder. */
static bool is_output(const struct lister *lister, const char *path)
{
    char *real = folder_join(lister->folder->real, path);
    char *output = lister->output ? memory_realpath(lister->output) : NULL;
    bool result = (output && strcmp(real, output) == 0) ||
                  fnmatch("*.cocktail-partial", path, 0) == 0;

    free(real);
    free(output);
    return result;
}

static int list_folder(const struct lister *lister, const char *directory, size_t depth,
                       struct error *err);

static bool is_handled(const struct lister *lister, const char *path)
{
    for (size_t i = 0; lister->handled[i]; i++)
        if (strcmp(path, lister->handled[i]) == 0)
            return true;
    return false;
}

/* `path` = directory/name; taken over by this function. */
static int list_file(const struct lister *lister, char *path, const char *name, struct error *err)
{
    struct base_files *files = lister->files;
    struct file *file;

    if (model_files_is_weights(name) || model_files_is_stale(name)) {
        add_path(&files->left_out, &files->n_left_out, path);
        return 0;
    }
    add_path(&files->kept, &files->n_kept, path);
    file = folder_open_file(lister->folder, path, err);
    if (!file)
        return -1;
    files->kept_sizes = memory_resize(files->kept_sizes, files->n_kept, sizeof *files->kept_sizes);
    files->kept_sizes[files->n_kept - 1] = file->size_bytes;
    files->kept_bytes += file->size_bytes;
    file_close(file);
    return 0;
}

static int list_entry(const struct lister *lister, const char *directory, const char *name,
                      size_t depth, struct error *err)
{
    char *path = folder_join(directory, name);
    int rc = 0;

    if (is_output(lister, path) || is_handled(lister, path)) {
        free(path);
        return 0;
    }
    if (folder_look(lister->folder, path) != FOLDER_DIRECTORY)
        return list_file(lister, path, name, err);
    if (model_files_is_stale_folder(name)) {
        add_path(&lister->files->left_out, &lister->files->n_left_out,
                 memory_format("%s/", path));
    } else if (depth == DEPTH_MAX) {
        rc = error_set(err, ERROR_FORMAT, "'%s/" ERROR_NAME "': folders nested deeper than %d",
                       lister->folder->path, path, DEPTH_MAX);
    } else {
        rc = list_folder(lister, path, depth + 1, err);
    }
    free(path);
    return rc;
}

static int list_folder(const struct lister *lister, const char *directory, size_t depth,
                       struct error *err)
{
    char **names;
    size_t n_names;
    int rc;

    rc = folder_list(lister->folder, directory, &names, &n_names, err);
    for (size_t i = 0; rc == 0 && i < n_names; i++)
        rc = list_entry(lister, directory, names[i], depth, err);
    folder_names_free(names, n_names);
    return rc;
}

int base_files_list(struct base_files *files, const struct folder *folder,
                    const char *const *handled, const char *output, struct error *err)
{
    struct lister lister = {files, folder, handled, output};

    *files = (struct base_files){0};
    if (list_folder(&lister, "", 0, err)) {
        base_files_release(files);
        return -1;
    }
    return 0;
}

void base_files_release(struct base_files *files)
{
    folder_names_free(files->kept, files->n_kept);
    folder_names_free(files->left_out, files->n_left_out);
    free(files->kept_sizes);
    *files = (struct base_files){0};
}

bool base_files_keeps(const struct base_files *files, const char *path)
{
    for (size_t i = 0; i < files->n_kept; i++)
        if (strcmp(files->kept[i], path) == 0)
            return true;
    return false;
}

/* `size_bytes`: what it had when it was listed. */
static int copy_file(const struct folder *folder, const char *name, size_t size_bytes,
                     struct outdir *outdir, char *bytes, size_t n_bytes, struct error *err)
{
    struct file *file = folder_open_file(folder, name, err);
    int fd = file ? outdir_create(outdir, name, err) : -1, rc = fd < 0 ? -1 : 0;

    if (rc == 0 && file->size_bytes != size_bytes)
        rc = error_set(err, ERROR_IO, "'%s': %zu bytes, %zu when the merge began; is something "
                       "writing to it?", file->path, file->size_bytes, size_bytes);
    for (size_t done = 0; rc == 0 && done < file->size_bytes;) {
        size_t n = file->size_bytes - done < n_bytes ? file->size_bytes - done : n_bytes;

        rc = interrupt_check(err) || file_read(file, done, bytes, n, err) ||
                     outdir_write_at(fd, done, bytes, n, name, err)
                 ? -1
                 : 0;
        done += n;
    }
    if (fd >= 0 && close(fd) && rc == 0)
        rc = error_errno(err, "cannot write '%s'", name);
    file_close(file);
    return rc;
}

int base_files_copy(const struct base_files *files, const struct folder *folder,
                    struct outdir *outdir, struct error *err)
{
    enum { BYTES = 1 << 20 };
    char *bytes = memory_alloc(BYTES);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < files->n_kept; i++)
        rc = copy_file(folder, files->kept[i], files->kept_sizes[i], outdir, bytes, BYTES, err);
    free(bytes);
    return rc;
}
