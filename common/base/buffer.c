#include "buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void reserve(struct buffer *buffer, size_t extra)
{
    size_t need;

    if (extra >= SIZE_MAX / 2 - buffer->size)
        memory_exhausted();
    need = buffer->size + extra + 1;
    if (need <= buffer->capacity)
        return;
    buffer->capacity = need > 2 * buffer->capacity ? need : 2 * buffer->capacity;
    buffer->data = memory_resize(buffer->data, buffer->capacity, 1);
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t n)
{
    reserve(buffer, n);
    if (n)
        memcpy(buffer->data + buffer->size, bytes, n);
    buffer->size += n;
    buffer->data[buffer->size] = '\0';
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_add_char(struct buffer *buffer, char c)
{
    buffer_add(buffer, &c, 1);
}

void buffer_format(struct buffer *buffer, const char *fmt, ...)
{
    int length;
    va_list args;

    va_start(args, fmt);
    length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (length < 0)
        memory_exhausted();
    reserve(buffer, (size_t)length);
    va_start(args, fmt);
    vsnprintf(buffer->data + buffer->size, (size_t)length + 1, fmt, args);
    va_end(args);
    buffer->size += (size_t)length;
}

void buffer_splice(struct buffer *buffer, size_t start, size_t n, const char *text)
{
    size_t length = strlen(text);

    reserve(buffer, length);
    memmove(buffer->data + start + length, buffer->data + start + n, buffer->size - start - n);
    memcpy(buffer->data + start, text, length);
    buffer->size = buffer->size - n + length;
    buffer->data[buffer->size] = '\0';
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
