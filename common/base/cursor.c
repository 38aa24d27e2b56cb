#include "cursor.h"

void cursor_init(struct cursor *cursor, const void *bytes, size_t size, size_t origin,
                 struct error *err)
{
    *cursor = (struct cursor){.bytes = bytes, .size = size, .origin = origin, .err = err};
}

const unsigned char *cursor_view(struct cursor *cursor, size_t n)
{
    const unsigned char *view = cursor->bytes + cursor->position;

    if (cursor->has_failed)
        return NULL;
    if (n > cursor_left(cursor)) {
        cursor->has_failed = true;
        error_set(cursor->err, ERROR_FORMAT, "at byte %zu: %zu bytes wanted, %zu left",
                  cursor->origin + cursor->position, n, cursor_left(cursor));
        return NULL;
    }
    cursor->position += n;
    return view;
}

static uint64_t read_number(struct cursor *cursor, size_t n)
{
    const unsigned char *bytes = cursor_view(cursor, n);
    uint64_t value = 0;

    for (size_t i = n; bytes && i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

uint8_t cursor_u8(struct cursor *cursor)
{
    return (uint8_t)read_number(cursor, 1);
}

uint16_t cursor_u16(struct cursor *cursor)
{
    return (uint16_t)read_number(cursor, 2);
}

uint32_t cursor_u32(struct cursor *cursor)
{
    return (uint32_t)read_number(cursor, 4);
}

uint64_t cursor_u64(struct cursor *cursor)
{
    return read_number(cursor, 8);
}
