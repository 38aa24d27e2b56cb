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
