/* test_json_reader.c - what JSON is (RFC 8259), and reading it piece by piece. */
#include "base/json_reader.h"

#include <math.h>
#include <stdint.h>

#include "base/memory.h"
#include "test.h"

/* Whether the text is one JSON value; *err says why not. */
static bool is_json(const char *text, size_t size, struct error *err)
{
    struct json_reader reader;
    /* On the heap and without a NUL behind it, so that a sanitizer sees a byte read too far. */
    char *copy = memory_alloc(size);
    bool result;

    *err = (struct error){0};
    memcpy(copy, text, size);
    json_reader_init(&reader, copy, size);
    result = json_reader_skip(&reader, err) == 0 && json_reader_finish(&reader, err) == 0;
    json_reader_release(&reader);
    free(copy);
    return result;
}

static void takes_what_rfc_8259_allows(void)
{
    static const char *const texts[] = {
        "null", "true", "false", "0", "-0", "7", "-1", "10", "1.5", "-0.25", "1e5", "1E+05", "2e-3",
        "0.0", "1.0e0", "123456789012345678901234567890123456789012345678901234567890123456789",
        "1e999", "\"\"", "\"a\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0041\\u00e9\\uD83D\\uDE00\"",
        "\"\\u0000\"", "\"\x7f\"", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"", "[]", "{}", "[[]]",
        "[1,2]", " [ 1 , 2 ] ", "\t\r\n{ \"a\" : { } , \"b\":[null,true , false]}\n", "{\"\":0}",
        "{\"a\":1,\"a\":2}", "[[],{},[{}],{\"a\":[]}]", "\"\xef\xbf\xbf\"", "\"\\ud7ff\\ue000\"",
    };
    struct error err;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!is_json(texts[i], strlen(texts[i]), &err)) {
            printf("# %s: %s\n", texts[i], err.text);
            CHECK(!"taken");
        }
}

static void refuses_everything_else(void)
{
    static const char *const texts[] = {
        "", " ", "\n", "\xef\xbb\xbf{}", "nul", "nulll", "True", "TRUE", "tru", "truefalse", "NaN",
        "Infinity", "-Infinity", "+1", "-", "01", "-01", "00", "1.", ".5", "1.e3", "1e", "1e+",
        "1e1.5", "0x10", "1a", "1 2", "--1", "1_000", "\"", "\"a", "\"\\", "\"\\\"", "\"\\x41\"",
        "\"\\a\"", "\"\\'\"", "\"\\u\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u 123\"", "\"\\ud800\"",
        "\"\\udc00\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\ud800\"", "\"\\ud800\\ue000\"", "\"\\ud800\\u0041\"",
        "\"\\udc00\\ud800\"", "\"\n\"", "\"\t\"", "\"\x1f\"", "'a'", "a", "[", "]", "[1", "[1,",
        "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1}", "[1]]", "[\"a\":1]", "{", "}", "{]",
        "{\"a\"", "{\"a\":", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}", "{,}", "{,\"a\":1}",
        "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}",
        "{\"a\":1}}", "{\"a\":1} x", "[] []", "// comment\n1", "/* c */ 1", "1 //", "[1]\v", "\f1",
        "\xc2\xa0[1]", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"",
        "\"\xe2\x82\"", "{\"\xff\":1}", "{\"a\":undefined}", "[-]", "[1e]", "[nul]", "[\"]",
    };
    struct error err;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bool is_taken = is_json(texts[i], strlen(texts[i]), &err);

        if (is_taken)
            printf("# '%s' was taken\n", texts[i]);
        CHECK(!is_taken && err.code == ERROR_FORMAT && *err.text);
    }
}

static void a_nul_byte_is_not_the_end(void)
{
    struct error err;

    CHECK(!is_json("1\0", 2, &err));
    CHECK(!is_json("\0", 1, &err));
    CHECK(!is_json("[1,\0 2]", 7, &err));
    CHECK(!is_json("\"a\0b\"", 5, &err));
}

static void every_cut_of_a_valid_text_is_refused(void)
{
    static const char text[] =
        "{\"a\":[1.5e+3,-20,\"x\\u00e9\\n\\ud83d\\ude00\xe2\x82\xac\",true,false,null],\"b\":{}}";
    struct error err;

    CHECK(is_json(text, sizeof text - 1, &err));
    for (size_t n = 0; n < sizeof text - 1; n++)
        CHECK(!is_json(text, n, &err));
}

static void complaints_say_where(void)
{
    struct error err;

    CHECK(!is_json("{\"a\": 01}", 9, &err));
    CHECK_CONTAINS(err.text, "at byte 7");
    CHECK(!is_json("[1, 2", 5, &err));
    CHECK_CONTAINS(err.text, "ends too early");
    CHECK(!is_json("", 0, &err));
    CHECK(strcmp(err.text, "is empty") == 0);
    CHECK(!is_json("{} x", 4, &err));
    CHECK_CONTAINS(err.text, "at byte 3");
}

static bool nests(char opener, size_t depth, struct error *err)
{
    struct buffer text = {0};
    bool result;

    for (size_t i = 0; i < depth; i++)
        buffer_add_text(&text, opener == '[' ? "[" : i + 1 < depth ? "{\"a\":" : "{");
    for (size_t i = 0; i < depth; i++)
        buffer_add_char(&text, opener == '[' ? ']' : '}');
    result = is_json(text.data, text.size, err);
    buffer_release(&text);
    return result;
}

static void nesting_ends_at_128(void)
{
    struct error err;

    CHECK(nests('[', 128, &err));
    CHECK(!nests('[', 129, &err));
    CHECK_CONTAINS(err.text, "nested too deep");
    CHECK(nests('{', 128, &err));
    CHECK(!nests('{', 129, &err));
    CHECK(!nests('[', 1000000, &err));
    CHECK_CONTAINS(err.text, "nested too deep");
}

static void a_caller_walks_what_it_expects(void)
{
    static const char text[] = " {\"name\" : \"x\", \"sizes\":[1, 22 ,333], \"skip\":{\"a\":[{}]},"
                               "\"on\":true,\"off\":false,\"n\":-2.5} ";
    struct json_reader reader;
    struct json_text key, value;
    struct error err = {0};
    size_t size, sum = 0;
    double number;
    bool flag;

    json_reader_init(&reader, text, sizeof text - 1);
    CHECK(json_reader_peek(&reader) == JSON_OBJECT);
    CHECK(json_reader_object(&reader, &err) == 0);
    CHECK(json_reader_member(&reader, &key, &err) == 1 && json_text_is(key, "name"));
    CHECK(json_reader_peek(&reader) == JSON_STRING);
    CHECK(json_reader_string(&reader, &value, &err) == 0 && json_text_is(value, "x"));
    CHECK(json_reader_member(&reader, &key, &err) == 1 && json_text_is(key, "sizes"));
    CHECK(json_reader_peek(&reader) == JSON_ARRAY);
    CHECK(json_reader_array(&reader, &err) == 0);
    while (json_reader_item(&reader, &err) > 0) {
        CHECK(json_reader_peek(&reader) == JSON_NUMBER);
        CHECK(json_reader_size(&reader, &size, &err) == 0);
        sum += size;
    }
    CHECK(sum == 356);
    CHECK(json_reader_member(&reader, &key, &err) == 1 && json_text_is(key, "skip"));
    CHECK(json_reader_skip(&reader, &err) == 0);
    CHECK(json_reader_member(&reader, &key, &err) == 1 && json_text_is(key, "on"));
    CHECK(json_reader_peek(&reader) == JSON_BOOL);
    CHECK(json_reader_bool(&reader, &flag, &err) == 0 && flag);
    CHECK(json_reader_member(&reader, &key, &err) == 1 && json_text_is(key, "off"));
    CHECK(json_reader_bool(&reader, &flag, &err) == 0 && !flag);
    CHECK(json_reader_member(&reader, &key, &err) == 1 && json_text_is(key, "n"));
    CHECK(json_reader_number(&reader, &number, &err) == 0 && number == -2.5);
    CHECK(json_reader_member(&reader, &key, &err) == 0);
    CHECK(json_reader_finish(&reader, &err) == 0);
    CHECK(err.code == ERROR_NONE);
    json_reader_release(&reader);
}

/* What `read` (a letter) says to a text. */
static int read_as(char what, const char *text, struct error *err)
{
    struct json_reader reader;
    struct json_text string;
    size_t size;
    double number;
    bool flag;
    int rc;

    *err = (struct error){0};
    json_reader_init(&reader, text, strlen(text));
    rc = what == 'o'   ? json_reader_object(&reader, err)
         : what == 'a' ? json_reader_array(&reader, err)
         : what == 's' ? json_reader_string(&reader, &string, err)
         : what == 'n' ? json_reader_number(&reader, &number, err)
         : what == 'z' ? json_reader_size(&reader, &size, err)
                       : json_reader_bool(&reader, &flag, err);
    json_reader_release(&reader);
    return rc;
}

static void asked_for_another_kind_it_fails(void)
{
    static const char *const values[] = {"{}", "[]", "\"1\"", "1", "true", "null"};
    static const char kinds[] = "oasnb";
    struct error err;

    for (size_t k = 0; kinds[k]; k++)
        for (size_t v = 0; v < 6; v++) {
            int rc = read_as(kinds[k], values[v], &err);

            CHECK(rc == (k == v ? 0 : -1));
            CHECK(err.code == (k == v ? ERROR_NONE : ERROR_FORMAT));
        }
}

static void sizes_are_whole_and_exact(void)
{
    static const struct {
        const char *text;
        size_t value;
    } good[] = {{"0", 0}, {"1", 1}, {"9007199254740993", 9007199254740993},
                {"18446744073709551615", SIZE_MAX}};
    static const char *const bad[] = {"18446744073709551616", "99999999999999999999999999", "-1",
                                      "-0", "1.0", "1.5", "1e2", "1E2", "\"1\"", "null", "[1]"};
    struct error err = {0};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct json_reader reader;
        size_t value = 77;

        json_reader_init(&reader, good[i].text, strlen(good[i].text));
        CHECK(json_reader_size(&reader, &value, &err) == 0 && value == good[i].value);
        json_reader_release(&reader);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(read_as('z', bad[i], &err) == -1 && err.code == ERROR_FORMAT);
}

static void numbers_of_python_are_taken_only_when_allowed(void)
{
    static const char *const texts[] = {"NaN", "Infinity", "-Infinity"};

    for (size_t i = 0; i < 3; i++) {
        struct json_reader reader;
        struct error err;
        double value = 0;

        CHECK(read_as('n', texts[i], &err) == -1 && err.code == ERROR_FORMAT);
        err = (struct error){0};
        json_reader_init(&reader, texts[i], strlen(texts[i]));
        reader.takes_constants = true;
        CHECK(json_reader_peek(&reader) == JSON_NUMBER);
        CHECK(json_reader_number(&reader, &value, &err) == 0);
        CHECK(json_reader_finish(&reader, &err) == 0);
        CHECK(i == 0 ? isnan(value) : i == 1 ? value == INFINITY : value == -INFINITY);
        json_reader_release(&reader);
    }
}

static void escapes_become_utf8_and_a_nul_is_marked(void)
{
    static const char text[] = "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u00e9\\u20ac\\ud83d\\ude00\","
                               "\"\\u007F\\uFFFF\",\"a\\u0000b\",\"\"]";
    static const struct json_text expected[] = {{"\"\\/\b\f\n\r\t", 8},
                                                {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9},
                                                {"\x7f\xef\xbf\xbf", 4}, {"a\0b", 3}, {"", 0}};
    struct json_reader reader;
    struct json_text value;
    struct error err = {0};

    json_reader_init(&reader, text, sizeof text - 1);
    CHECK(json_reader_array(&reader, &err) == 0);
    for (size_t i = 0; i < 5; i++) {
        CHECK(json_reader_item(&reader, &err) == 1);
        CHECK(json_reader_string(&reader, &value, &err) == 0);
        CHECK(value.length == expected[i].length &&
              memcmp(value.bytes, expected[i].bytes, value.length + 1) == 0);
        CHECK(reader.has_nul == (i >= 3));
    }
    CHECK(json_reader_item(&reader, &err) == 0);
    json_reader_release(&reader);
}

static void a_text_is_compared_whole(void)
{
    CHECK(json_text_is((struct json_text){"abc", 3}, "abc"));
    CHECK(!json_text_is((struct json_text){"abc", 2}, "abc"));
    CHECK(!json_text_is((struct json_text){"abc", 3}, "ab"));
    CHECK(!json_text_is((struct json_text){"ab\0c", 4}, "ab"));
    CHECK(json_text_is((struct json_text){"", 0}, ""));
}

TESTS(TEST(takes_what_rfc_8259_allows), TEST(refuses_everything_else),
      TEST(a_nul_byte_is_not_the_end), TEST(every_cut_of_a_valid_text_is_refused),
      TEST(complaints_say_where), TEST(nesting_ends_at_128), TEST(a_caller_walks_what_it_expects),
      TEST(asked_for_another_kind_it_fails), TEST(sizes_are_whole_and_exact),
      TEST(numbers_of_python_are_taken_only_when_allowed),
      TEST(escapes_become_utf8_and_a_nul_is_marked), TEST(a_text_is_compared_whole))
