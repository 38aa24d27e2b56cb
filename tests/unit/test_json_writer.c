#include "base/json_writer.h"

#include <math.h>

#include "base/json.h"
#include "test.h"

static void puts_commas_between_values_and_nowhere_else(void)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    json_writer_array(&json, "empty");
    json_writer_end(&json);
    json_writer_object(&json, "none");
    json_writer_end(&json);
    json_writer_array(&json, "rows");
    for (size_t i = 0; i < 2; i++) {
        json_writer_array(&json, NULL);
        json_writer_size(&json, NULL, i);
        json_writer_size(&json, NULL, i + 1);
        json_writer_end(&json);
    }
    json_writer_object(&json, NULL);
    json_writer_bool(&json, "a", true);
    json_writer_null(&json, "b");
    json_writer_end(&json);
    json_writer_end(&json);
    json_writer_string(&json, "last", "x");
    json_writer_end(&json);
    CHECK(strcmp(out.data, "{\"empty\":[],\"none\":{},\"rows\":[[0,1],[1,2],"
                           "{\"a\":true,\"b\":null}],\"last\":\"x\"}") == 0);
    buffer_release(&out);
}

static void writes_each_kind_of_value(void)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_array(&json, NULL);
    json_writer_double(&json, NULL, 0.1);
    json_writer_float(&json, NULL, 0.1f);
    json_writer_double(&json, NULL, NAN);
    json_writer_float(&json, NULL, -INFINITY);
    json_writer_size(&json, NULL, SIZE_MAX);
    json_writer_bool(&json, NULL, false);
    json_writer_string(&json, NULL, NULL);
    json_writer_raw(&json, NULL, "[2,3]");
    json_writer_end(&json);
    CHECK(strcmp(out.data, "[0.10000000000000001,0.100000001,null,null,18446744073709551615,"
                           "false,null,[2,3]]") == 0);
    buffer_release(&out);
}

static void escapes_keys_and_strings(void)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "a\"b", "\n\x01\xc3\xa9\xff");
    json_writer_bytes(&json, "nul", "a\0b", 3);
    json_writer_end(&json);
    CHECK(strcmp(out.data, "{\"a\\\"b\":\"\\n\\u0001\xc3\xa9\xef\xbf\xbd\","
                           "\"nul\":\"a\\u0000b\"}") == 0);
    buffer_release(&out);
}

static void write_styled(struct json_writer json)
{
    json_writer_object(&json, NULL);
    json_writer_size(&json, "a", 1);
    json_writer_array(&json, "b");
    json_writer_object(&json, NULL);
    json_writer_size(&json, "c", 2);
    json_writer_size(&json, "d", 3);
    json_writer_end(&json);
    json_writer_size(&json, NULL, 4);
    json_writer_end(&json);
    json_writer_array(&json, "e");
    json_writer_end(&json);
    json_writer_end(&json);
}

/* As json.dumps has it, and with indent=2. */
static void writes_in_the_styles_of_python(void)
{
    struct buffer out = {0};

    write_styled((struct json_writer){.out = &out, .is_spaced = true});
    CHECK(strcmp(out.data, "{\"a\": 1, \"b\": [{\"c\": 2, \"d\": 3}, 4], \"e\": []}") == 0);
    buffer_clear(&out);
    write_styled((struct json_writer){.out = &out, .is_spaced = true, .n_indented = 3});
    CHECK(strcmp(out.data, "{\n  \"a\": 1,\n  \"b\": [\n    {\n      \"c\": 2,\n"
                           "      \"d\": 3\n    },\n    4\n  ],\n  \"e\": []\n}") == 0);
    buffer_release(&out);
}

static void deeper_levels_stay_on_one_line(void)
{
    struct buffer out = {0};

    write_styled((struct json_writer){.out = &out, .is_spaced = true, .n_indented = 1});
    CHECK(strcmp(out.data, "{\n  \"a\": 1,\n  \"b\": [{\"c\": 2, \"d\": 3}, 4],\n"
                           "  \"e\": []\n}") == 0);
    buffer_clear(&out);
    write_styled((struct json_writer){.out = &out, .n_indented = 2});
    CHECK(strcmp(out.data, "{\n  \"a\":1,\n  \"b\":[\n    {\"c\":2,\"d\":3},\n    4\n  ],\n"
                           "  \"e\":[]\n}") == 0);
    buffer_release(&out);
}

static void adds_to_what_is_there(void)
{
    struct buffer out = {0};

    for (size_t i = 0; i < 2; i++) {
        struct json_writer json = {.out = &out};

        json_writer_size(&json, NULL, i);
        buffer_add_char(&out, '\n');
    }
    CHECK(strcmp(out.data, "0\n1\n") == 0);
    buffer_release(&out);
}

static void goes_as_deep_as_a_document_may(void)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};
    struct error err = {0};
    cJSON *tree;

    for (size_t i = 0; i < 60; i++)
        json_writer_array(&json, NULL);
    for (size_t i = 0; i < 60; i++)
        json_writer_end(&json);
    tree = json_parse(out.data, out.size, &err);
    CHECK(tree != NULL && out.size == 120);
    cJSON_Delete(tree);
    buffer_release(&out);
}

TESTS(TEST(puts_commas_between_values_and_nowhere_else), TEST(writes_each_kind_of_value),
      TEST(escapes_keys_and_strings), TEST(writes_in_the_styles_of_python),
      TEST(deeper_levels_stay_on_one_line), TEST(adds_to_what_is_there),
      TEST(goes_as_deep_as_a_document_may))
