#include "memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void memory_exhausted(void)
{
    static const char text[] = "cocktail: out of memory\n";

    /* write, not stdio: a stream may want to allocate its buffer now. */
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        exit(ERROR_RESOURCES);
    exit(ERROR_RESOURCES);
}

void *memory_alloc(size_t size)
{
    void *memory = malloc(size ? size : 1);

    if (!memory)
        memory_exhausted();
    return memory;
}

void *memory_zalloc(size_t n, size_t size)
{
    void *memory = calloc(n ? n : 1, size ? size : 1);

    if (!memory)
        memory_exhausted();
    return memory;
}

void *memory_resize(void *old, size_t n, size_t size)
{
    size_t total;
    void *memory;

    if (__builtin_mul_overflow(n, size, &total))
        memory_exhausted();
    memory = realloc(old, total ? total : 1);
    if (!memory)
        memory_exhausted();
    return memory;
}

char *memory_copy(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(memory_alloc(size), text, size);
}

char *memory_format(const char *fmt, ...)
{
    char *text;
    int length;
    va_list args;

    va_start(args, fmt);
    length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (length < 0)
        memory_exhausted();
    text = memory_alloc((size_t)length + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)length + 1, fmt, args);
    va_end(args);
    return text;
}

char *memory_realpath(const char *path)
{
    char *real = realpath(path, NULL);

    if (!real && errno == ENOMEM)
        memory_exhausted();
    return real;
}

void *memory_try(size_t n, size_t size, const char *what, struct error *err)
{
    void *memory = calloc(n ? n : 1, size ? size : 1); /* calloc checks the product */

    if (!memory)
        error_set(err, ERROR_RESOURCES, "not enough memory for %s: %zu times %zu bytes", what, n,
                  size);
    return memory;
}
