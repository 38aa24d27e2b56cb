#include "base/buffer.h"

#include "test.h"

static void is_null_until_the_first_addition(void)
{
    struct buffer buffer = {0};

    buffer_clear(&buffer);
    CHECK(!buffer.data && buffer.size == 0);
    buffer_add(&buffer, NULL, 0);
    CHECK(buffer.data && buffer.size == 0 && buffer.data[0] == '\0');
    buffer_release(&buffer);
}

static void ends_with_a_nul_after_every_addition(void)
{
    struct buffer buffer = {0};

    buffer_add(&buffer, "ab\0c", 4);
    CHECK(buffer.size == 4 && memcmp(buffer.data, "ab\0c", 5) == 0);
    buffer_add_char(&buffer, 'd');
    CHECK(buffer.size == 5 && buffer.data[5] == '\0');
    buffer_add_text(&buffer, "ef");
    CHECK(buffer.size == 7 && memcmp(buffer.data, "ab\0cdef", 8) == 0);
    buffer_format(&buffer, "-%d-%s", 12, "x");
    CHECK(buffer.size == 12 && strcmp(buffer.data + 7, "-12-x") == 0);
    buffer_release(&buffer);
}

static void grows_by_bytes_and_by_large_pieces(void)
{
    static char large[100000];
    struct buffer buffer = {0};

    memset(large, 'x', sizeof large);
    for (size_t i = 0; i < 1000; i++)
        buffer_add_char(&buffer, (char)('a' + i % 26));
    buffer_add(&buffer, large, sizeof large);
    buffer_format(&buffer, "%.*s", 50000, large);
    CHECK(buffer.size == 151000 && strlen(buffer.data) == 151000);
    for (size_t i = 0; i < 1000; i++)
        CHECK(buffer.data[i] == (char)('a' + i % 26));
    buffer_release(&buffer);
}

static void check_splice(size_t start, size_t n, const char *text, const char *expected)
{
    struct buffer buffer = {0};

    buffer_add_text(&buffer, "0123456789");
    buffer_splice(&buffer, start, n, text);
    CHECK(buffer.size == strlen(expected));
    CHECK(strcmp(buffer.data, expected) == 0);
    buffer_release(&buffer);
}

static void a_splice_replaces_just_the_range(void)
{
    check_splice(0, 0, "", "0123456789");
    check_splice(0, 0, "ab", "ab0123456789");
    check_splice(10, 0, "ab", "0123456789ab");
    check_splice(3, 4, "", "012789");
    check_splice(3, 4, "xy", "012xy789");
    check_splice(3, 1, "a longer text than before", "012a longer text than before456789");
    check_splice(0, 10, "", "");
    check_splice(0, 10, "new", "new");
    check_splice(9, 1, "end", "012345678end");
}

static void clearing_keeps_the_memory(void)
{
    struct buffer buffer = {0};
    size_t capacity;

    buffer_format(&buffer, "%0100d", 1);
    capacity = buffer.capacity;
    buffer_clear(&buffer);
    CHECK(buffer.size == 0 && buffer.data[0] == '\0' && buffer.capacity == capacity);
    buffer_add_text(&buffer, "a");
    CHECK(strcmp(buffer.data, "a") == 0 && buffer.capacity == capacity);
    buffer_release(&buffer);
    CHECK(!buffer.data && buffer.capacity == 0);
    buffer_release(&buffer);
}

TESTS(TEST(is_null_until_the_first_addition), TEST(ends_with_a_nul_after_every_addition),
      TEST(grows_by_bytes_and_by_large_pieces), TEST(a_splice_replaces_just_the_range),
      TEST(clearing_keeps_the_memory))
