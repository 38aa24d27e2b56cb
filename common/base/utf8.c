#include "utf8.h"

size_t utf8_sequence(const unsigned char *bytes, size_t size)
{
    size_t length = bytes[0] < 0x80 ? 1 : bytes[0] < 0xc2 ? 0 : bytes[0] < 0xe0 ? 2
                  : bytes[0] < 0xf0 ? 3 : bytes[0] < 0xf5 ? 4 : 0;

    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xed && bytes[1] > 0x9f) ||
        (bytes[0] == 0xf0 && bytes[1] < 0x90) || (bytes[0] == 0xf4 && bytes[1] > 0x8f))
        return 0;
    return length;
}

size_t utf8_valid_prefix(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t i = 0;

    while (i < size) {
        size_t length = bytes[i] < 0x80 ? 1 : utf8_sequence(bytes + i, size - i);

        if (length == 0)
            break;
        i += length;
    }
    return i;
}

/* Length of the maximal ill-formed part of a text that does not begin with a well-formed sequence:
 * 1 to 3 bytes that stand for one U+FFFD (Unicode 15, 3.9, "maximal subparts"). */
static size_t ill_formed_bytes(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t wanted = bytes[0] < 0xc2 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3
                  : bytes[0] < 0xf5 ? 4 : 1;
    unsigned char low = bytes[0] == 0xe0 ? 0xa0 : bytes[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = bytes[0] == 0xed ? 0x9f : bytes[0] == 0xf4 ? 0x8f : 0xbf;
    size_t n = 1;

    if (wanted == 1 || size < 2 || bytes[1] < low || bytes[1] > high)
        return 1;
    for (n = 2; n < wanted && n < size && (bytes[n] & 0xc0) == 0x80; n++)
        ;
    return n;
}

void utf8_add_lossy(struct buffer *buffer, const char *text, size_t size)
{
    while (size > 0) {
        size_t good = utf8_valid_prefix(text, size), bad;

        buffer_add(buffer, text, good);
        if (good == size)
            break;
        bad = ill_formed_bytes(text + good, size - good);
        buffer_add_text(buffer, "\xef\xbf\xbd");
        text += good + bad;
        size -= good + bad;
    }
}

void utf8_add(struct buffer *buffer, uint32_t code_point)
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    unsigned char bytes[4];
    size_t n = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;

    for (size_t i = n - 1; i > 0; i--, code_point >>= 6)
        bytes[i] = (unsigned char)(0x80 | (code_point & 0x3f));
    bytes[0] = n == 1 ? (unsigned char)code_point : (unsigned char)(lead[n] | code_point);
    buffer_add(buffer, bytes, n);
}

void utf8_add_printable(struct buffer *buffer, const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;

    for (size_t i = 0; i < size;) {
        size_t length = utf8_sequence(bytes + i, size - i);
        /* U+0080 to U+009F are control characters too: terminals act on them. */
        int is_control = bytes[i] < 0x20 || bytes[i] == 0x7f ||
                         (length == 2 && bytes[i] == 0xc2 && bytes[i + 1] < 0xa0);

        if (length && !is_control) {
            buffer_add(buffer, text + i, length);
            i += length;
        } else {
            buffer_format(buffer, "\\x%02x", bytes[i]);
            i++;
        }
    }
}
