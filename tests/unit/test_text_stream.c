/* test_text_stream.c - text as it comes: in whole characters, and no further than to a stop. */
#include "text/text_stream.h"

#include "base/folder.h"
#include "test.h"

static struct tokenizer *open_tokenizer(const char *name)
{
    struct buffer path = {0};
    struct error err = {0};
    struct folder *folder;
    struct tokenizer *tokenizer;

    buffer_format(&path, "fixtures/tokenizers/%s", name);
    folder = folder_open(path.data, false, &err);
    tokenizer = folder ? tokenizer_load(folder, "", &err) : NULL;
    CHECK(tokenizer != NULL);
    folder_close(folder);
    buffer_release(&path);
    return tokenizer;
}

struct result {
    struct buffer text;
    bool has_stopped, has_ended; /* at a stop: before there were no more ids */
    size_t n_read;               /* ids */
};

/* All ids of the text but the last n_left_out, with up to two stops. */
static struct result stream(const char *tokenizer_name, const char *text, size_t n_left_out,
                            const char *stop1, const char *stop2)
{
    struct tokenizer *tokenizer = open_tokenizer(tokenizer_name);
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    const struct encode_options how = {.no_special = true};
    const char *const items[] = {stop1, stop2};
    const struct text_stops stops = {items, (stop1 != NULL) + (stop2 != NULL)};
    struct text_stream stream;
    struct encoding encoding = {0};
    struct result result = {{0}, false, false, 0};
    struct error err = {0};

    CHECK(tokenizer_encode(tokenizer, scratch, text, strlen(text), NULL, 0, &how, &encoding,
                           &err) == 0);
    text_stream_init(&stream, tokenizer, &stops, NULL);
    buffer_add_text(&result.text, "");
    while (result.n_read + n_left_out < encoding.n_ids && !result.has_stopped) {
        size_t before = result.text.size;

        result.has_stopped = text_stream_add(&stream, encoding.ids[result.n_read++],
                                             &result.text, &err) == 1;
        /* no character begins in its middle */
        CHECK(result.text.size == before ||
              ((unsigned char)result.text.data[before] & 0xc0) != 0x80);
    }
    if (!result.has_stopped) {
        result.has_ended = true;
        result.has_stopped = text_stream_end(&stream, &result.text, &err) == 1;
    }
    CHECK(!err.code);
    text_stream_release(&stream);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    tokenizer_free(tokenizer);
    return result;
}

static bool gives(const char *text, size_t n_left_out, const char *stop1, const char *stop2,
                  const char *expected, bool has_stopped)
{
    struct result result = stream("byte-level-gpt2", text, n_left_out, stop1, stop2);
    bool is_right = strcmp(result.text.data, expected) == 0 && result.has_stopped == has_stopped;

    if (!is_right)
        printf("# '%s', %sstopped\n", result.text.data, result.has_stopped ? "" : "not ");
    buffer_release(&result.text);
    return is_right;
}

static void all_text_comes_without_stops(void)
{
    CHECK(gives("The cat, the hat; \xe2\x82\xac 5 \xf0\x9f\x98\x80!", 0, NULL, NULL,
                "The cat, the hat; \xe2\x82\xac 5 \xf0\x9f\x98\x80!", false));
    CHECK(gives("", 0, NULL, NULL, "", false));
    CHECK(gives("", 0, "x", NULL, "", false));
}

static void the_text_ends_before_a_stop_in_any_place(void)
{
    static const char text[] = "one two three four five";

    for (size_t start = 0; start < sizeof text - 1; start++)
        for (size_t n = 1; start + n < sizeof text; n++) {
            char stop[sizeof text], expected[sizeof text];
            size_t first;

            memcpy(stop, text + start, n);
            stop[n] = '\0';
            first = (size_t)(strstr(text, stop) - text);
            memcpy(expected, text, first);
            expected[first] = '\0';
            CHECK(gives(text, 0, stop, NULL, expected, true));
        }
}

static void what_only_begins_like_a_stop_is_given_at_the_end(void)
{
    CHECK(gives("one two three", 0, "three times", NULL, "one two three", false));
    CHECK(gives("aaab aab", 0, "aab ab", NULL, "aaab aab", false));
    CHECK(gives("aaaab", 0, "aaab", NULL, "a", true));
}

static void of_several_stops_the_first_in_the_text_counts(void)
{
    CHECK(gives("one two three", 0, "three", "two", "one ", true));
    CHECK(gives("one two three", 0, "two", "three", "one ", true));
    CHECK(gives("one two three", 0, "absent", "three", "one two ", true));
    /* the longer of two beginnings is held back */
    CHECK(gives("one two three", 0, "e f", "two three four", "one two three", false));
}

/* The bytes of the last character do not all come: the tokenizer makes U+FFFD of those that did. */
static void half_a_character_is_no_character_until_the_end(void)
{
    CHECK(gives("ab \xf0\x9f\xa6\x9c", 1, NULL, NULL, "ab \xef\xbf\xbd", false));
    CHECK(gives("ab \xf0\x9f\xa6\x9c", 1, "abc", NULL, "ab \xef\xbf\xbd", false));
}

/* A stop that is whole only when what was left at the end is added. */
static void a_stop_may_come_with_the_end(void)
{
    static const char text[] = "ab \xf0\x9f\xa6\x9c";
    struct result result = stream("byte-level-gpt2", text, 1, "b \xef\xbf\xbd", NULL);

    CHECK(result.has_stopped && result.has_ended);
    CHECK(strcmp(result.text.data, "a") == 0);
    buffer_release(&result.text);
    CHECK(gives(text, 1, "\xef\xbf\xbd", NULL, "ab ", true));
}

/* Byte fallback: a character is as many tokens as it has bytes. */
static void bytes_become_characters(void)
{
    for (size_t n_left_out = 0; n_left_out < 4; n_left_out++) {
        struct result result =
            stream("unigram-bytes", "a \xf0\x9f\xa6\x9c", n_left_out, "\xf0\x9f\xa6\x9c", NULL);

        CHECK(result.has_stopped == (n_left_out == 0));
        CHECK_CONTAINS(result.text.data, "a");
        CHECK((strstr(result.text.data, "\xef\xbf\xbd") != NULL) ==
              (n_left_out > 0 && n_left_out < 4));
        buffer_release(&result.text);
    }
}

TESTS(TEST(all_text_comes_without_stops), TEST(the_text_ends_before_a_stop_in_any_place),
      TEST(what_only_begins_like_a_stop_is_given_at_the_end),
      TEST(of_several_stops_the_first_in_the_text_counts),
      TEST(half_a_character_is_no_character_until_the_end), TEST(a_stop_may_come_with_the_end),
      TEST(bytes_become_characters))
