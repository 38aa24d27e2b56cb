/* Tokens added to the files of a tokenizer, compared with the text that comes out. */
#include "text/tokenizer_append.h"

#include <string.h>

#include "test.h"

static struct added_token tokens[] = {
    {.content = "new", .length = 3, .id = 7, .normalized = true},
    {.content = "<\"2\">", .length = 5, .id = 8, .special = true, .rstrip = true, .lstrip = true,
     .single_word = true},
};
#define FIRST                                                                                     \
    "{\"id\": 7, \"content\": \"new\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "    \
    "\"normalized\": true, \"special\": false}"
#define SECOND                                                                                    \
    "{\"id\": 8, \"content\": \"<\\\"2\\\">\", \"single_word\": true, \"lstrip\": true, \"rstrip\": true, " \
    "\"normalized\": false, \"special\": true}"

typedef int append(struct buffer *, const struct added_token *, size_t, struct error *);

static void check(append *append, const char *before, const char *after)
{
    struct buffer text = {0};
    struct error err = {0};

    buffer_add_text(&text, before);
    CHECK(append(&text, tokens, 2, &err) == 0);
    CHECK(text.size == strlen(after) && strcmp(text.data, after) == 0);
    if (strcmp(text.data, after) != 0)
        printf("# %s\n", text.data);
    buffer_release(&text);
}

static void the_list_grows_and_nothing_else_changes(void)
{
    check(tokenizer_append_json, "{\"a\": [1], \"added_tokens\": [ {\"id\": 0} \n], \"model\": {\"added_tokens\": 1}}",
          "{\"a\": [1], \"added_tokens\": [ {\"id\": 0}, " FIRST ", " SECOND " \n], \"model\": {\"added_tokens\": "
          "1}}");
    check(tokenizer_append_json, "{\"added_tokens\":[ ]}",
          "{\"added_tokens\":[" FIRST ", " SECOND " ]}");
    check(tokenizer_append_json, "{\"added_tokens\":[]}", "{\"added_tokens\":[" FIRST ", " SECOND "]}");
}

static void a_list_that_is_not_there_is_made(void)
{
    check(tokenizer_append_json, "{\"model\": 1}",
          "{\"model\": 1,\n  \"added_tokens\": [" FIRST ", " SECOND "]}");
    check(tokenizer_append_json, "{\"added_tokens\": null}",
          "{\"added_tokens\": [" FIRST ", " SECOND "]}");
}

static void a_config_has_them_by_id_if_it_has_any(void)
{
    check(tokenizer_append_config, "{\"b\": NaN}", "{\"b\": NaN}");
    check(tokenizer_append_config, "{\"added_tokens_decoder\": {\"0\": {}}, \"b\": 1}",
          "{\"added_tokens_decoder\": {\"0\": {}, \"7\": {\"content\": \"new\", \"single_word\": false, "
          "\"lstrip\": false, \"rstrip\": false, \"normalized\": true, \"special\": false}, \"8\": {\"content\": "
          "\"<\\\"2\\\">\", \"single_word\": true, \"lstrip\": true, \"rstrip\": true, \"normalized\": false, "
          "\"special\": true}}, \"b\": 1}");
}

static void malformed_files_are_refused(void)
{
    static const char *const texts[] = {"[]", "{\"added_tokens\": 1}", "{\"added_tokens\": [", "{\"a\" 1}", ""};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buffer text = {0};
        struct error err = {0};

        buffer_add_text(&text, texts[i]);
        CHECK(tokenizer_append_json(&text, tokens, 2, &err) == -1 && err.code == ERROR_FORMAT);
        buffer_release(&text);
    }
}

TESTS(TEST(the_list_grows_and_nothing_else_changes), TEST(a_list_that_is_not_there_is_made),
      TEST(a_config_has_them_by_id_if_it_has_any), TEST(malformed_files_are_refused))
