#include "npy.h"

#include <assert.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "'<f4' is how floats lie in memory");

void npy_add_header(struct buffer *out, size_t n_rows, size_t n_columns)
{
    enum { PREFIX = 10, ALIGNMENT = 64 };
    struct buffer text = {0};
    uint16_t length;

    buffer_format(&text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", n_rows,
                  n_columns);
    while ((PREFIX + text.size + 1) % ALIGNMENT) /* so that the numbers can be mapped */
        buffer_add_char(&text, ' ');
    buffer_add_char(&text, '\n');
    length = (uint16_t)text.size;
    buffer_add(out, "\x93NUMPY\x01\x00", 8);
    buffer_add(out, &length, sizeof length);
    buffer_add(out, text.data, text.size);
    buffer_release(&text);
}
