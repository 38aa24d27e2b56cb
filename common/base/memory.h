/* memory.h - small allocations that cannot fail, large ones that can.
 *
 * The first six end the program with exit status 4 and one line on stderr when memory is gone
 * (atexit handlers run, so temporary files go). They are for sizes that our own code bounds.
 * A size read from a file or chosen by a user goes through memory_try. */
#ifndef COCKTAIL_MEMORY_H
#define COCKTAIL_MEMORY_H

#include <stddef.h>

#include "base/error.h"

/* Each returns heap memory that the caller frees with free(). */
void *memory_alloc(size_t size);
void *memory_zalloc(size_t n, size_t size);
void *memory_resize(void *old, size_t n, size_t size); /* n * size bytes; moves as realloc does */
char *memory_copy(const char *text);
char *memory_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *memory_realpath(const char *path); /* NULL with errno when it leads nowhere */

/* n * size bytes for `what`, or NULL with ERROR_RESOURCES that names the size. */
void *memory_try(size_t n, size_t size, const char *what, struct error *err);

/* Ends the program as the functions above do; for what fails inside a library of others. */
_Noreturn void memory_exhausted(void);

#endif
