#include "base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_value(char c)
{
    const char *found = c ? strchr(digits, c) : NULL;

    return found ? (int)(found - digits) : -1;
}

int base64_decode(const char *text, size_t n, struct buffer *out)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;

    for (int i = 0; i < 2 && n > 0 && text[n - 1] == '='; i++)
        n--;
    if (n % 4 == 1)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int value = digit_value(text[i]);

        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            buffer_add_char(out, (char)(bits >> n_bits & 0xff));
        }
    }
    return 0;
}

void base64_encode(const void *bytes, size_t n, struct buffer *out)
{
    const unsigned char *in = bytes;
    char text[256]; /* many at a time: buffers look at their size each time */
    size_t n_text = 0;

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                        (left > 2 ? in[i + 2] : 0);

        text[n_text++] = digits[bits >> 18];
        text[n_text++] = digits[bits >> 12 & 63];
        text[n_text++] = left > 1 ? digits[bits >> 6 & 63] : '=';
        text[n_text++] = left > 2 ? digits[bits & 63] : '=';
        if (n_text == sizeof text || left <= 3) {
            buffer_add(out, text, n_text);
            n_text = 0;
        }
    }
}
