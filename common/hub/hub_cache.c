#include "hub_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/outdir.h"
#include "hub/hub_id.h"

enum { DEPTH_MAX = 32, HASH_BYTES = 1 << 20 };
static const size_t tree_bytes_max = 100 * 1000 * 1000;

void hub_cache_init(struct hub_cache *cache, const struct hub_settings *settings,
                    const char *repository)
{
    const char *slash = strchr(repository, '/'), *name = slash ? slash + 1 : repository;
    char *folder = memory_format("models--%.*s%s%s", (int)(slash ? slash - repository : 0),
                                 repository, slash ? "--" : "", name);

    *cache = (struct hub_cache){
        .root = memory_copy(settings->cache),
        .repository = memory_format("%s/%s", settings->cache, folder),
        .locks = memory_format("%s/.locks/%s", settings->cache, folder),
        .has_no_symlinks = settings->has_no_symlinks,
    };
    free(folder);
}

void hub_cache_release(struct hub_cache *cache)
{
    free(cache->root);
    free(cache->repository);
    free(cache->locks);
    *cache = (struct hub_cache){0};
}

/* ---- paths ---- */

char *hub_cache_snapshot_path(const struct hub_cache *cache, const char *commit)
{
    return memory_format("%s/snapshots/%s", cache->repository, commit);
}

char *hub_cache_blob_path(const struct hub_cache *cache, const struct hub_file *file)
{
    return memory_format("%s/blobs/%s", cache->repository, file->blob);
}

char *hub_cache_incomplete_path(const struct hub_cache *cache, const struct hub_file *file)
{
    return memory_format("%s/blobs/%s.incomplete", cache->repository, file->blob);
}

static char *pointer_path(const struct hub_cache *cache, const char *commit,
                          const struct hub_file *file)
{
    return memory_format("%s/snapshots/%s/%s", cache->repository, commit, file->path);
}

/* ---- reading ---- */

/* A small file of the cache, links followed; NULL when it cannot be read, for whatever reason. */
static char *read_small(const char *path, size_t limit, size_t *size)
{
    struct error ignored = {0};
    char *real = memory_realpath(path), *text = NULL;
    struct file *file = real ? file_open(real, path, &ignored) : NULL;

    if (file)
        text = file_read_text(file, limit, size, &ignored);
    file_close(file);
    free(real);
    return text;
}

bool hub_cache_has_repository(const struct hub_cache *cache)
{
    char *path = memory_format("%s/snapshots", cache->repository);
    struct stat info;
    bool has = stat(path, &info) == 0 && S_ISDIR(info.st_mode);

    free(path);
    return has;
}

bool hub_cache_find_ref(const struct hub_cache *cache, const char *revision,
                        char commit[HUB_COMMIT_SIZE])
{
    char *path = memory_format("%s/refs/%s", cache->repository, revision);
    char *text = read_small(path, 1000, NULL);
    bool is_found = false;

    if (text) {
        text[strcspn(text, "\r\n")] = '\0';
        is_found = hub_id_is_commit(text);
    }
    if (is_found)
        memcpy(commit, text, HUB_COMMIT_SIZE);
    free(text);
    free(path);
    return is_found;
}

static bool has_size(const char *path, size_t size_bytes)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && (size_t)info.st_size == size_bytes;
}

bool hub_cache_has_file(const struct hub_cache *cache, const char *commit,
                        const struct hub_file *file)
{
    char *path = pointer_path(cache, commit, file);
    bool result = has_size(path, file->size_bytes);

    free(path);
    return result;
}

bool hub_cache_has_blob(const struct hub_cache *cache, const struct hub_file *file)
{
    char *path = hub_cache_blob_path(cache, file);
    bool result = has_size(path, file->size_bytes);

    free(path);
    return result;
}

/* Adds the regular files below `directory`, which is `name` in the snapshot. */
static int list_folder(const char *directory, const char *name, size_t depth,
                       struct hub_listing *listing, struct error *err)
{
    DIR *entries;
    struct dirent *entry;
    int rc = 0;

    if (depth == DEPTH_MAX)
        return error_set(err, ERROR_IO, "'%s': folders nested deeper than %d", directory,
                         DEPTH_MAX);
    entries = opendir(directory);
    if (!entries)
        return error_errno(err, "cannot list '%s'", directory);
    while (rc == 0 && (entry = readdir(entries))) {
        char *path, *inner;
        struct stat info;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        path = folder_join(directory, entry->d_name);
        inner = folder_join(name, entry->d_name);
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            rc = list_folder(path, inner, depth + 1, listing, err);
        } else if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            hub_listing_add(listing, &(struct hub_file){.path = inner,
                                                        .size_bytes = (size_t)info.st_size});
            inner = NULL;
        }
        free(inner);
        free(path);
    }
    closedir(entries);
    return rc;
}

int hub_cache_list(const struct hub_cache *cache, const char *commit, struct hub_listing *listing,
                   struct error *err)
{
    char *path = hub_cache_snapshot_path(cache, commit);
    int rc = list_folder(path, "", 0, listing, err);

    free(path);
    if (rc == 0)
        rc = hub_listing_finish(listing, err);
    if (rc)
        hub_listing_release(listing);
    return rc;
}

bool hub_cache_find_tree(const struct hub_cache *cache, const char *commit,
                         struct hub_listing *listing)
{
    char *path = memory_format("%s/trees/%s.json", cache->repository, commit);
    size_t size;
    char *text = read_small(path, tree_bytes_max, &size);
    struct error ignored = {0};
    bool is_found = text && hub_listing_parse_tree(listing, text, size, &ignored) == 0;

    free(text);
    free(path);
    return is_found;
}

bool hub_cache_has_pointer(const struct hub_cache *cache, const char *commit, const char *path)
{
    char *pointer = memory_format("%s/snapshots/%s/%s", cache->repository, commit, path);
    struct stat info;
    bool has = lstat(pointer, &info) == 0;

    free(pointer);
    return has;
}

/* The file that has the content: the pointer in the snapshot, or else the blob. */
static struct file *open_content(const struct hub_cache *cache, const char *commit,
                                 const struct hub_file *file, struct error *err)
{
    bool has_pointer = hub_cache_has_file(cache, commit, file);
    char *path = has_pointer ? pointer_path(cache, commit, file) : hub_cache_blob_path(cache, file);
    char *real = memory_realpath(path);
    struct file *opened = real ? file_open(real, path, err) : NULL;

    if (!real)
        error_errno(err, "cannot open '%s'", path);
    free(real);
    free(path);
    return opened;
}

int hub_cache_read(const struct hub_cache *cache, const char *commit, const struct hub_file *file,
                   size_t limit, struct buffer *out, struct error *err)
{
    struct file *opened = open_content(cache, commit, file, err);
    size_t size;
    char *text = opened ? file_read_text(opened, limit, &size, err) : NULL;

    if (text)
        buffer_add(out, text, size);
    free(text);
    file_close(opened);
    return err->code ? -1 : 0;
}

static int hash_content(const struct file *file, char sha256[DIGEST_HEX_MAX], struct error *err)
{
    struct digest digest;
    char *bytes = memory_alloc(HASH_BYTES);
    int rc = 0;

    digest_init(&digest, DIGEST_SHA256);
    for (size_t done = 0; rc == 0 && done < file->size_bytes;) {
        size_t n = file->size_bytes - done < HASH_BYTES ? file->size_bytes - done : HASH_BYTES;

        rc = interrupt_check(err) || file_read(file, done, bytes, n, err) ? -1 : 0;
        if (rc == 0)
            digest_add(&digest, bytes, n);
        done += n;
    }
    digest_hex(&digest, sha256);
    free(bytes);
    return rc;
}

/* A link to a blob that is named by its SHA-256 says it, without reading gigabytes. */
static bool find_linked_hash(const struct hub_cache *cache, const char *commit,
                             struct hub_file *file)
{
    char *path = pointer_path(cache, commit, file), target[4096];
    ssize_t n = readlink(path, target, sizeof target - 1);
    const char *name;

    free(path);
    if (n <= 0)
        return false;
    target[n] = '\0';
    name = strrchr(target, '/');
    name = name ? name + 1 : target;
    if (strlen(name) != 64 || strspn(name, "0123456789abcdef") != 64)
        return false;
    memcpy(file->sha256, name, DIGEST_HEX_MAX);
    return true;
}

int hub_cache_hash(const struct hub_cache *cache, const char *commit, struct hub_file *file,
                   struct error *err)
{
    struct file *opened;
    int rc;

    if (file->sha256[0] || find_linked_hash(cache, commit, file))
        return 0;
    opened = open_content(cache, commit, file, err);
    rc = opened ? hash_content(opened, file->sha256, err) : -1;
    file_close(opened);
    return rc;
}

/* ---- writing ---- */

/* Makes the directory that `path` lies in, and those above. */
static int make_folders(const char *path, struct error *err)
{
    char *folder = memory_copy(path), *slash = strrchr(folder, '/');
    int rc = 0;

    if (slash && slash > folder) {
        *slash = '\0';
        if (mkdir(folder, 0777) && errno != EEXIST) {
            if (errno == ENOENT && make_folders(folder, err))
                rc = -1;
            else if (mkdir(folder, 0777) && errno != EEXIST)
                rc = error_errno(err, "cannot create '%s'", folder);
        }
    }
    free(folder);
    return rc;
}

/* Where this process makes what is then renamed to `path`. Processes in containers that share the
 * cache can have one number. */
static char *partial_path(const char *path)
{
    unsigned number = 0;

    if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0)
        number = (unsigned)getpid();
    return memory_format("%s.%08x.tmp", path, number);
}

/* A file with this text, complete or not at all. */
static int write_small(const char *path, const char *text, struct error *err)
{
    char *partial = partial_path(path);
    int fd = make_folders(path, err) ? -1
                                     : open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
                                                         O_NOFOLLOW, 0666);
    int rc = -1;

    if (fd < 0)
        error_errno(err, "cannot create '%s'", partial);
    else
        rc = outdir_write_at(fd, 0, text, strlen(text), path, err);
    if (fd >= 0 && close(fd) && rc == 0)
        rc = error_errno(err, "cannot write '%s'", path);
    if (rc == 0 && rename(partial, path))
        rc = error_errno(err, "cannot create '%s'", path);
    if (rc && fd >= 0)
        unlink(partial);
    free(partial);
    return rc;
}

int hub_cache_prepare(const struct hub_cache *cache, struct error *err)
{
    static const char text[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                               "# This file is a cache directory tag created by cocktail.\n"
                               "# For information about cache directory tags, see:\n"
                               "#\thttps://bford.info/cachedir/\n";
    char *tag = memory_format("%s/CACHEDIR.TAG", cache->root);
    char *blobs = memory_format("%s/blobs/", cache->repository);
    char *locks = memory_format("%s/", cache->locks);
    int rc = make_folders(blobs, err) || make_folders(locks, err) ? -1 : 0;

    if (rc == 0 && access(tag, F_OK))
        rc = write_small(tag, text, err);
    free(locks);
    free(blobs);
    free(tag);
    return rc;
}

int hub_cache_lock(const struct hub_cache *cache, const struct hub_file *file, struct error *err)
{
    char *path = memory_format("%s/%s.lock", cache->locks, file->blob);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0664);

    if (fd >= 0)
        fchmod(fd, 0664); /* whatever the umask: users share it; only its owner can */
    if (fd < 0) {
        error_errno(err, "cannot open '%s'", path);
    } else if (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            error_errno(err, "cannot lock '%s'", path);
        close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

/* ---- snapshots ---- */

/* "../../blobs/HASH" for a file at the top, one "../" more for each folder that it is in. */
static char *link_target(const struct hub_file *file)
{
    struct buffer target = {0};

    for (const char *c = strchr(file->path, '/'); c; c = strchr(c + 1, '/'))
        buffer_add_text(&target, "../");
    buffer_format(&target, "../../blobs/%s", file->blob);
    return target.data;
}

/* errno stays. */
static bool is_link_to(const char *pointer, const char *target)
{
    size_t n = strlen(target);
    char *found = memory_alloc(n + 1);
    int number = errno;
    ssize_t n_found = readlink(pointer, found, n + 1);
    bool result = n_found >= 0 && (size_t)n_found == n && memcmp(found, target, n) == 0;

    free(found);
    errno = number;
    return result;
}

/* In place of what does not belong there: a link to nothing, or a file of another size. 1 when this
 * file system has no symbolic links. */
static int make_link(const char *pointer, const struct hub_file *file, struct error *err)
{
    enum { TRIES = 8 }; /* other processes put theirs there meanwhile, which is the same */
    char *target = link_target(file);
    int rc = 0;

    for (int tries = 1; symlink(target, pointer) && !is_link_to(pointer, target); tries++) {
        if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS)
            rc = 1;
        else if (errno != EEXIST || tries == TRIES || (unlink(pointer) && errno != ENOENT))
            rc = error_errno(err, "cannot create '%s'", pointer);
        if (rc)
            break;
    }
    free(target);
    return rc;
}

/* Another file of the listing that has the same content, and has it in the snapshot already. */
static const struct hub_file *find_twin(const struct hub_cache *cache, const char *commit,
                                        const struct hub_listing *listing,
                                        const struct hub_file *file)
{
    for (size_t i = 0; i < listing->n_files; i++) {
        const struct hub_file *other = &listing->files[i];

        if (other != file && other->use && strcmp(other->blob, file->blob) == 0 &&
            hub_cache_has_file(cache, commit, other))
            return other;
    }
    return NULL;
}

static int copy_content(const struct file *from, const char *to, struct error *err)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666), rc = 0;
    char *bytes;

    if (fd < 0)
        return error_errno(err, "cannot create '%s'", to);
    bytes = memory_alloc(HASH_BYTES);
    for (size_t done = 0; rc == 0 && done < from->size_bytes;) {
        size_t n = from->size_bytes - done < HASH_BYTES ? from->size_bytes - done : HASH_BYTES;

        rc = interrupt_check(err) || file_read(from, done, bytes, n, err) ||
                     outdir_write_at(fd, done, bytes, n, to, err)
                 ? -1
                 : 0;
        done += n;
    }
    free(bytes);
    if (close(fd) && rc == 0)
        rc = error_errno(err, "cannot write '%s'", to);
    return rc;
}

/* Without symbolic links the blob itself becomes the file of the snapshot; a second file with the
 * same content gets a copy. */
static int move_blob(const struct hub_cache *cache, const char *commit,
                     const struct hub_listing *listing, const struct hub_file *file,
                     const char *pointer, struct error *err)
{
    const struct hub_file *twin = find_twin(cache, commit, listing, file);
    char *blob = hub_cache_blob_path(cache, file);
    char *partial = partial_path(pointer);
    struct file *content;
    int rc = rename(blob, pointer) ? -1 : 0;
    bool is_gone = rc && errno == ENOENT;

    if (is_gone && hub_cache_has_file(cache, commit, file)) {
        rc = 0; /* another process was faster */
    } else if (is_gone && twin) {
        content = open_content(cache, commit, twin, err);
        rc = content ? copy_content(content, partial, err) : -1;
        file_close(content);
        if (rc == 0 && rename(partial, pointer))
            rc = error_errno(err, "cannot create '%s'", pointer);
        if (rc)
            unlink(partial);
    } else if (rc) {
        error_errno(err, "cannot move '%s' to '%s'", blob, pointer);
    }
    free(partial);
    free(blob);
    return rc;
}

static int link_file(const struct hub_cache *cache, const char *commit,
                     const struct hub_listing *listing, const struct hub_file *file,
                     struct error *err)
{
    char *pointer;
    int rc;

    if (hub_cache_has_file(cache, commit, file))
        return 0;
    pointer = pointer_path(cache, commit, file);
    rc = make_folders(pointer, err);
    if (rc == 0)
        rc = cache->has_no_symlinks ? 1 : make_link(pointer, file, err);
    if (rc == 1)
        rc = move_blob(cache, commit, listing, file, pointer, err);
    free(pointer);
    return rc;
}

int hub_cache_link(const struct hub_cache *cache, const char *commit,
                   const struct hub_listing *listing, struct error *err)
{
    for (int use = HUB_TEXT; use <= HUB_WEIGHTS; use++)
        for (size_t i = 0; i < listing->n_files; i++)
            if ((int)listing->files[i].use == use &&
                link_file(cache, commit, listing, &listing->files[i], err))
                return -1;
    return 0;
}

int hub_cache_write_ref(const struct hub_cache *cache, const char *revision, const char *commit,
                        struct error *err)
{
    char known[HUB_COMMIT_SIZE], *path;
    int rc;

    if (strcmp(revision, commit) == 0 ||
        (hub_cache_find_ref(cache, revision, known) && strcmp(known, commit) == 0))
        return 0;
    path = memory_format("%s/refs/%s", cache->repository, revision);
    rc = write_small(path, commit, err);
    free(path);
    return rc;
}
