/* cursor.h - binary input that knows its end.
 *
 * Reads little-endian numbers from bytes in memory. The first overrun sets the error with the
 * offset, and every later read returns zeros, so that a parser checks once per step. */
#ifndef COCKTAIL_CURSOR_H
#define COCKTAIL_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct cursor {
    const unsigned char *bytes;
    size_t size, position;
    size_t origin; /* offset of bytes[0] in the file, for messages */
    bool has_failed;
    struct error *err;
};

void cursor_init(struct cursor *cursor, const void *bytes, size_t size, size_t origin,
                 struct error *err);
/* A view of the next n bytes, or NULL when fewer remain. */
const unsigned char *cursor_view(struct cursor *cursor, size_t n);
uint8_t cursor_u8(struct cursor *cursor);
uint16_t cursor_u16(struct cursor *cursor);
uint32_t cursor_u32(struct cursor *cursor);
uint64_t cursor_u64(struct cursor *cursor);
static inline size_t cursor_left(const struct cursor *cursor)
{
    return cursor->size - cursor->position;
}

#endif
