#include "base/line_reader.h"

#include <stdint.h>

#include "scratch.h"

static struct line_reader *open_text(const char *text)
{
    struct error err = {0};
    struct line_reader *reader;

    scratch_text("lines.txt", text);
    reader = line_reader_open(scratch_path("lines.txt"), &err);
    scratch_must(reader != NULL, "open", "lines.txt");
    return reader;
}

/* The lines, each in brackets. */
static void check_lines(const char *text, const char *expected)
{
    struct line_reader *reader = open_text(text);
    struct buffer found = {0};
    struct error err = {0};
    const char *line;
    size_t n, n_lines = 0;

    buffer_add_text(&found, "");
    while (line_reader_next(reader, &line, &n, &err) > 0) {
        buffer_add_char(&found, '[');
        buffer_add(&found, line, n);
        buffer_add_char(&found, ']');
        CHECK(line_reader_line(reader) == ++n_lines);
    }
    CHECK(err.code == ERROR_NONE && strcmp(found.data, expected) == 0);
    if (strcmp(found.data, expected) != 0)
        printf("# '%s'\n", found.data);
    buffer_release(&found);
    line_reader_close(reader);
}

static void lines_come_without_their_ends(void)
{
    check_lines("", "");
    check_lines("a", "[a]");
    check_lines("a\n", "[a]");
    check_lines("a\n\nb", "[a][][b]");
    check_lines("\n", "[]");
    check_lines("a\r\nb\r\n\r\n", "[a][b][]");
}

/* LF and CRLF end a line, CR alone does not. */
static void a_carriage_return_without_a_line_feed_belongs_to_the_line(void)
{
    check_lines("a\r", "[a\r]");
    check_lines("a\rb\n", "[a\rb]");
    check_lines("a\r\r\n", "[a\r]");
}

static void a_mark_is_left_out_at_the_start_of_the_file_alone(void)
{
    check_lines("\xef\xbb\xbf" "a\n", "[a]");
    check_lines("\xef\xbb\xbf\xef\xbb\xbf" "a", "[\xef\xbb\xbf" "a]");
    check_lines("a\n\xef\xbb\xbf" "b\n", "[a][\xef\xbb\xbf" "b]");
    check_lines("\xef\xbb\n", "[\xef\xbb]");
}

/* Longer than what is read at once. */
static void lines_may_be_long(void)
{
    static char text[200004];
    struct line_reader *reader;
    struct error err = {0};
    const char *line;
    size_t n;

    memset(text, 'x', sizeof text - 1);
    memcpy(text + 100000, "\nab\n", 4);
    reader = open_text(text);
    CHECK(line_reader_next(reader, &line, &n, &err) == 1 && n == 100000 && line[n - 1] == 'x');
    CHECK(line_reader_next(reader, &line, &n, &err) == 1 && n == 2 && memcmp(line, "ab", 2) == 0);
    CHECK(line_reader_next(reader, &line, &n, &err) == 1 && n == 99999 && line[n - 1] == 'x');
    CHECK(line_reader_next(reader, &line, &n, &err) == 0);
    line_reader_close(reader);
}

static void the_rest_comes_as_it_is(void)
{
    struct line_reader *reader = open_text("a\nb\r\nc");
    struct error err = {0};
    const char *text;
    size_t n;

    CHECK(line_reader_next(reader, &text, &n, &err) == 1);
    CHECK(line_reader_rest(reader, SIZE_MAX, &text, &n, &err) == 0 && n == 4);
    CHECK(memcmp(text, "b\r\nc", 4) == 0);
    CHECK(line_reader_rest(reader, SIZE_MAX, &text, &n, &err) == 0 && n == 0);
    CHECK(line_reader_next(reader, &text, &n, &err) == 0);
    line_reader_close(reader);
}

static void the_rest_has_a_limit(void)
{
    struct line_reader *reader = open_text("abcd");
    struct error err = {0};
    const char *text;
    size_t n;

    CHECK(line_reader_rest(reader, 3, &text, &n, &err) == -1 && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "more than 3 bytes");
    line_reader_close(reader);
}

TESTS(TEST(lines_come_without_their_ends),
      TEST(a_carriage_return_without_a_line_feed_belongs_to_the_line),
      TEST(a_mark_is_left_out_at_the_start_of_the_file_alone), TEST(lines_may_be_long),
      TEST(the_rest_comes_as_it_is), TEST(the_rest_has_a_limit))
