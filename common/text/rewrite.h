/* rewrite.h - what the functions that turn one text into another share: room for the output, and
 * where the first character went. */
#ifndef COCKTAIL_REWRITE_H
#define COCKTAIL_REWRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

/* Texts grow when they are rewritten, by strangers' rules, a hundredfold and again a hundredfold.
 * No honest rules make more bytes than these of n. */
static inline size_t rewrite_limit(size_t n)
{
    return n < SIZE_MAX / 32 - 256 * 1024 ? 32 * (n + 256 * 1024) : SIZE_MAX;
}

static inline int rewrite_check(const struct buffer *out, size_t n, struct error *err)
{
    if (out->size <= rewrite_limit(n))
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "more than %zu bytes made of a text of %zu are not "
                     "supported", out->size, n);
}

/* At least n bytes of room behind the buffer's end. Write there, then tell rewrite_end how far. */
static inline char *rewrite_room(struct buffer *out, size_t n)
{
    if (n >= out->capacity - out->size) { /* one byte is for the NUL */
        if (n > SIZE_MAX / 4 - out->size)
            memory_exhausted();
        out->capacity = out->size + n + 1 + out->capacity;
        out->data = memory_resize(out->data, out->capacity, 1);
    }
    return out->data + out->size;
}

static inline void rewrite_end(struct buffer *out, const char *end)
{
    out->size = (size_t)(end - out->data);
    out->data[out->size] = '\0';
}

/* Follows the alignment that the reference keeps (for each byte of the output the character of the
 * input that it is said to come from), as far as it concerns the first character. The reference
 * describes a rewriting as characters with a `change`: 0 replaces the next character of the input,
 * -k replaces it and takes k more away, 1 is new and belongs to what stands before it. */
struct origin {
    const char *text; /* the input */
    size_t n;
    size_t n_origin; /* so many bytes of it come from the first character of all */
    size_t offset;   /* read of it so far */
    size_t n_out;    /* so many bytes of the output do */
    bool is_done;
};

static inline void origin_init(struct origin *origin, const char *text, size_t n, size_t n_origin)
{
    *origin = (struct origin){.text = text, .n = n, .n_origin = n_origin};
}

/* A character of `length` bytes came out. */
static inline void origin_add(struct origin *origin, size_t length, long change)
{
    size_t offset = origin->offset;

    if (origin->is_done)
        return;
    if (change > 0 ? offset > origin->n_origin : offset >= origin->n_origin) {
        origin->is_done = true;
        return;
    }
    origin->n_out += length;
    for (; change <= 0 && origin->offset < origin->n; change++) {
        do
            origin->offset++;
        while (origin->offset < origin->n && (origin->text[origin->offset] & 0xc0) == 0x80);
    }
}

/* `length` bytes were copied as they are. */
static inline void origin_copy(struct origin *origin, size_t length)
{
    size_t rest = origin->n_origin > origin->offset ? origin->n_origin - origin->offset : 0;

    if (origin->is_done || length == 0)
        return;
    origin->n_out += length < rest ? length : rest;
    origin->offset += length;
    origin->is_done = length > rest;
}

#endif
