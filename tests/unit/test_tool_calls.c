/* test_tool_calls.c - calls in the words of each family, and text that is none. */
#include "serve/tool_calls.h"

#include "test.h"

static const struct {
    const char *text, *before, *name, *arguments, *second;
} rows[] = {
    {"<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>", "", "f", "{\"a\": 1}",
     NULL},
    {"I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>\n<tool_call>\n"
     "{\"name\": \"g\", \"arguments\": {}}\n</tool_call>", "I look.", "f", "{\"a\": 1}", "g"},
    {"<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 1}\"}</tool_call>", "", "f",
     "{\"a\": 1}", NULL},
    {"<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n<parameter=b>\nx y\n</parameter>\n"
     "</function>\n</tool_call>", "", "f", "{\"a\": 1, \"b\": \"x y\"}", NULL},
    {"<seed:tool_call>\n<function=f>\n<parameter=a>{\"b\": [1]}</parameter>\n</function>\n"
     "</seed:tool_call>", "", "f", "{\"a\": {\"b\": [1]}}", NULL},
    {"<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>", "", "f",
     "{\"a\": 1}", NULL},
    {"[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": 1}, \"id\": \"abcdefghi\"}, {\"name\": "
     "\"g\", \"arguments\": {}}]", "", "f", "{\"a\": 1}", "g"},
    {"<TOOLCALL>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]</TOOLCALL>", "", "f", "{\"a\": 1}",
     NULL},
    {"<tool_calls>[\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n]</tool_calls>", "", "f",
     "{\"a\": 1}", NULL},
    {"<tool_call>\n[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"a\": 1}}}]"
     "\n</tool_call>", "", "f", "{\"a\": 1}", NULL},
    {"{\"name\": \"f\", \"parameters\": {\"a\": 1}}", "", "f", "{\"a\": 1}", NULL},
    {"<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}", "", "f", "{\"a\": 1}", NULL},
    {"<tool_call>{\"name\": \"f\", \"arguments\": \"no JSON\"}</tool_call>", "", "f", "no JSON", NULL},
    {"<tool_call>{\"name\": \"f\"}</tool_call>", "", "f", "{}", NULL},
};

static const char *const no_calls[] = {
    "nothing", "", "{\"name\": 3", "{\"a\": 1}", "<tool_call>", "<tool_call></tool_call>",
    "<tool_call>{\"name\": </tool_call>", "{\"name\": \"f\", \"parameters\": {}} and more",
    "<tool_call>{\"arguments\": {}}</tool_call>", "[TOOL_CALLS]", "[TOOL_CALLS] [1]",
    "<tool_call><function=f</tool_call>",
};

static void each_family_is_read(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer text = {0};
        struct tool_calls calls = {0};
        size_t n = rows[i].second ? 2 : 1;

        buffer_add_text(&text, rows[i].text);
        tool_calls_find(&text, &calls);
        CHECK(calls.n_calls == n && strcmp(text.data, rows[i].before) == 0);
        if (calls.n_calls != n)
            printf("# row %zu: %zu calls\n", i, calls.n_calls);
        if (calls.n_calls == n) {
            CHECK(strcmp(calls.calls[0].name, rows[i].name) == 0);
            CHECK(strcmp(calls.calls[0].arguments, rows[i].arguments) == 0);
            CHECK(calls.calls[0].is_object == (rows[i].arguments[0] == '{'));
            CHECK(n == 1 || strcmp(calls.calls[1].name, rows[i].second) == 0);
        }
        tool_calls_release(&calls);
        buffer_release(&text);
    }
}

static void other_text_stays_as_it_is(void)
{
    for (size_t i = 0; i < sizeof no_calls / sizeof *no_calls; i++) {
        struct buffer text = {0};
        struct tool_calls calls = {0};

        buffer_add_text(&text, no_calls[i]);
        tool_calls_find(&text, &calls);
        CHECK(calls.n_calls == 0 && strcmp(text.data, no_calls[i]) == 0);
        if (calls.n_calls)
            printf("# '%s'\n", no_calls[i]);
        tool_calls_release(&calls);
        buffer_release(&text);
    }
}

TESTS(TEST(each_family_is_read), TEST(other_text_stays_as_it_is))
