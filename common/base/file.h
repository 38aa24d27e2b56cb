/* file.h - files from strangers, opened for reading.
 *
 * Only regular files are opened; a FIFO or a device is refused without waiting for it. Reads go
 * through pread and not through a map, because a mapped file that shrinks ends the program with
 * SIGBUS, and a short pread is an ordinary error. */
#ifndef COCKTAIL_FILE_H
#define COCKTAIL_FILE_H

#include <stddef.h>

#include "base/error.h"

struct file { /* opened by file_open; safe to share between threads that read */
    int fd;
    size_t size_bytes; /* when it was opened */
    char *path;        /* as shown in messages; owned */
};

/* Opens the regular file at `path`, its last component not followed if it is a symbolic link.
 * Messages call it `shown`.
 * Errors: ERROR_FORMAT when it is missing or not a regular file, ERROR_RESOURCES without
 * descriptors, ERROR_IO else. The result is closed with file_close. */
struct file *file_open(const char *path, const char *shown, struct error *err);
void file_close(struct file *file);

/* Reads exactly n bytes at `offset`; fewer than that is an error (the file has shrunk). */
int file_read(const struct file *file, size_t offset, void *out, size_t n, struct error *err);

/* All of the file with a NUL behind it, freed by the caller. More than `limit` bytes are refused
 * with ERROR_FORMAT. *size (may be NULL) is the length without the NUL. */
char *file_read_text(const struct file *file, size_t limit, size_t *size, struct error *err);

#endif
