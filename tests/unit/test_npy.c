/* test_npy.c - the header that numpy wants. */
#include "format/npy.h"

#include "test.h"

static void the_header_is_that_of_numpy(void)
{
    /* numpy.save(f, numpy.zeros((3, 96), '<f4')), numpy 2.4: the first 128 bytes */
    static const char expected[] =
        "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3, 96), }";
    struct buffer out = {0};

    npy_add_header(&out, 3, 96);
    CHECK(out.size == 128 && out.data[127] == '\n');
    CHECK(memcmp(out.data, expected, sizeof expected - 1) == 0);
    for (size_t i = sizeof expected - 1; i < 127; i++)
        CHECK(out.data[i] == ' ');
    buffer_release(&out);
}

static void the_numbers_begin_at_a_multiple_of_64(void)
{
    for (size_t n = 1; n < (size_t)1 << 60; n *= 10) {
        struct buffer out = {0};

        npy_add_header(&out, n, n);
        CHECK(out.size % 64 == 0 && out.data[out.size - 1] == '\n');
        CHECK((unsigned char)out.data[8] + 10u == out.size);
        buffer_release(&out);
    }
}

TESTS(TEST(the_header_is_that_of_numpy), TEST(the_numbers_begin_at_a_multiple_of_64))
