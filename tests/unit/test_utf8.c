/* test_utf8.c - the borders of table 3-7 of the Unicode standard. */
#include "base/utf8.h"

#include "test.h"

static size_t sequence(const char *bytes)
{
    return utf8_sequence((const unsigned char *)bytes, strlen(bytes));
}

static void takes_the_first_and_last_of_each_row(void)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"\x01", 1},         {"\x7f", 1},         {"\xc2\x80", 2},         {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3}, {"\xe0\xbf\xbf", 3}, {"\xe1\x80\x80", 3},     {"\xec\xbf\xbf", 3},
        {"\xed\x80\x80", 3}, {"\xed\x9f\xbf", 3}, {"\xee\x80\x80", 3},     {"\xef\xbf\xbf", 3},
        {"\xf0\x90\x80\x80", 4}, {"\xf3\xbf\xbf\xbf", 4}, {"\xf4\x80\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(sequence(cases[i].bytes) == cases[i].length);
    CHECK(utf8_sequence((const unsigned char *)"", 1) == 1); /* NUL is a character */
}

static void refuses_what_lies_just_outside(void)
{
    static const char *const cases[] = {
        "\x80",         "\xbf",         "\xc0\x80",     "\xc1\xbf",     "\xe0\x80\x80",
        "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
        "\xc2\x7f",     "\xc2\xc0",     "\xe1\x80\x7f", "\xe1\xc0\x80", "\xf1\x80\x80\xc0",
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(sequence(cases[i]) == 0);
}

static void refuses_a_sequence_that_the_end_cuts(void)
{
    CHECK(sequence("\xc3") == 0);
    CHECK(sequence("\xe2\x82") == 0);
    CHECK(sequence("\xf0\x9f\x98") == 0);
    CHECK(utf8_sequence((const unsigned char *)"\xe2\x82\xac", 2) == 0);
}

static void every_code_point_comes_back(void)
{
    struct buffer buffer = {0};
    size_t n_wrong = 0;

    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        const unsigned char *b;
        uint32_t value;

        if (c >= 0xd800 && c < 0xe000)
            continue;
        buffer_clear(&buffer);
        utf8_add(&buffer, c);
        b = (const unsigned char *)buffer.data;
        value = length == 1   ? b[0]
                : length == 2 ? (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu)
                : length == 3 ? (b[0] & 0xfu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu)
                              : (b[0] & 7u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 |
                                    (b[3] & 0x3fu);
        n_wrong += buffer.size != length || utf8_sequence(b, length) != length || value != c;
    }
    CHECK(n_wrong == 0);
    buffer_release(&buffer);
}

static void the_valid_prefix_ends_at_the_first_bad_byte(void)
{
    CHECK(utf8_valid_prefix("", 0) == 0);
    CHECK(utf8_valid_prefix("abc", 3) == 3);
    CHECK(utf8_valid_prefix("a\0b", 3) == 3);
    CHECK(utf8_valid_prefix("a\xc3\xa9z", 4) == 4);
    CHECK(utf8_valid_prefix("a\xc3\xa9\xffz", 5) == 3);
    CHECK(utf8_valid_prefix("\xff", 1) == 0);
    CHECK(utf8_valid_prefix("ab\xe2\x82", 4) == 2);
}

/* One replacement for each part that could have begun a character, as in Unicode 3.9 (U+FFFD
 * substitution of maximal subparts) and in Python. */
static void check_lossy(const char *text, const char *expected)
{
    struct buffer out = {0};

    utf8_add_lossy(&out, text, strlen(text));
    buffer_add_text(&out, "");
    CHECK(strcmp(out.data, expected) == 0);
    buffer_release(&out);
}

static void bad_bytes_become_replacements(void)
{
    check_lossy("a\xc3\xa9", "a\xc3\xa9");
    check_lossy("\x80z", "\xef\xbf\xbdz");
    check_lossy("\xe2\x82z", "\xef\xbf\xbdz");
    check_lossy("\xf0\x9f\x98", "\xef\xbf\xbd");
    check_lossy("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");
    check_lossy("\xe0\x9f\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_lossy("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_lossy("\xf0\x8f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_lossy("\xf4\x90\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_lossy("\xf4\x8f\xbfz", "\xef\xbf\xbdz");
    check_lossy("\xf5\x80z", "\xef\xbf\xbd\xef\xbf\xbdz");
}

static void check_printable(const char *text, size_t size, const char *expected)
{
    struct buffer out = {0};

    utf8_add_printable(&out, text, size);
    buffer_add_text(&out, "");
    CHECK(strcmp(out.data, expected) == 0);
    buffer_release(&out);
}

static void what_a_terminal_would_act_on_is_shown_as_numbers(void)
{
    check_printable("plain", 5, "plain");
    check_printable("", 0, "");
    check_printable("\x1b[31mred", 8, "\\x1b[31mred");
    check_printable("a\nb\tc\r", 6, "a\\x0ab\\x09c\\x0d");
    check_printable("\x7f", 1, "\\x7f");
    check_printable("a\0b", 3, "a\\x00b");
    check_printable("\xc2\x9b" "31m", 5, "\\xc2\\x9b31m"); /* U+009B is an escape, too */
    check_printable("\xc2\xa0", 2, "\xc2\xa0");
    check_printable("\xe2\x82\xac\xff\xc3", 5, "\xe2\x82\xac\\xff\\xc3");
}

TESTS(TEST(takes_the_first_and_last_of_each_row), TEST(refuses_what_lies_just_outside),
      TEST(refuses_a_sequence_that_the_end_cuts), TEST(every_code_point_comes_back),
      TEST(the_valid_prefix_ends_at_the_first_bad_byte), TEST(bad_bytes_become_replacements),
      TEST(what_a_terminal_would_act_on_is_shown_as_numbers))
