#include "digits.h"

const char *digits_read(const char *text, size_t *value)
{
    const char *at = text;

    *value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (size_t)(*at - '0'), value))
            return NULL;
    return at > text ? at : NULL;
}

bool digits_read_all(const char *text, size_t *value)
{
    const char *end = digits_read(text, value);

    return end && *end == '\0';
}

void digits_add(struct buffer *out, size_t value)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    buffer_add(out, digits + at, sizeof digits - at);
}
