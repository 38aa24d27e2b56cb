#include "outdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/outdir_mark.h"
#include "base/ranks.h"

struct outdir {
    char *target, *parent, *partial;
    char *gone;          /* where it is moved if others have left it */
    char *aside;         /* where an old target is for a moment if it cannot be exchanged */
    char *work;          /* what is written into: partial itself, or, of several ranks, a directory
                          * in it with a name that no rank of an earlier run knows */
    char *file;          /* the one in work that becomes the target; NULL: work itself does */
    char *made_parent;   /* the topmost parent that we created, or NULL */
    bool force, is_committed;
    int fd;              /* of partial; holds the lock */
    struct outdir_mark *mark; /* of several ranks */
    struct outdir *next; /* in the list of open ones */
};

/* What exit() has to put away. */
static struct outdir *open_outdirs;

/* ---- trees ---- */

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *place)
{
    (void)info;
    (void)flag;
    (void)place;
    remove(path); /* what cannot be removed makes the directory above it fail, too */
    return 0;
}

static void remove_tree(const char *path)
{
    /* A walk needs memory and a descriptor: an empty directory goes without one, and the second
     * try is for a shortage that has passed. */
    for (int i = 0; i < 2 && remove(path) && errno != ENOENT; i++)
        nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static int sync_entry(const char *path, const struct stat *info, int flag, struct FTW *place)
{
    struct error interrupted = {0};
    int fd, rc;

    (void)info;
    (void)flag;
    (void)place;
    if (interrupt_check(&interrupted))
        return -1;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    rc = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0) {
        int cause = errno;

        close(fd);
        errno = cause;
    }
    return rc;
}

static int sync_tree(const char *path, struct error *err)
{
    int rc = nftw(path, sync_entry, 16, FTW_DEPTH | FTW_PHYS), cause = errno;

    if (interrupt_check(err))
        return -1;
    errno = cause;
    return rc ? error_errno(err, "cannot flush '%s' to disk", path) : 0;
}

static int look_if_empty(const char *path, bool *is_empty, struct error *err)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    if (!directory)
        return error_errno(err, "cannot list '%s'", path);
    *is_empty = true;
    while (*is_empty && (entry = readdir(directory)))
        *is_empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(directory);
    return 0;
}

/* ---- the target ---- */

/* Whether `directory` is `path` itself or one of the directories that it lies in. */
static bool holds(const char *directory, const char *path)
{
    char *outer = memory_realpath(directory);
    char *inner = path ? memory_realpath(path) : NULL;
    size_t length = outer ? strlen(outer) : 0;
    bool result = outer && inner && strncmp(outer, inner, length) == 0 &&
                  (length == 1 || inner[length] == '/' || inner[length] == '\0');

    free(outer);
    free(inner);
    return result;
}

/* 1: something is there, 0: nothing, -1: an error. */
static int look_at_target(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    struct stat info;

    if (*path == '\0')
        return error_set(err, ERROR_USAGE, "the output directory has no name");
    if (lstat(path, &info) == 0)
        return 1;
    if (errno == ENOENT && (strcmp(last, ".") == 0 || strcmp(last, "..") == 0))
        return error_set(err, ERROR_USAGE, "'%s': the output directory has no name", path);
    if (errno == ENOENT)
        return 0;
    if (errno == ENOTDIR)
        return error_set(err, ERROR_EXISTS, "'%s': a part of the path is not a directory", path);
    return error_errno(err, "cannot look at '%s'", path);
}

int outdir_check_file(const char *path, bool force, outdir_replaceable *replaceable,
                      struct error *err)
{
    struct stat info;
    int found = look_at_target(path, err);

    if (found <= 0)
        return found;
    if (stat(path, &info) || !S_ISREG(info.st_mode))
        return error_set(err, ERROR_EXISTS, "'%s' exists and is not a regular file", path);
    if (!force)
        return error_set(err, ERROR_EXISTS, "'%s' exists; replace it with --force", path);
    if (!replaceable(path))
        return error_set(err, ERROR_EXISTS, "'%s' is no checkpoint: --force replaces checkpoints "
                         "only", path);
    return 0;
}

int outdir_check(const char *path, bool force, outdir_replaceable *replaceable, struct error *err)
{
    struct stat info;
    bool is_empty;
    int found = look_at_target(path, err);

    if (found <= 0)
        return found;
    if (stat(path, &info) || !S_ISDIR(info.st_mode))
        return error_set(err, ERROR_EXISTS, "'%s' exists and is not a directory", path);
    if (holds(path, ".") || holds(path, getenv("HOME")))
        return error_set(err, ERROR_EXISTS, "'%s' is, or holds, the current or the home directory: "
                         "it is never replaced", path);
    if (look_if_empty(path, &is_empty, err))
        return -1;
    if (is_empty)
        return 0;
    if (!force)
        return error_set(err, ERROR_EXISTS, "'%s' exists; replace it with --force", path);
    if (!replaceable(path))
        return error_set(err, ERROR_EXISTS, "'%s' is not empty and holds no checkpoint: --force "
                         "replaces checkpoints only", path);
    return 0;
}

/* `path` without trailing slashes, a symbolic link to a directory resolved. */
static char *clean_target(const char *path)
{
    size_t length = strlen(path);
    char *resolved;

    while (length > 1 && path[length - 1] == '/')
        length--;
    resolved = memory_realpath(path);
    return resolved ? resolved : memory_format("%.*s", (int)length, path);
}

static char *parent_of(const char *path)
{
    char *copy = memory_copy(path), *parent = memory_copy(dirname(copy));

    free(copy);
    return parent;
}

/* Creates `path` and what lies above it. *made becomes the topmost one created. */
static int make_parents(const char *path, char **made, struct error *err)
{
    char *above;
    int rc = 0;

    if (mkdir(path, 0777) == 0) {
        free(*made);
        *made = memory_copy(path);
        return 0;
    }
    if (errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return error_errno(err, "cannot create '%s'", path);
    above = parent_of(path);
    rc = make_parents(above, made, err);
    free(above);
    if (rc)
        return -1;
    if (mkdir(path, 0777) && errno != EEXIST)
        return error_errno(err, "cannot create '%s'", path);
    return 0;
}

/* ---- the hidden sibling ---- */

/* Whether the directory is still under its name. Its owner may have moved it into place, or another one
 * may have taken it over. */
static bool is_in_place(const struct outdir *outdir)
{
    struct stat by_fd, by_path;

    return fstat(outdir->fd, &by_fd) == 0 && stat(outdir->partial, &by_path) == 0 &&
           by_fd.st_ino == by_path.st_ino && by_fd.st_dev == by_path.st_dev;
}

/* What ranks have left that have given one another up; a host that is cut off may still have the lock. */
static int put_away(const struct outdir *outdir, struct error *err)
{
    int rc = 0;

    remove_tree(outdir->gone);
    if (rename(outdir->partial, outdir->gone))
        rc = error_errno(err, "cannot move '%s' away", outdir->partial);
    remove_tree(outdir->gone);
    return rc;
}

/* Another process has the lock. 0: try again. */
static int look_at_owner(const struct outdir *outdir, struct error *err)
{
    char host[OUTDIR_HOST_MAX] = "";

    switch (outdir_mark_look(outdir->partial, outdir->fd, host, err)) {
    case OUTDIR_FREE:
        return 0;
    case OUTDIR_LEFT:
        return put_away(outdir, err);
    case OUTDIR_BUSY:
        return error_set(err, ERROR_EXISTS, "'%s' is being written by another process%s" ERROR_NAME,
                         outdir->target, *host ? ", on " : "", host);
    case OUTDIR_FAILED:
        break;
    }
    return -1;
}

/* 1: the lock is ours, 0: it is not, try again, -1: an error. */
static int lock_partial(const struct outdir *outdir, bool is_made, struct error *err)
{
    if (flock(outdir->fd, LOCK_EX | LOCK_NB) == 0)
        return is_in_place(outdir);
    if (errno == EWOULDBLOCK)
        return look_at_owner(outdir, err);
    error_errno(err, "cannot lock '%s'", outdir->partial);
    if (is_made)
        rmdir(outdir->partial);
    return -1;
}

/* Creates the sibling or takes over one that a killed run has left, and locks it. */
static int take_partial(struct outdir *outdir, struct error *err)
{
    int rc = 0;

    while (rc == 0) {
        bool is_made = mkdir(outdir->partial, 0777) == 0;

        if (!is_made && errno != EEXIST)
            return error_errno(err, "cannot create '%s'", outdir->partial);
        outdir->fd = open(outdir->partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (outdir->fd < 0 && errno == ENOENT)
            continue; /* its owner has just finished */
        if (outdir->fd < 0) {
            error_errno(err, "cannot open '%s'", outdir->partial);
            if (is_made)
                rmdir(outdir->partial);
            return -1;
        }
        rc = lock_partial(outdir, is_made, err);
        if (rc <= 0) {
            close(outdir->fd);
            outdir->fd = -1;
        }
    }
    return rc < 0 ? -1 : 0;
}

static int clear_partial(const struct outdir *outdir, struct error *err)
{
    DIR *directory = opendir(outdir->partial);
    struct dirent *entry;
    bool is_empty;

    if (!directory)
        return error_errno(err, "cannot list '%s'", outdir->partial);
    while ((entry = readdir(directory))) {
        char *path;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        path = memory_format("%s/%s", outdir->partial, entry->d_name);
        remove_tree(path);
        free(path);
    }
    closedir(directory);
    if (look_if_empty(outdir->partial, &is_empty, err))
        return -1;
    if (!is_empty)
        return error_set(err, ERROR_IO, "cannot clear '%s', which an earlier run has left; remove "
                         "it by hand", outdir->partial);
    return 0;
}

/* Only what is ours: others may have taken the rest over. */
static void remove_work(struct outdir *outdir)
{
    bool is_ours = outdir->fd >= 0 && is_in_place(outdir);

    outdir_mark_free(outdir->mark, is_ours);
    outdir->mark = NULL;
    if (is_ours && !outdir->is_committed)
        remove_tree(outdir->partial);
    else if (is_ours && ranks_count() > 1)
        rmdir(outdir->partial);
}

static void remove_partial(struct outdir *outdir)
{
    remove_work(outdir);
    if (outdir->made_parent && !outdir->is_committed) {
        /* From the innermost one up, as long as they are empty; it may not exist yet. */
        char *path = memory_copy(outdir->parent);
        size_t stop = strlen(outdir->made_parent);

        while (strlen(path) >= stop && (rmdir(path) == 0 || errno == ENOENT)) {
            char *above = parent_of(path);

            free(path);
            path = above;
        }
        free(path);
    }
}

static void remove_open_ones(void)
{
    for (struct outdir *outdir = open_outdirs; outdir; outdir = outdir->next)
        remove_partial(outdir);
}

/* What a run has put aside that was killed before it had moved its result in place. */
static int bring_back(const struct outdir *outdir, struct error *err)
{
    if (outdir->file || access(outdir->aside, F_OK))
        return 0;
    if (rename(outdir->aside, outdir->target) == 0)
        return outdir->force ? 0 : error_set(err, ERROR_EXISTS, "'%s' exists; replace it with "
                                             "--force", outdir->target);
    if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
        return error_errno(err, "cannot move '%s' back to '%s'", outdir->aside, outdir->target);
    remove_tree(outdir->aside); /* killed afterwards, or something else is there by now */
    return 0;
}

static int make_sibling(struct outdir *outdir, struct error *err)
{
    if (ranks_number())
        return 0;
    return make_parents(outdir->parent, &outdir->made_parent, err) || take_partial(outdir, err) ||
                   clear_partial(outdir, err) || bring_back(outdir, err)
               ? -1
               : 0;
}

/* Where all ranks write. */
static int agree_on_work(struct outdir *outdir, struct error *err)
{
    uint64_t number = 0;
    struct stat info;

    if (ranks_count() == 1) {
        outdir->work = memory_copy(outdir->partial);
        return 0;
    }
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return error_errno(err, "cannot get random bytes");
    if (ranks_number() == 0) {
        outdir->work = memory_format("%s/%016" PRIx64, outdir->partial, number);
        if (mkdir(outdir->work, 0777))
            return error_errno(err, "cannot create '%s'", outdir->work);
        outdir->mark = outdir_mark_new(outdir->work, err);
        if (!outdir->mark)
            return -1;
    }
    if (ranks_tell(&number, sizeof number, err))
        return -1;
    if (!outdir->work)
        outdir->work = memory_format("%s/%016" PRIx64, outdir->partial, number);
    if (stat(outdir->work, &info) == 0)
        return 0;
    return error_errno(err, "'%s', which rank 0 has made, is not there: the ranks must write to a "
                       "file system that they share", outdir->work);
}

/* A long name is cut: two that differ behind that then share the lock, which does no harm. */
static char *sibling(const char *parent, const char *name, const char *suffix)
{
    return memory_format("%s/.%.*s%s", parent, NAME_MAX - 1 - (int)strlen(suffix), name, suffix);
}

/* The target is free, or may be replaced. */
static struct outdir *open_checked(const char *path, bool force, bool is_file, struct error *err)
{
    static bool is_registered;
    struct outdir *outdir = memory_zalloc(1, sizeof *outdir);
    char *copy;

    outdir->fd = -1;
    outdir->force = force;
    outdir->target = clean_target(path);
    outdir->parent = parent_of(outdir->target);
    copy = memory_copy(outdir->target);
    outdir->partial = sibling(outdir->parent, basename(copy), ".cocktail-partial");
    outdir->gone = sibling(outdir->parent, basename(copy), ".cocktail-left");
    outdir->aside = sibling(outdir->parent, basename(copy), ".cocktail-replaced");
    outdir->file = is_file ? memory_copy(basename(copy)) : NULL;
    free(copy);
    if (!is_registered && atexit(remove_open_ones) == 0)
        is_registered = true;
    outdir->next = open_outdirs;
    open_outdirs = outdir;
    if (make_sibling(outdir, err) || agree_on_work(outdir, err)) {
        outdir_close(outdir);
        return NULL;
    }
    return outdir;
}

/* What all ranks would find wrong, rank 0 tells. */
static int check_first(int (*check)(const char *, bool, outdir_replaceable *, struct error *),
                       const char *path, bool force, outdir_replaceable *replaceable,
                       struct error *err)
{
    return ranks_number() ? 0 : check(path, force, replaceable, err);
}

struct outdir *outdir_open(const char *path, bool force, outdir_replaceable *replaceable,
                           struct error *err)
{
    return check_first(outdir_check, path, force, replaceable, err)
               ? NULL
               : open_checked(path, force, false, err);
}

struct outdir *outdir_open_file(const char *path, bool force, outdir_replaceable *replaceable,
                                struct error *err)
{
    return check_first(outdir_check_file, path, force, replaceable, err)
               ? NULL
               : open_checked(path, force, true, err);
}

const char *outdir_file(const struct outdir *outdir)
{
    return outdir->file;
}

/* ---- files ---- */

int outdir_create(struct outdir *outdir, const char *name, struct error *err)
{
    char *path = memory_format("%s/%s", outdir->work, name), *parent = parent_of(path);
    int exclusive = ranks_count() == 1 ? O_EXCL : 0; /* else whichever rank comes first makes it */
    char *made = NULL;
    int fd = -1;

    /* What ranks write that have been given up must not come up again among what others write now. */
    if (ranks_count() > 1 && access(outdir->work, F_OK)) {
        error_errno(err, "cannot write to '%s'", outdir->work);
    } else if (make_parents(parent, &made, err) == 0) {
        fd = open(path, O_RDWR | O_CREAT | exclusive | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0)
            error_errno(err, "cannot create '%s'", path);
    }
    free(made);
    free(parent);
    free(path);
    return fd;
}

int outdir_write_at(int fd, size_t offset, const void *bytes, size_t n, const char *name,
                    struct error *err)
{
    size_t done = 0;

    while (done < n) {
        ssize_t put = pwrite(fd, (const char *)bytes + done, n - done, (off_t)(offset + done));

        if (put > 0)
            done += (size_t)put;
        else if (put == 0 || errno != EINTR)
            return error_errno(err, "cannot write '%s'", name);
    }
    return 0;
}

int outdir_write(struct outdir *outdir, const char *name, const void *bytes, size_t n,
                 struct error *err)
{
    int fd, rc;

    if (ranks_number())
        return 0;
    fd = outdir_create(outdir, name, err);
    if (fd < 0)
        return -1;
    rc = outdir_write_at(fd, 0, bytes, n, name, err);
    if (close(fd) && rc == 0)
        rc = error_errno(err, "cannot write '%s'", name);
    return rc;
}

/* ---- the end ---- */

/* For a file system that cannot exchange two names. Killed in between, the target is aside, and the
 * next run brings it back. */
static int rename_twice(struct outdir *outdir)
{
    int cause;

    if (rename(outdir->target, outdir->aside))
        return -1;
    if (rename(outdir->work, outdir->target) == 0)
        return 0;
    cause = errno;
    rename(outdir->aside, outdir->target);
    errno = cause;
    return -1;
}

/* Exchanges the sibling and the target, in one step if the file system can. The old target is locked
 * first: under its new name it would look like what a killed run has left. */
static int exchange(struct outdir *outdir, struct error *err)
{
    int old = open(outdir->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), rc;

    if (old < 0)
        return error_errno(err, "cannot open '%s'", outdir->target);
    if (flock(old, LOCK_EX | LOCK_NB)) {
        close(old);
        return error_set(err, ERROR_EXISTS, "'%s' is locked by another process", outdir->target);
    }
    rc = renameat2(AT_FDCWD, outdir->work, AT_FDCWD, outdir->target, RENAME_EXCHANGE);
    if (rc && (errno == EINVAL || errno == ENOSYS))
        rc = rename_twice(outdir);
    if (rc) {
        error_errno(err, "cannot replace '%s'", outdir->target);
        close(old);
        return -1;
    }
    outdir->is_committed = true;
    remove_tree(outdir->partial);
    remove_tree(outdir->aside);
    close(old);
    return 0;
}

static int report_meanwhile(const struct outdir *outdir, struct error *err)
{
    return error_set(err, ERROR_EXISTS, "'%s' has come into being meanwhile; replace it with "
                     "--force", outdir->target);
}

/* Without --force nothing may be replaced, which a file system that cannot say so while renaming
 * says of a second name for the file. */
static int move_file(const struct outdir *outdir, const char *path)
{
    if (outdir->force)
        return rename(path, outdir->target);
    if (renameat2(AT_FDCWD, path, AT_FDCWD, outdir->target, RENAME_NOREPLACE) == 0)
        return 0;
    return errno == EINVAL || errno == ENOSYS ? link(path, outdir->target) : -1;
}

static int move_file_in_place(struct outdir *outdir, struct error *err)
{
    char *path = memory_format("%s/%s", outdir->work, outdir->file);
    int rc = move_file(outdir, path);

    free(path);
    if (rc && errno == EEXIST)
        return report_meanwhile(outdir, err);
    if (rc)
        return error_errno(err, "cannot move the result to '%s'", outdir->target);
    outdir->is_committed = true;
    remove_tree(outdir->partial);
    return 0;
}

static int move_in_place(struct outdir *outdir, struct error *err)
{
    if (outdir->file)
        return move_file_in_place(outdir, err);
    if (rename(outdir->work, outdir->target) == 0) {
        outdir->is_committed = true;
        return 0;
    }
    if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
        return error_errno(err, "cannot move the result to '%s'", outdir->target);
    if (outdir->force)
        return exchange(outdir, err);
    return report_meanwhile(outdir, err);
}

int outdir_commit(struct outdir *outdir, struct error *err)
{
    int fd;

    if (sync_tree(outdir->work, err) || ranks_meet(err))
        return -1;
    if (ranks_number())
        return ranks_meet(err); /* what rank 0 does meanwhile */
    if (move_in_place(outdir, err))
        return -1;
    /* The result stands; a crash of the machine could still undo the rename, so this is part of
     * the promise, but its failure is no reason to call the result bad. */
    fd = open(outdir->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    return ranks_meet(err);
}

void outdir_close(struct outdir *outdir)
{
    struct outdir **link = &open_outdirs;

    if (!outdir)
        return;
    remove_partial(outdir);
    while (*link != outdir)
        link = &(*link)->next;
    *link = outdir->next;
    if (outdir->fd >= 0)
        close(outdir->fd);
    free(outdir->target);
    free(outdir->parent);
    free(outdir->partial);
    free(outdir->gone);
    free(outdir->aside);
    free(outdir->work);
    free(outdir->file);
    free(outdir->made_parent);
    free(outdir);
}

int outdir_free_bytes(const char *path, size_t *n_bytes, struct error *err)
{
    struct statvfs info;
    char *above = memory_copy(path);

    /* The nearest directory that exists. */
    while (statvfs(above, &info)) {
        char *parent = parent_of(above);
        bool is_top = strcmp(parent, above) == 0;

        free(above);
        above = parent;
        if (is_top || errno != ENOENT) {
            free(above);
            return error_errno(err, "cannot look at the file system of '%s'", path);
        }
    }
    free(above);
    *n_bytes = (size_t)info.f_bavail * info.f_frsize;
    return 0;
}
