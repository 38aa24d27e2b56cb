#include "base/json.h"

#include <math.h>

#include "test.h"

static cJSON *parse(const char *text)
{
    struct error err = {0};
    cJSON *json = json_parse(text, strlen(text), &err);

    if (!json)
        printf("# %s: %s\n", text, err.text);
    CHECK(json && err.code == ERROR_NONE);
    return json;
}

static void refuses_what_cjson_would_let_pass(void)
{
    static const char *const texts[] = {
        "{} trailing", "[1,]x", "01", "+1", "1.", ".5", "\"\n\"", "\xef\xbb\xbf{}", "\x01{}",
        "{\"a\":1,}", "[nan]", "[Nan]", "[Infinit]", "[Infinity1]", "[-NaN]", "[+Infinity]",
        "[--Infinity]", "[- Infinity]", "NaN,", "{NaN:1}", "{\"a\":Infinity,}", "\"\\ud800\"",
        "\"\xff\"", "", "   ", "\"a\\u0000b\"", "{\"a\\u0000\":1}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error err = {0};
        cJSON *json = json_parse(texts[i], strlen(texts[i]), &err);

        if (json)
            printf("# '%s' was taken\n", texts[i]);
        CHECK(!json && err.code == ERROR_FORMAT);
        cJSON_Delete(json);
    }
}

static void reads_no_further_than_the_size(void)
{
    struct error err = {0};
    cJSON *json = json_parse("[1]garbage", 3, &err);

    CHECK(json && cJSON_GetArraySize(json) == 1);
    cJSON_Delete(json);
    CHECK(!json_parse("[1]\0", 4, &err) && err.code == ERROR_FORMAT);
}

static void takes_a_number_of_any_length(void)
{
    char text[600] = "[0.";
    cJSON *json;

    for (size_t n = 3; n < 500; n++)
        text[n] = '3';
    strcpy(text + 500, "]");
    json = parse(text);
    if (json)
        CHECK(cJSON_GetArrayItem(json, 0)->valuedouble > 0.33 &&
              cJSON_GetArrayItem(json, 0)->valuedouble < 0.34);
    cJSON_Delete(json);
}

/* json.loads of Python, where they are words of its own. */
static void reads_the_numbers_that_python_writes(void)
{
    cJSON *json = parse("{\"a\":[0.0, Infinity],\"b\":-Infinity,\"c\" : NaN ,\"d\":1e999,"
                        "\"NaN\":\"Infinity, NaN\"}");

    CHECK(cJSON_GetArraySize(json_find(json, "a")) == 2);
    CHECK(cJSON_GetArrayItem(json_find(json, "a"), 1)->valuedouble == INFINITY);
    CHECK(cJSON_IsNumber(json_find(json, "b")) && json_find(json, "b")->valuedouble == -INFINITY);
    CHECK(cJSON_IsNumber(json_find(json, "c")) && isnan(json_find(json, "c")->valuedouble));
    CHECK(json_find(json, "d")->valuedouble == INFINITY);
    CHECK(strcmp(json_find_string(json, "NaN"), "Infinity, NaN") == 0);
    cJSON_Delete(json);
    json = parse("NaN");
    CHECK(cJSON_IsNumber(json));
    cJSON_Delete(json);
}

/* json.loads of Python: {'a': 3, 'b': {'x': None}, 'é': 6} */
static void of_two_members_of_one_name_the_last_counts(void)
{
    cJSON *json = parse("{\"a\":1,\"b\":2,\"a\":[2],\"b\":{\"x\":1,\"x\":null},\"\\u00e9\":5,"
                        "\"\\u0061\":3,\"\xc3\xa9\":6}");

    CHECK(cJSON_GetArraySize(json) == 3);
    CHECK(json_find(json, "a")->valuedouble == 3);
    CHECK(cJSON_IsObject(json_find(json, "b")) && cJSON_GetArraySize(json_find(json, "b")) == 1);
    CHECK(!json_find(json_find(json, "b"), "x"));
    CHECK(json_find(json, "\xc3\xa9")->valuedouble == 6);
    cJSON_Delete(json);
}

static void finds_members_by_exact_name_and_type(void)
{
    cJSON *json = parse("{\"Name\":\"upper\",\"name\":\"lower\",\"none\":null,\"t\":true,"
                        "\"f\":false,\"n\":1,\"o\":{\"name\":2}}");

    CHECK(strcmp(json_find_string(json, "name"), "lower") == 0);
    CHECK(strcmp(json_find_string(json, "Name"), "upper") == 0);
    CHECK(!json_find(json, "NAME"));
    CHECK(!json_find(json, "none"));
    CHECK(!json_find_string(json, "n"));
    CHECK(!json_find_string(json, "absent"));
    CHECK(json_find_bool(json, "t") == 1);
    CHECK(json_find_bool(json, "f") == 0);
    CHECK(json_find_bool(json, "n") == -1);
    CHECK(json_find_bool(json, "none") == -1);
    CHECK(json_find_bool(json, "absent") == -1);
    CHECK(json_bool(json, "t", false) && !json_bool(json, "f", true));
    CHECK(json_bool(json, "n", true) && !json_bool(json, "n", false));
    CHECK(json_bool(json, "none", true) && !json_bool(json, "none", false));
    CHECK(json_bool(json, "absent", true) && !json_bool(json, "absent", false));
    CHECK(cJSON_IsNumber(json_find(json_find(json, "o"), "name")));
    CHECK(!json_find(json_find(json, "n"), "name")); /* not an object */
    CHECK(!json_find(NULL, "name"));
    cJSON_Delete(json);
}

static void check_string(const char *text, const char *expected)
{
    struct buffer out = {0};

    json_add_string(&out, text);
    if (strcmp(out.data, expected) != 0)
        printf("# %s, not %s\n", out.data, expected);
    CHECK(strcmp(out.data, expected) == 0);
    buffer_release(&out);
}

/* json.dumps(text, ensure_ascii=False) of Python 3.11; serde_json 1.0 writes the same. */
static void writes_strings_as_python_and_serde_do(void)
{
    check_string("", "\"\"");
    check_string("plain/path", "\"plain/path\"");
    check_string("\"\\", "\"\\\"\\\\\"");
    check_string("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"");
    check_string("\x01\x07\x0b\x0e\x1f", "\"\\u0001\\u0007\\u000b\\u000e\\u001f\"");
    check_string("\x7f", "\"\x7f\"");
    check_string("\xc2\x80\xc3\xa9\xe2\x82\xac\xe2\x80\xa8\xf0\x9f\x98\x80",
                 "\"\xc2\x80\xc3\xa9\xe2\x82\xac\xe2\x80\xa8\xf0\x9f\x98\x80\"");
    check_string("<>&'", "\"<>&'\"");
}

static void bytes_that_are_not_utf8_become_the_replacement_character(void)
{
    check_string("a\xff" "b", "\"a\xef\xbf\xbd" "b\"");
    check_string("\xc3", "\"\xef\xbf\xbd\"");
    check_string("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void every_string_that_is_written_is_read_back(void)
{
    char text[400] = "";
    struct buffer out = {0};
    cJSON *json;

    for (int c = 1; c < 0x80; c++)
        text[c - 1] = (char)c;
    strcpy(text + 127, "\xc3\xa9\xf0\x9f\x98\x80");
    json_add_string(&out, text);
    json = parse(out.data);
    CHECK(cJSON_IsString(json) && strcmp(json->valuestring, text) == 0);
    cJSON_Delete(json);
    buffer_release(&out);
}

static void numbers_come_back_exactly(void)
{
    static const double values[] = {0,      1,       -1,     0.1,     1.0 / 3, 1e300, 5e-324,
                                    1e-5,   123456789012345678.0, 2.5, -0.0};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct buffer out = {0};
        double back;

        json_add_number(&out, values[i]);
        back = strtod(out.data, NULL);
        CHECK(memcmp(&back, &values[i], sizeof back) == 0);
        buffer_release(&out);
    }
}

static void what_is_not_finite_becomes_null(void)
{
    struct buffer out = {0};

    json_add_number(&out, NAN);
    buffer_add_char(&out, ' ');
    json_add_number(&out, INFINITY);
    buffer_add_char(&out, ' ');
    json_add_number(&out, -INFINITY);
    CHECK(strcmp(out.data, "null null null") == 0);
    buffer_release(&out);
}

static void check_edit(const char *before, const char *name, const char *value,
                       const char *expected)
{
    struct buffer text = {0};

    buffer_add_text(&text, before);
    json_edit_member(&text, name, value);
    if (strcmp(text.data, expected) != 0)
        printf("# '%s' with %s = %s: '%s', not '%s'\n", before, name, value ? value : "nothing",
               text.data, expected);
    CHECK(strcmp(text.data, expected) == 0 && text.size == strlen(expected));
    cJSON_Delete(parse(text.data));
    buffer_release(&text);
}

static void a_value_is_replaced_wherever_it_stands(void)
{
    check_edit("{\"a\":1}", "a", "2", "{\"a\":2}");
    check_edit("{\"a\":1,\"b\":2,\"c\":3}", "a", "\"x\"", "{\"a\":\"x\",\"b\":2,\"c\":3}");
    check_edit("{\"a\":1,\"b\":2,\"c\":3}", "b", "null", "{\"a\":1,\"b\":null,\"c\":3}");
    check_edit("{\"a\":1,\"b\":2,\"c\":3}", "c", "[1]", "{\"a\":1,\"b\":2,\"c\":[1]}");
    check_edit("{ \"a\" :\t{\"b\": [1, 2]} , \"c\" : 3 }", "a", "0", "{ \"a\" :\t0 , \"c\" : 3 }");
    check_edit("{\n  \"a\": \"old\",\n  \"b\": 2\n}\n", "a", "\"new\"",
               "{\n  \"a\": \"new\",\n  \"b\": 2\n}\n");
    check_edit(" \n{\"a\":1}\r\n ", "a", "false", " \n{\"a\":false}\r\n ");
}

static void a_member_is_removed_with_its_comma(void)
{
    check_edit("{\"a\":1}", "a", NULL, "{}");
    check_edit("{ \"a\" : 1 }", "a", NULL, "{ }");
    check_edit("{\"a\":1,\"b\":2,\"c\":3}", "a", NULL, "{\"b\":2,\"c\":3}");
    check_edit("{\"a\":1,\"b\":2,\"c\":3}", "b", NULL, "{\"a\":1,\"c\":3}");
    check_edit("{\"a\":1,\"b\":2,\"c\":3}", "c", NULL, "{\"a\":1,\"b\":2}");
    check_edit("{\n  \"a\": 1,\n  \"b\": {\n    \"c\": 2\n  },\n  \"d\": 3\n}\n", "b", NULL,
               "{\n  \"a\": 1,\n  \"d\": 3\n}\n");
    check_edit("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "b", NULL, "{\n  \"a\": 1\n}\n");
    check_edit("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "a", NULL, "{\n  \"b\": 2\n}\n");
    check_edit("{\"a\":1}", "b", NULL, "{\"a\":1}");
    check_edit("{}", "b", NULL, "{}");
}

static void an_absent_member_is_added_at_the_end(void)
{
    check_edit("{\n  \"a\": 1\n}\n", "b", "2", "{\n  \"a\": 1,\n  \"b\": 2\n}\n");
    check_edit("{\"a\":{\"b\":1}}", "b", "2", "{\"a\":{\"b\":1},\n  \"b\": 2}");
    check_edit("{}", "b", "2", "{\n  \"b\": 2\n}");
    check_edit(" {} ", "b", "\"\\\"\"", " {\n  \"b\": \"\\\"\"\n} ");
    check_edit("{\"a\":1}", "q\"\\", "2", "{\"a\":1,\n  \"q\\\"\\\\\": 2}");
}

static void the_last_of_two_members_is_edited(void)
{
    check_edit("{\"a\":1,\"b\":2,\"a\":3}", "a", "4", "{\"a\":1,\"b\":2,\"a\":4}");
    check_edit("{\"a\":1,\"a\":2,\"b\":3}", "a", "4", "{\"a\":1,\"a\":4,\"b\":3}");
    check_edit("{\"a\":1,\"b\":2,\"a\":3}", "a", NULL, "{\"b\":2}");
    check_edit("{\"b\":0, \"a\":1, \"a\":3 , \"c\":2}", "a", NULL, "{\"b\":0, \"c\":2}");
    check_edit("{\"a\":1,\"a\":2}", "a", NULL, "{}");
}

static void numbers_of_python_are_kept(void)
{
    check_edit("{\"t\": [0.0, Infinity], \"a\": NaN, \"b\": -Infinity}", "a", "1",
               "{\"t\": [0.0, Infinity], \"a\": 1, \"b\": -Infinity}");
    check_edit("{\"t\": -Infinity}", "a", "1", "{\"t\": -Infinity,\n  \"a\": 1}");
}

static void only_the_top_level_counts(void)
{
    check_edit("{\"o\":{\"a\":1},\"l\":[{\"a\":2}],\"s\":\"a\",\"a\":3}", "a", "4",
               "{\"o\":{\"a\":1},\"l\":[{\"a\":2}],\"s\":\"a\",\"a\":4}");
    check_edit("{\"o\":{\"a\":1},\"b\":2}", "a", NULL, "{\"o\":{\"a\":1},\"b\":2}");
}

static void names_are_compared_as_they_are_meant(void)
{
    check_edit("{\"\\u0061\":1,\"A\":2}", "a", "9", "{\"\\u0061\":9,\"A\":2}");
    check_edit("{\"\xc3\xa9\":\"\xe2\x82\xac \\\"}\",\"b\":2}", "\xc3\xa9", "0",
               "{\"\xc3\xa9\":0,\"b\":2}");
    check_edit("{\"x\":\"{\\\"a\\\":1}, \\\"a\\\": 2\",\"a\":3}", "a", NULL,
               "{\"x\":\"{\\\"a\\\":1}, \\\"a\\\": 2\"}");
}

TESTS(TEST(refuses_what_cjson_would_let_pass), TEST(reads_no_further_than_the_size),
      TEST(takes_a_number_of_any_length), TEST(reads_the_numbers_that_python_writes),
      TEST(of_two_members_of_one_name_the_last_counts), TEST(finds_members_by_exact_name_and_type),
      TEST(writes_strings_as_python_and_serde_do),
      TEST(bytes_that_are_not_utf8_become_the_replacement_character),
      TEST(every_string_that_is_written_is_read_back), TEST(numbers_come_back_exactly),
      TEST(what_is_not_finite_becomes_null), TEST(a_value_is_replaced_wherever_it_stands),
      TEST(a_member_is_removed_with_its_comma), TEST(an_absent_member_is_added_at_the_end),
      TEST(the_last_of_two_members_is_edited), TEST(numbers_of_python_are_kept),
      TEST(only_the_top_level_counts), TEST(names_are_compared_as_they_are_meant))
