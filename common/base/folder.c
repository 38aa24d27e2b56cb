#include "folder.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

struct folder_entry {
    char *name;  /* relative */
    char *bytes; /* NULL: it stands on the disk */
    size_t n_bytes;
    bool is_hidden;
    bool is_borrowed; /* the bytes are another folder's */
};

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

static void drop_bytes(struct folder_entry *entry)
{
    if (!entry->is_borrowed)
        free(entry->bytes);
    entry->bytes = NULL;
    entry->is_borrowed = false;
}

void folder_close(struct folder *folder)
{
    if (!folder)
        return;
    free(folder->path);
    free(folder->real);
    free(folder->blobs);
    free(folder->shared);
    for (size_t i = 0; i < folder->n_entries; i++) {
        free(folder->entries[i].name);
        drop_bytes(&folder->entries[i]);
    }
    free(folder->entries);
    free(folder);
}

struct folder *folder_reopen(const struct folder *of)
{
    struct folder *folder = memory_zalloc(1, sizeof *folder);

    *folder = *of;
    folder->path = memory_copy(of->path);
    folder->real = memory_copy(of->real);
    folder->blobs = of->blobs ? memory_copy(of->blobs) : NULL;
    folder->shared = of->shared ? memory_copy(of->shared) : NULL;
    folder->entries = memory_zalloc(of->n_entries, sizeof *folder->entries);
    for (size_t i = 0; i < of->n_entries; i++) {
        folder->entries[i] = of->entries[i];
        folder->entries[i].name = memory_copy(of->entries[i].name);
        folder->entries[i].is_borrowed = true;
    }
    return folder;
}

void folder_call(struct folder *folder, const char *name)
{
    free(folder->path);
    folder->path = memory_copy(name);
}

/* ---- files that are shown or made ---- */

static struct folder_entry *find_entry(const struct folder *folder, const char *name)
{
    for (size_t i = 0; i < folder->n_entries; i++)
        if (strcmp(folder->entries[i].name, name) == 0)
            return &folder->entries[i];
    return NULL;
}

/* The rest of the entry's path below the directory; NULL when it is not in it. */
static const char *below(const struct folder_entry *entry, const char *directory)
{
    size_t length = strlen(directory);

    if (entry->is_hidden)
        return NULL;
    if (length == 0)
        return entry->name;
    return strncmp(entry->name, directory, length) == 0 && entry->name[length] == '/'
               ? entry->name + length + 1
               : NULL;
}

static bool is_directory_of_entries(const struct folder *folder, const char *name)
{
    for (size_t i = 0; i < folder->n_entries; i++)
        if (below(&folder->entries[i], name))
            return true;
    return false;
}

static struct folder_entry *add_entry(struct folder *folder, const char *name)
{
    struct folder_entry *entry = find_entry(folder, name);

    if (entry)
        return entry;
    folder->entries = memory_resize(folder->entries, folder->n_entries + 1,
                                    sizeof *folder->entries);
    entry = &folder->entries[folder->n_entries++];
    *entry = (struct folder_entry){.name = memory_copy(name)};
    return entry;
}

void folder_restrict(struct folder *folder)
{
    folder->is_restricted = true;
}

void folder_show(struct folder *folder, const char *name)
{
    add_entry(folder, name);
}

void folder_add(struct folder *folder, const char *name, char *bytes, size_t n_bytes)
{
    struct folder_entry *entry = add_entry(folder, name);

    drop_bytes(entry);
    entry->bytes = bytes;
    entry->n_bytes = n_bytes;
    entry->is_hidden = false;
}

void folder_hide(struct folder *folder, const char *name)
{
    struct folder_entry *entry = add_entry(folder, name);

    drop_bytes(entry);
    *entry = (struct folder_entry){.name = entry->name, .is_hidden = true};
}

/* ---- links ---- */

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
    const struct folder_entry *entry = find_entry(folder, name);
    enum folder_kind kind = FOLDER_ABSENT;
    struct stat info;
    char *joined;

    if (entry && entry->bytes)
        return FOLDER_FILE;
    if (entry && entry->is_hidden)
        return FOLDER_ABSENT;
    if (!entry && is_directory_of_entries(folder, name))
        return FOLDER_DIRECTORY;
    if (!entry && folder->is_restricted)
        return FOLDER_ABSENT;
    joined = folder_join(folder->real, name);
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
    const struct folder_entry *entry = find_entry(folder, name);
    char *shown = folder_join(folder->path, name), *real = NULL;
    struct file *file = NULL;

    if (entry && entry->bytes)
        file = file_open_memory(entry->bytes, entry->n_bytes, shown);
    else if (entry ? entry->is_hidden : folder->is_restricted)
        error_set(err, ERROR_FORMAT, "'%s/" ERROR_NAME "': no such file", folder->path, name);
    else if ((real = resolve(folder, name, err)))
        file = file_open(real, shown, err);
    free(real);
    free(shown);
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

static void add_name(char *name, char ***names, size_t *n_names)
{
    *names = memory_resize(*names, *n_names + 1, sizeof **names);
    (*names)[(*n_names)++] = name;
}

/* The entries in the sub-folder, and the first part of those deeper in it. */
static void list_entries(const struct folder *folder, const char *name, char ***names,
                         size_t *n_names)
{
    for (size_t i = 0; i < folder->n_entries; i++) {
        const char *rest = below(&folder->entries[i], name);

        if (rest)
            add_name(memory_format("%.*s", (int)strcspn(rest, "/"), rest), names, n_names);
    }
}

static bool is_hidden(const struct folder *folder, const char *directory, const char *name)
{
    char *path = folder_join(directory, name);
    const struct folder_entry *entry = find_entry(folder, path);

    free(path);
    return entry && entry->is_hidden;
}

static int list_disk(const struct folder *folder, const char *name, char ***names, size_t *n_names,
                     struct error *err)
{
    char *real = resolve(folder, *name ? name : ".", err);
    DIR *directory = real ? opendir(real) : NULL;
    struct dirent *entry;

    free(real);
    if (!directory)
        return error_errno(err, "cannot list '%s/%s'", folder->path, name);
    for (errno = 0; (entry = readdir(directory)); errno = 0) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!is_hidden(folder, name, entry->d_name))
            add_name(memory_copy(entry->d_name), names, n_names);
    }
    if (errno)
        error_errno(err, "cannot list '%s/%s'", folder->path, name);
    closedir(directory);
    return err->code ? -1 : 0;
}

static bool is_on_disk(const struct folder *folder, const char *name)
{
    char *joined = folder_join(folder->real, name);
    struct stat info;
    bool is_there = lstat(joined, &info) == 0;

    free(joined);
    return is_there;
}

static void drop_duplicates(char **names, size_t *n_names)
{
    size_t n = 0;

    for (size_t i = 0; i < *n_names; i++) {
        if (n > 0 && strcmp(names[n - 1], names[i]) == 0)
            free(names[i]);
        else
            names[n++] = names[i];
    }
    *n_names = n;
}

int folder_list(const struct folder *folder, const char *name, char ***names, size_t *n_names,
                struct error *err)
{
    *names = NULL;
    *n_names = 0;
    list_entries(folder, name, names, n_names);
    if (!folder->is_restricted && (*n_names == 0 || is_on_disk(folder, name)) &&
        list_disk(folder, name, names, n_names, err)) {
        folder_names_free(*names, *n_names);
        *names = NULL;
        *n_names = 0;
        return -1;
    }
    if (*n_names)
        qsort(*names, *n_names, sizeof **names, compare_names);
    drop_duplicates(*names, n_names);
    return 0;
}

void folder_names_free(char **names, size_t n_names)
{
    for (size_t i = 0; i < n_names; i++)
        free(names[i]);
    free(names);
}
