#include "base/cursor.h"

#include "test.h"

static const unsigned char bytes[] = {0x01, 0x02, 0x03, 0x84, 0x05, 0x06, 0x07, 0x08,
                                      0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x8f};

static void reads_little_endian_numbers_one_behind_the_other(void)
{
    struct cursor cursor;
    struct error err = {0};

    cursor_init(&cursor, bytes, sizeof bytes, 0, &err);
    CHECK(cursor_u8(&cursor) == 0x01);
    CHECK(cursor_u16(&cursor) == 0x0302);
    CHECK(cursor_u32(&cursor) == 0x07060584);
    CHECK(cursor_left(&cursor) == 8);
    CHECK(cursor_u64(&cursor) == 0x8f0e0d0c0b0a0908);
    CHECK(cursor_left(&cursor) == 0);
    CHECK(!cursor.has_failed && err.code == ERROR_NONE);
}

static void a_view_borrows_the_next_bytes(void)
{
    struct cursor cursor;
    struct error err = {0};

    cursor_init(&cursor, bytes, sizeof bytes, 0, &err);
    CHECK(cursor_view(&cursor, 4) == bytes);
    CHECK(cursor_view(&cursor, 0) == bytes + 4);
    CHECK(cursor_view(&cursor, 11) == bytes + 4);
    CHECK(cursor_view(&cursor, 0) == bytes + 15);
    CHECK(err.code == ERROR_NONE);
}

static void the_first_overrun_names_the_offset_in_the_file(void)
{
    struct cursor cursor;
    struct error err = {0};

    cursor_init(&cursor, bytes, 5, 1000, &err);
    cursor_u8(&cursor);
    cursor_u8(&cursor);
    CHECK(cursor_u32(&cursor) == 0);
    CHECK(cursor.has_failed && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "1002");
    CHECK_CONTAINS(err.text, "4 bytes wanted, 3 left");
}

static void after_an_overrun_all_reads_are_zero(void)
{
    struct cursor cursor;
    struct error err = {0};
    char text[sizeof err.text];

    cursor_init(&cursor, bytes, 5, 0, &err);
    CHECK(cursor_u64(&cursor) == 0);
    memcpy(text, err.text, sizeof text);
    CHECK(cursor_u8(&cursor) == 0); /* though a byte would be there */
    CHECK(cursor_u16(&cursor) == 0);
    CHECK(!cursor_view(&cursor, 1));
    CHECK(!cursor_view(&cursor, 0));
    CHECK(strcmp(text, err.text) == 0);
}

static void a_huge_length_does_not_wrap(void)
{
    struct cursor cursor;
    struct error err = {0};

    cursor_init(&cursor, bytes, sizeof bytes, 0, &err);
    cursor_u32(&cursor);
    CHECK(!cursor_view(&cursor, SIZE_MAX));
    CHECK(err.code == ERROR_FORMAT);
}

TESTS(TEST(reads_little_endian_numbers_one_behind_the_other), TEST(a_view_borrows_the_next_bytes),
      TEST(the_first_overrun_names_the_offset_in_the_file),
      TEST(after_an_overrun_all_reads_are_zero), TEST(a_huge_length_does_not_wrap))
