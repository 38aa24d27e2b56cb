/* fail_nth.c - makes the n-th call of a kind fail, or something happen right before it.
 *
 * Preloaded into the program (LD_PRELOAD) by scripts of tests/cli/. It counts the calls that the
 * program makes of the C library, from its first constructor to its last destructor:
 *
 *   FAIL_CALL=KIND,...   which are counted: memory open mkdir write read fsync rename remove close;
 *                        pwrite: of those of write, the ones that say where
 *   FAIL_AT=N            the one to act on; none or 0: only count
 *   FAIL_ERRNO=NAME      what it fails with (EIO)
 *   FAIL_SHORT=1         instead: a read or write that does half of what it was asked for
 *   FAIL_SIGNAL=NUMBER   instead: this signal comes first, then the call goes its way
 *   FAIL_TRUNCATE=FILE   instead: this file is cut to half of its size first
 *   FAIL_COUNT=FILE      at exit, the number of calls is written there
 *   FAIL_EXCHANGE=1      besides: a file system that cannot exchange two names
 *
 * Left alone: descriptors 0 to 2, so that messages get out, and what the C library calls inside
 * itself, but for memory. fsync never reaches the disk: a test cannot see the difference, and it
 * would take most of the time. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum kind { MEMORY, OPEN, MKDIR, WRITE, READ, FSYNC, RENAME, REMOVE, CLOSE,
            PWRITE, N_KINDS };

static const char *const kind_names[N_KINDS] = {"memory", "open",   "mkdir",  "write", "read",
                                                "fsync",  "rename", "remove", "close",
                                                "pwrite"};

static const struct cause {
    const char *name;
    int number;
} causes[] = {
    {"EIO", EIO},       {"ENOSPC", ENOSPC}, {"ENOMEM", ENOMEM}, {"EMFILE", EMFILE},
    {"EINTR", EINTR},   {"EACCES", EACCES}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
};

static bool is_counted[N_KINDS]; /* all false before start(): nothing happens to the loader */
static long fail_at;
static int fail_cause = EIO, fail_signal;
static bool is_short, cannot_exchange;
static const char *truncate_path, *count_path;
static atomic_long n_calls;

/* The ones that we stand before. Those of memory have a second name, which can be called before
 * anything can be looked up: the loader and dlsym allocate. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static void *next(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (!function)
        abort();
    return function;
}

/* Calls the function of this name that we stand before. */
#define NEXT(result, name, types, arguments)                                                      \
    (__extension__({                                                                              \
        static result(*function) types;                                                           \
        if (!function)                                                                            \
            *(void **)&function = next(#name);                                                    \
        function arguments;                                                                       \
    }))

static const char *setting(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

__attribute__((constructor)) static void start(void)
{
    const char *kinds = setting("FAIL_CALL"), *at = setting("FAIL_AT");
    const char *cause = setting("FAIL_ERRNO"), *signal = setting("FAIL_SIGNAL");
    bool is_known = !cause;

    count_path = setting("FAIL_COUNT");
    truncate_path = setting("FAIL_TRUNCATE");
    is_short = setting("FAIL_SHORT") != NULL;
    cannot_exchange = setting("FAIL_EXCHANGE") != NULL;
    fail_at = at ? atol(at) : 0;
    fail_signal = signal ? atoi(signal) : 0;
    for (size_t i = 0; cause && i < sizeof causes / sizeof *causes; i++)
        if (strcmp(causes[i].name, cause) == 0) {
            fail_cause = causes[i].number;
            is_known = true;
        }
    while (is_known && kinds && *kinds) {
        size_t length = strcspn(kinds, ",");

        is_known = false;
        for (int k = 0; k < N_KINDS; k++)
            if (strlen(kind_names[k]) == length && strncmp(kinds, kind_names[k], length) == 0)
                is_known = is_counted[k] = true;
        kinds += length + (kinds[length] == ',');
    }
    if (!is_known) /* a test with a typing error would pass */
        abort();
}

__attribute__((destructor)) static void write_count(void)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&n_calls)), fd;

    memset(is_counted, 0, sizeof is_counted);
    if (!count_path)
        return;
    fd = (int)syscall(SYS_openat, AT_FDCWD, count_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || syscall(SYS_write, fd, text, length) != length)
        abort();
    syscall(SYS_close, fd);
}

static void cut(const char *path)
{
    struct stat info;

    if (stat(path, &info) || truncate(path, info.st_size / 2))
        abort();
}

/* Whether this call is the one. */
static bool is_chosen(enum kind kind)
{
    return is_counted[kind] && atomic_fetch_add(&n_calls, 1) + 1 == fail_at;
}

/* Whether this call has to fail; errno is set then. */
static bool must_fail(enum kind kind)
{
    if (!is_chosen(kind) || is_short)
        return false;
    if (truncate_path) {
        cut(truncate_path);
        return false;
    }
    if (fail_signal) {
        kill(getpid(), fail_signal); /* of the process: raise() would pick the calling thread */
        return false;
    }
    errno = fail_cause;
    return true;
}

/* The same for a transfer of *n bytes, which may have to become shorter. */
static bool transfer_must_fail(enum kind kind, int fd, size_t *n)
{
    if (fd <= STDERR_FILENO)
        return false;
    if (!is_short)
        return must_fail(kind);
    if (is_chosen(kind))
        *n = (*n + 1) / 2;
    return false;
}

/* ---- memory ---- */

void *malloc(size_t size)
{
    return must_fail(MEMORY) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return must_fail(MEMORY) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    return must_fail(MEMORY) ? NULL : __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
    return must_fail(MEMORY) ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    int before = errno, cause;
    void *memory = memalign(alignment, size);

    cause = errno;
    errno = before;
    if (memory)
        *out = memory;
    return memory ? 0 : cause;
}

/* ---- files ---- */

#define MODE_OF(flags)                                                                            \
    (__extension__({                                                                              \
        mode_t mode_ = 0;                                                                         \
        if ((flags) & (O_CREAT | O_TMPFILE)) {                                                    \
            va_list args;                                                                         \
            va_start(args, flags);                                                                \
            mode_ = va_arg(args, mode_t);                                                         \
            va_end(args);                                                                         \
        }                                                                                         \
        mode_;                                                                                    \
    }))

int open(const char *path, int flags, ...)
{
    mode_t mode = MODE_OF(flags);

    return must_fail(OPEN) ? -1 : NEXT(int, open, (const char *, int, ...), (path, flags, mode));
}

int open64(const char *path, int flags, ...)
{
    return open(path, flags, MODE_OF(flags));
}

int openat(int directory, const char *path, int flags, ...)
{
    mode_t mode = MODE_OF(flags);

    return must_fail(OPEN) ? -1 : NEXT(int, openat, (int, const char *, int, ...),
                                       (directory, path, flags, mode));
}

int openat64(int directory, const char *path, int flags, ...)
{
    return openat(directory, path, flags, MODE_OF(flags));
}

DIR *opendir(const char *path)
{
    return must_fail(OPEN) ? NULL : NEXT(DIR *, opendir, (const char *), (path));
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    return must_fail(OPEN) ? NULL : NEXT(FILE *, fopen, (const char *, const char *), (path, mode));
}

int mkdir(const char *path, mode_t mode)
{
    return must_fail(MKDIR) ? -1 : NEXT(int, mkdir, (const char *, mode_t), (path, mode));
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    return transfer_must_fail(WRITE, fd, &n)
               ? -1
               : NEXT(ssize_t, write, (int, const void *, size_t), (fd, bytes, n));
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    return transfer_must_fail(is_counted[PWRITE] ? PWRITE : WRITE, fd, &n)
               ? -1
               : NEXT(ssize_t, pwrite, (int, const void *, size_t, off_t), (fd, bytes, n, offset));
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset)
{
    return pwrite(fd, bytes, n, offset);
}

ssize_t read(int fd, void *bytes, size_t n)
{
    return transfer_must_fail(READ, fd, &n)
               ? -1
               : NEXT(ssize_t, read, (int, void *, size_t), (fd, bytes, n));
}

ssize_t pread(int fd, void *bytes, size_t n, off_t offset)
{
    return transfer_must_fail(READ, fd, &n)
               ? -1
               : NEXT(ssize_t, pread, (int, void *, size_t, off_t), (fd, bytes, n, offset));
}

ssize_t pread64(int fd, void *bytes, size_t n, off64_t offset)
{
    return pread(fd, bytes, n, offset);
}

int fsync(int fd)
{
    (void)fd;
    return must_fail(FSYNC) ? -1 : 0;
}

int fdatasync(int fd)
{
    return fsync(fd);
}

int rename(const char *from, const char *to)
{
    return must_fail(RENAME) ? -1 : NEXT(int, rename, (const char *, const char *), (from, to));
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to,
              unsigned flags)
{
    if (cannot_exchange && flags == RENAME_EXCHANGE) {
        errno = EINVAL;
        return -1;
    }
    return must_fail(RENAME) ? -1
                             : NEXT(int, renameat2,
                                    (int, const char *, int, const char *, unsigned),
                                    (from_directory, from, to_directory, to, flags));
}

int remove(const char *path)
{
    return must_fail(REMOVE) ? -1 : NEXT(int, remove, (const char *), (path));
}

int unlink(const char *path)
{
    return must_fail(REMOVE) ? -1 : NEXT(int, unlink, (const char *), (path));
}

int unlinkat(int directory, const char *path, int flags)
{
    return must_fail(REMOVE) ? -1
                             : NEXT(int, unlinkat, (int, const char *, int),
                                    (directory, path, flags));
}

int rmdir(const char *path)
{
    return must_fail(REMOVE) ? -1 : NEXT(int, rmdir, (const char *), (path));
}

/* A descriptor is gone even if closing it failed. */
int close(int fd)
{
    bool fails = fd > STDERR_FILENO && must_fail(CLOSE);
    int rc = NEXT(int, close, (int), (fd));

    if (fails)
        errno = fail_cause;
    return fails ? -1 : rc;
}
