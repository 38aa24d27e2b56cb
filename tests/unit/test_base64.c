#include "base/base64.h"

#include "test.h"

static const struct {
    const char *bytes, *text; /* RFC 4648, 10 */
} pairs[] = {
    {"", ""},           {"f", "Zg=="},       {"fo", "Zm8="},          {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbe", "+/++"},
};
enum { N_PAIRS = sizeof pairs / sizeof *pairs };

static void bytes_become_text_and_bytes_again(void)
{
    for (size_t i = 0; i < N_PAIRS; i++) {
        struct buffer text = {0}, bytes = {0};

        buffer_add_text(&text, "");
        buffer_add_text(&bytes, "");
        base64_encode(pairs[i].bytes, strlen(pairs[i].bytes), &text);
        CHECK(strcmp(text.data, pairs[i].text) == 0);
        CHECK(base64_decode(text.data, text.size, &bytes) == 0);
        CHECK(strcmp(bytes.data, pairs[i].bytes) == 0);
        buffer_release(&text);
        buffer_release(&bytes);
    }
}

/* Lengths around those that are put into the text at once. */
static void many_bytes_come_back(void)
{
    unsigned char bytes[800];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 167 + i / 256);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct buffer text = {0}, back = {0};

        base64_encode(bytes, n, &text);
        CHECK(text.size == (n + 2) / 3 * 4);
        CHECK(base64_decode(text.data ? text.data : "", text.size, &back) == 0 && back.size == n &&
              (n == 0 || memcmp(back.data, bytes, n) == 0));
        buffer_release(&text);
        buffer_release(&back);
    }
}

static void padding_may_be_missing(void)
{
    struct buffer bytes = {0};

    CHECK(base64_decode("Zg", 2, &bytes) == 0 && bytes.size == 1);
    CHECK(base64_decode("Zm8", 3, &bytes) == 0 && bytes.size == 3);
    CHECK(memcmp(bytes.data, "ffo", 3) == 0);
    buffer_release(&bytes);
}

static void what_is_no_base64_is_refused(void)
{
    static const char *const texts[] = {"Z", "Zm9vY", "Zg===", "Z=g=", "Zm 9", "Zm9-", "Zm9_"};
    struct buffer bytes = {0};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(base64_decode(texts[i], strlen(texts[i]), &bytes) == -1);
    CHECK(base64_decode("Zm\09", 4, &bytes) == -1);
    buffer_release(&bytes);
}

TESTS(TEST(bytes_become_text_and_bytes_again), TEST(many_bytes_come_back),
      TEST(padding_may_be_missing),
      TEST(what_is_no_base64_is_refused))
