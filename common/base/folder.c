#include "folder.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

char *folder_join(const char *directory, const char *name)
{
    return *directory ? memory_format("%s/%s", directory, name) : memory_copy(name);
}

/* REPO/blobs and CACHE/blobs for a folder at or below CACHE/REPO/snapshots/COMMIT, where REPO is
 * named as the Hub cache names it (docs/formats.md, "The Hub"); else both stay NULL. */
static void find_blobs(struct folder *folder)
{
    const char *real = folder->real, *snapshots = real, *repository;

    /* Folders further up may be named snapshots, too. */
    while ((snapshots = strstr(snapshots, "/snapshots/"))) {
        for (repository = snapshots; repository > real && repository[-1] != '/'; repository--)
            ;
        if (strncmp(repository, "models--", 8) == 0) {
            folder->blobs = memory_format("%.*s/blobs", (int)(snapshots - real), real);
            folder->shared = memory_format("%.*sblobs", (int)(repository - real), real);
            return;
        }
        snapshots++;
    }
}

struct folder *folder_open(const char *path, bool follow_symlinks, struct error *err)
{
    struct stat info;
    struct folder *folder;
    size_t length = strlen(path);
    char *real;

    if (stat(path, &info)) {
        error_set(err, ERROR_USAGE, "'%s': no such directory", path);
        return NULL;
    }
    if (!S_ISDIR(info.st_mode)) {
        error_set(err, ERROR_USAGE, "'%s': is no directory; give the one that holds it", path);
        return NULL;
    }
    real = memory_realpath(path);
    if (!real) {
        error_errno(err, "cannot open '%s'", path);
        return NULL;
    }
    while (length > 1 && path[length - 1] == '/')
        length--;
    folder = memory_zalloc(1, sizeof *folder);
    folder->path = memory_format("%.*s", (int)length, path);
    folder->real = real;
    find_blobs(folder);
    folder->follow_symlinks = follow_symlinks;
    return folder;
}

void folder_close(struct folder *folder)
{
    if (!folder)
        return;
    free(folder->path);
    free(folder->real);
    free(folder->blobs);
    free(folder->shared);
    free(folder);
}

void folder_call(struct folder *folder, const char *name)
{
    free(folder->path);
    folder->path = memory_copy(name);
}

/* Whether it is the directory or lies in it. */
static bool is_inside(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    assert(path);
    if (length == 1) /* "/" */
        return true;
    return strncmp(path, directory, length) == 0 &&
           (path[length] == '/' || path[length] == '\0');
}

/* The absolute path that `name` resolves to, checked to be ours to read. */
static char *resolve(const struct folder *folder, const char *name, struct error *err)
{
    char *joined = folder_join(folder->real, name), *real = memory_realpath(joined);
    int cause = errno;
    struct stat info;

    if (!real && (cause == ENOENT || cause == ENOTDIR))
        error_set(err, ERROR_FORMAT, "'%s/" ERROR_NAME "': %s", folder->path, name,
                  lstat(joined, &info) == 0 ? "a symbolic link to nothing" : "no such file");
    else if (!real && cause == ELOOP)
        error_set(err, ERROR_FORMAT, "'%s/" ERROR_NAME "': symbolic links in a circle",
                  folder->path, name);
    else if (!real && (errno = cause))
        error_errno(err, "cannot open '%s/" ERROR_NAME "'", folder->path, name);
    else if (!folder->follow_symlinks && !is_inside(real, folder->real) &&
             !(folder->blobs && is_inside(real, folder->blobs)) &&
             !(folder->shared && is_inside(real, folder->shared))) {
        error_set(err, ERROR_FORMAT, "'%s/" ERROR_NAME "': a symbolic link that leads out of the "
                  "model directory; allow it with --follow-symlinks", folder->path, name);
        free(real);
        real = NULL;
    }
    free(joined);
    return real;
}

enum folder_kind folder_look(const struct folder *folder, const char *name)
{
    struct stat info;
    char *joined = folder_join(folder->real, name);
    enum folder_kind kind = FOLDER_ABSENT;

    if (stat(joined, &info) == 0)
        kind = S_ISREG(info.st_mode)   ? FOLDER_FILE
               : S_ISDIR(info.st_mode) ? FOLDER_DIRECTORY
                                       : FOLDER_OTHER;
    else if (lstat(joined, &info) == 0)
        kind = FOLDER_FILE;
    free(joined);
    return kind;
}

struct file *folder_open_file(const struct folder *folder, const char *name, struct error *err)
{
    char *real = resolve(folder, name, err);
    struct file *file = NULL;

    if (real) {
        char *shown = folder_join(folder->path, name);

        file = file_open(real, shown, err);
        free(shown);
    }
    free(real);
    return file;
}

char *folder_read_text(const struct folder *folder, const char *name, size_t limit, size_t *size,
                       struct error *err)
{
    struct file *file = folder_open_file(folder, name, err);
    char *text = file ? file_read_text(file, limit, size, err) : NULL;

    file_close(file);
    return text;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int folder_list(const struct folder *folder, const char *name, char ***names, size_t *n_names,
                struct error *err)
{
    char *real = resolve(folder, *name ? name : ".", err);
    DIR *directory = real ? opendir(real) : NULL;
    struct dirent *entry;

    *names = NULL;
    *n_names = 0;
    free(real);
    if (!directory)
        return error_errno(err, "cannot list '%s/%s'", folder->path, name);
    for (errno = 0; (entry = readdir(directory)); errno = 0) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        *names = memory_resize(*names, *n_names + 1, sizeof **names);
        (*names)[(*n_names)++] = memory_copy(entry->d_name);
    }
    if (errno)
        error_errno(err, "cannot list '%s/%s'", folder->path, name);
    closedir(directory);
    if (err->code) {
        folder_names_free(*names, *n_names);
        *names = NULL;
        *n_names = 0;
        return -1;
    }
    if (*n_names)
        qsort(*names, *n_names, sizeof **names, compare_names);
    return 0;
}

void folder_names_free(char **names, size_t n_names)
{
    for (size_t i = 0; i < n_names; i++)
        free(names[i]);
    free(names);
}
