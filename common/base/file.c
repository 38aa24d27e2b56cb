#include "file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

static int refuse_special(const char *shown, const struct stat *info, struct error *err)
{
    if (S_ISREG(info->st_mode))
        return 0;
    return error_set(err, ERROR_FORMAT, "'%s': is %s, not a regular file", shown,
                     S_ISDIR(info->st_mode)    ? "a directory"
                     : S_ISFIFO(info->st_mode) ? "a FIFO"
                     : S_ISLNK(info->st_mode)  ? "a symbolic link"
                     : S_ISSOCK(info->st_mode) ? "a socket"
                                               : "a device");
}

struct file *file_open(const char *path, const char *shown, struct error *err)
{
    struct stat info;
    struct file *file = NULL;
    int fd;

    /* Looked at before it is opened, because opening a device can already do something; and again
     * behind the open, because it may have been exchanged. O_NONBLOCK: a FIFO would wait. */
    if (lstat(path, &info)) {
        if (errno == ENOENT || errno == ENOTDIR)
            error_set(err, ERROR_FORMAT, "'%s': no such file", shown);
        else
            error_errno(err, "cannot open '%s'", shown);
        return NULL;
    }
    if (refuse_special(shown, &info, err))
        return NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0 || fstat(fd, &info)) {
        error_errno(err, "cannot open '%s'", shown);
    } else if (!refuse_special(shown, &info, err)) {
        file = memory_zalloc(1, sizeof *file);
        *file = (struct file){.fd = fd, .size_bytes = (size_t)info.st_size,
                              .path = memory_copy(shown)};
        return file;
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

struct file *file_open_memory(const void *bytes, size_t n_bytes, const char *shown)
{
    struct file *file = memory_zalloc(1, sizeof *file);

    *file = (struct file){.fd = -1, .size_bytes = n_bytes, .path = memory_copy(shown),
                          .map = bytes};
    return file;
}

/* ---- maps ---- */

static struct file *mapped; /* all files that are mapped, for the handler */

static void put(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nobody is left to be told */
}

/* The kernel sends SIGBUS for a page that the file no longer has. */
static void end_program(int signal_number, siginfo_t *info, void *context)
{
    const char *at = info->si_addr;

    (void)signal_number;
    (void)context;
    for (const struct file *file = mapped; file; file = file->next_mapped) {
        const char *start = file->map;

        if (at < start || at >= start + file->size_bytes)
            continue;
        put("cocktail: '");
        put(file->path);
        put("': cannot be read where it was longer before; is something writing to it?\n");
        _exit(ERROR_IO);
    }
    signal(SIGBUS, SIG_DFL); /* the access is tried again, and ends the program */
}

const void *file_map(struct file *file, struct error *err)
{
    struct sigaction action = {.sa_sigaction = end_program, .sa_flags = SA_SIGINFO};
    void *map;

    if (file->map)
        return file->map;
    map = mmap(NULL, file->size_bytes, PROT_READ, MAP_PRIVATE, file->fd, 0);
    if (map == MAP_FAILED) {
        error_errno(err, "cannot map the %zu bytes of '%s'", file->size_bytes, file->path);
        return NULL;
    }
    file->map = map;
    file->next_mapped = mapped;
    mapped = file;
    sigaction(SIGBUS, &action, NULL);
    return map;
}

void file_prefetch(const void *begin, size_t n_bytes)
{
    /* The kernel heeds no more of one advice than it would read ahead at a time. */
    enum { STEP = 128 * 1024 };
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)begin & ~(page - 1);
    uintptr_t end = (uintptr_t)begin + n_bytes, middle = (start + (end - start) / 2) & ~(page - 1);
    unsigned char is_there = 0;

    if (n_bytes == 0 || mincore((void *)middle, page, &is_there) || (is_there & 1))
        return;
    for (; start < end; start += STEP)
        if (madvise((void *)start, end - start < STEP ? end - start : STEP, MADV_WILLNEED))
            return; /* it was only advice */
}

void file_unmap(struct file *file)
{
    struct file **link = &mapped;

    if (!file->map || file->fd < 0)
        return;
    while (*link != file)
        link = &(*link)->next_mapped;
    *link = file->next_mapped;
    munmap((void *)file->map, file->size_bytes);
    file->map = NULL;
}

void file_close(struct file *file)
{
    if (!file)
        return;
    file_unmap(file);
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file);
}

int file_read(const struct file *file, size_t offset, void *out, size_t n, struct error *err)
{
    size_t done = 0;

    if (file->fd < 0) {
        assert(offset <= file->size_bytes && n <= file->size_bytes - offset);
        if (n)
            memcpy(out, (const char *)file->map + offset, n);
        return 0;
    }
    while (done < n) {
        ssize_t got = pread(file->fd, (char *)out + done, n - done, (off_t)(offset + done));

        if (got > 0)
            done += (size_t)got;
        else if (got == 0)
            return error_set(err, ERROR_IO, "'%s': ends at byte %zu, %zu were there when it was "
                             "opened; is something writing to it?", file->path, offset + done,
                             file->size_bytes);
        else if (errno != EINTR)
            return error_errno(err, "cannot read '%s' at byte %zu", file->path, offset + done);
    }
    return 0;
}

char *file_read_text(const struct file *file, size_t limit, size_t *size, struct error *err)
{
    char *text;

    if (file->size_bytes > limit) {
        error_set(err, ERROR_FORMAT, "'%s': %zu bytes long, more than the limit of %zu", file->path,
                  file->size_bytes, limit);
        return NULL;
    }
    text = memory_try(file->size_bytes + 1, 1, file->path, err);
    if (text && file_read(file, 0, text, file->size_bytes, err)) {
        free(text);
        return NULL;
    }
    if (text && size)
        *size = file->size_bytes;
    return text;
}
