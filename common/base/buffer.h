/* buffer.h - bytes that grow; always NUL-terminated, so that text can be built in it. */
#ifndef COCKTAIL_BUFFER_H
#define COCKTAIL_BUFFER_H

#include <stddef.h>

struct buffer { /* a zeroed struct is an empty buffer; data is NULL until the first addition */
    char *data;
    size_t size, capacity;
};

void buffer_add(struct buffer *buffer, const void *bytes, size_t n);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_char(struct buffer *buffer, char c);
void buffer_format(struct buffer *buffer, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Replaces `n` bytes at `start` by `text`. */
void buffer_splice(struct buffer *buffer, size_t start, size_t n, const char *text);
void buffer_clear(struct buffer *buffer); /* empty, memory kept */
void buffer_release(struct buffer *buffer);

#endif
