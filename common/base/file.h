/* file.h - files from strangers, opened for reading.
 *
 * Only regular files are opened; a FIFO or a device is refused without waiting for it. What is read
 * once goes through pread, where a file that has shrunk is an ordinary error; a map is for weights
 * that are used where they lie. */
#ifndef COCKTAIL_FILE_H
#define COCKTAIL_FILE_H

#include <stddef.h>

#include "base/error.h"

struct file { /* opened by file_open; safe to share between threads that read */
    int fd;            /* -1: it stands in memory */
    size_t size_bytes; /* when it was opened */
    char *path;        /* as shown in messages; owned */
    const void *map;   /* all of it, once file_map was called, or in memory; else NULL */
    struct file *next_mapped;
};

/* Opens the regular file at `path`, its last component not followed if it is a symbolic link.
 * Messages call it `shown`.
 * Errors: ERROR_FORMAT when it is missing or not a regular file, ERROR_RESOURCES without
 * descriptors, ERROR_IO else. The result is closed with file_close. */
struct file *file_open(const char *path, const char *shown, struct error *err);
/* A file of these bytes, which are borrowed. */
struct file *file_open_memory(const void *bytes, size_t n_bytes, const char *shown);
void file_close(struct file *file);

/* Reads exactly n bytes at `offset`; fewer than that is an error (the file has shrunk). */
int file_read(const struct file *file, size_t offset, void *out, size_t n, struct error *err);

/* The whole file in memory, read-only, until file_unmap or file_close; NULL with ERROR_RESOURCES or ERROR_IO. Not
 * for several threads at once. Should the file shrink while its map is read, the program ends with
 * exit status 5 and one line that names it: nothing else can be done then. */
const void *file_map(struct file *file, struct error *err);
/* Gives the map back, if there is one: what was read through it no longer counts as memory of this
 * process. The file stays open, and can be mapped again. */
void file_unmap(struct file *file);

/* Bytes of a map that will be read soon: when they are not in memory, the system begins to fetch
 * them, all of them and in order. Costs next to nothing when they are. */
void file_prefetch(const void *begin, size_t n_bytes);

/* All of the file with a NUL behind it, freed by the caller. More than `limit` bytes are refused
 * with ERROR_FORMAT. *size (may be NULL) is the length without the NUL. */
char *file_read_text(const struct file *file, size_t limit, size_t *size, struct error *err);

#endif
