/* test_tool_calls.c - calls in the words of each family, and text that is none. */
#include "serve/tool_calls.h"

#include "serve/answer_choice.h"

#include "test.h"

#define BAR "\xef\xbd\x9c"
#define LOW "\xe2\x96\x81"
#define CALLS_BEGIN "<" BAR "tool" LOW "calls" LOW "begin" BAR ">"
#define CALLS_END "<" BAR "tool" LOW "calls" LOW "end" BAR ">"
#define CALL_BEGIN "<" BAR "tool" LOW "call" LOW "begin" BAR ">"
#define CALL_END "<" BAR "tool" LOW "call" LOW "end" BAR ">"
#define SEP "<" BAR "tool" LOW "sep" BAR ">"

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
    {"<tool_call>f\n</tool_call>\n<tool_call>g\n</tool_call>", "", "f", "{}", "g"},
    {"<tool_call>\n<function=f>\n<parameter=a>\n  if x:\n    y\n\n</parameter>\n<parameter=b>\n\n"
     "</parameter>\n<parameter=c>\n</parameter>\n<parameter=d>  1 </parameter>\n</function>\n</tool_call>", "", "f",
     "{\"a\": \"  if x:\\n    y\\n\", \"b\": \"\", \"c\": \"\", \"d\": 1}", NULL},
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
    {"<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"a\">1</parameter>\n<parameter name=\"b\">"
     "x y</parameter>\n</invoke>\n<invoke name=\"g\">\n</invoke>\n</minimax:tool_call>", "", "f",
     "{\"a\": 1, \"b\": \"x y\"}", "g"},
    {"[TOOL_CALLS]f[CALL_ID]AbCdE1234[ARGS]{\"a\": 1}", "", "f", "{\"a\": 1}", NULL},
    {"Well.[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]g[ARGS]{}", "Well.", "f", "{\"a\": 1}", "g"},
    {CALLS_BEGIN CALL_BEGIN "function" SEP "f\n```json\n{\"a\": 1}\n```" CALL_END "\n" CALL_BEGIN
     "function" SEP "g\n```json\n{}\n```" CALL_END CALLS_END, "", "f", "{\"a\": 1}", "g"},
    {"I look." CALLS_BEGIN CALL_BEGIN "f" SEP "{\"a\": 1}" CALL_END CALLS_END, "I look.", "f",
     "{\"a\": 1}", NULL},
    {CALLS_BEGIN CALL_BEGIN "function" SEP "f\n```json\n{\"a\": \"```x```\"}\n```" CALL_END CALLS_END, "", "f",
     "{\"a\": \"```x```\"}", NULL},
    {"Action:\n```json\n[{\"tool_name\": \"f\", \"parameters\": {\"a\": \"```\"}}]\n```", "", "f",
     "{\"a\": \"```\"}", NULL},
    {CALLS_BEGIN CALL_BEGIN "function" SEP "{\"a\": 1}" CALL_END CALLS_END, "", "function",
     "{\"a\": 1}", NULL},
    {"Plan: I look.\nAction:\n```json\n[\n    {\n        \"tool_name\": \"f\",\n        \"parameters\": "
     "{\"a\": 1}\n    }\n]```", "Plan: I look.", "f", "{\"a\": 1}", NULL},
    {"Action: ```json\n[{\"tool_name\": \"directly_answer\", \"parameters\": {}}, {\"tool_name\": \"f\", "
     "\"parameters\": {\"a\": 1}}]\n```", "", "f", "{\"a\": 1}", NULL},
    {"<|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": \"f\", \"parameters\": {\"a\": 1}},\n"
     "    {\"tool_call_id\": \"1\", \"tool_name\": \"g\", \"parameters\": {}}\n]<|END_ACTION|>", "", "f",
     "{\"a\": 1}", "g"},
    {"<|tool_call_start|>[f(a=1, b='x\\'y\\u00e9', c=[True, None, 2.5], d={\"k\": (1,)}), g()]"
     "<|tool_call_end|>", "", "f",
     "{\"a\": 1, \"b\": \"x'y\xc3\xa9\", \"c\": [true, null, 2.5], \"d\": {\"k\": [1]}}", "g"},
    {"<|tools_prefix|>[{\"f\": {\"a\": 1}}, {\"g\": {}}]<|tools_suffix|>", "", "f", "{\"a\": 1}", "g"},
    {"I look.<function=f>{\"a\": 1}</function><function=g>{}</function>", "I look.", "f",
     "{\"a\": 1}", "g"},
    {"<|python_tag|>f.call(a=\"1\")", "", "f", "{\"a\": \"1\"}", NULL},
    {"<|python_tag|>{\"name\": \"f\", \"parameters\": {\"a\": 1}}", "", "f", "{\"a\": 1}", NULL},
    {"So <|python_start|>{\"name\": \"f\", \"parameters\": {\"a\": 1}}<|python_end|>", "So", "f",
     "{\"a\": 1}", NULL},
};

static const char *const no_calls[] = {
    "nothing", "", "{\"name\": 3", "{\"a\": 1}", "<tool_call>", "<tool_call></tool_call>",
    "<tool_call>{\"name\": </tool_call>", "{\"name\": \"f\", \"parameters\": {}} and more",
    "<tool_call>{\"arguments\": {}}</tool_call>", "<tool_call>is a mark</tool_call>", "{\"name\": \"Ann\", \"age\": 3}",
    "[{\"name\": \"f\", \"parameters\": {}}]", "[TOOL_CALLS]", "[TOOL_CALLS] [1]",
    "<tool_call><function=f</tool_call>", "<|python_tag|>print(1)", "<|python_tag|>x = 1",
    "<|tool_call_start|>[f(a=1]<|tool_call_end|>", "<|tool_call_start|>[f(1)]<|tool_call_end|>",
    "<|tool_call_start|>[f(a=x)]<|tool_call_end|>", "<|tool_call_start|>[]<|tool_call_end|>",
    "<|tool_call_start|>[f(a='x)]", "<|tool_call_start|>[f(a='\\u12')]", "[TOOL_CALLS]f{}",
    "[TOOL_CALLS][ARGS]{}", "Action:\n```json\n[{\"tool_name\": \"directly_answer\"}]\n```",
    "Action: go on", "<|tools_prefix|>{\"f\": {}}<|tools_suffix|>", "<function=>{}</function>",
    CALLS_BEGIN CALLS_END, CALLS_BEGIN CALL_BEGIN "f" CALL_END CALLS_END,
    "<minimax:tool_call><invoke name=</minimax:tool_call>",
};

static void each_family_is_read(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer text = {0};
        struct tool_calls calls = {0};
        size_t n = rows[i].second ? 2 : 1;

        buffer_add_text(&text, rows[i].text);
        tool_calls_find(&text, true, &calls);
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
        tool_calls_find(&text, true, &calls);
        CHECK(calls.n_calls == 0 && strcmp(text.data, no_calls[i]) == 0);
        if (calls.n_calls)
            printf("# '%s'\n", no_calls[i]);
        tool_calls_release(&calls);
        buffer_release(&text);
    }
}

/* Bare text is what the tools say it is. */
static void a_declared_string_is_one(void)
{
    static const char tools[] =
        "[{\"type\": \"function\", \"function\": {\"name\": \"g\"}}, {\"type\": \"function\", "
        "\"function\": {\"name\": \"f\", \"parameters\": {\"type\": \"object\", \"properties\": {"
        "\"zip\": {\"type\": \"string\"}, \"n\": {\"type\": \"integer\"}}}}}]";
    static const char *const texts[][2] = {
        {"<tool_call>\n<function=f>\n<parameter=zip>\n12345\n</parameter>\n<parameter=n>\n1\n</parameter>\n"
         "<parameter=more>\n2\n</parameter>\n</function>\n</tool_call>",
         "{\"zip\": \"12345\", \"n\": 1, \"more\": 2}"},
        {"<tool_call>f\n<arg_key>zip</arg_key>\n<arg_value>{\"a\": true}</arg_value>\n</tool_call>",
         "{\"zip\": \"{\\\"a\\\": true}\"}"},
        {"<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"zip\">x</parameter>\n</invoke>\n"
         "</minimax:tool_call>", "{\"zip\": \"x\"}"},
        {"<tool_call>g\n<arg_key>zip</arg_key>\n<arg_value>1</arg_value>\n</tool_call>", "{\"zip\": 1}"},
        {"<tool_call>f\n</tool_call>", "{}"},
        {"<tool_call>{\"name\": \"f\", \"arguments\": {\"zip\":12345}}</tool_call>", "{\"zip\":12345}"},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buffer text = {0};
        struct tool_calls calls = {0};

        buffer_add_text(&text, texts[i][0]);
        tool_calls_find(&text, true, &calls);
        tool_calls_fit(&calls, tools);
        CHECK(calls.n_calls == 1 && strcmp(calls.calls[0].arguments, texts[i][1]) == 0);
        tool_calls_release(&calls);
        buffer_release(&text);
    }
}

/* ---- as the text comes ---- */

/* Byte by byte; what was given of it before the last byte goes to `early`. */
static void feed(struct answer_choice *choice, const struct answer_rules *rules, const char *text,
                 struct buffer *early)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++) {
        buffer_add_char(&choice->raw, text[i]);
        answer_choice_sort(choice, rules, false);
    }
    buffer_add(early, choice->text.size ? choice->text.data : "", choice->text.size);
    answer_choice_sort(choice, rules, true);
}

static void words_before_a_call_come_at_once(void)
{
    static const struct served_model model = {.id = (char *)"m"};
    static const struct answer_rules rules = {.model = &model, .tools = "[]"};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer_choice choice = {.thought = THOUGHT_MAYBE};
        struct buffer early = {0};

        feed(&choice, &rules, rows[i].text, &early);
        CHECK(choice.calls.n_calls == (rows[i].second ? 2 : 1));
        if (choice.calls.n_calls != (rows[i].second ? 2 : 1))
            printf("# row %zu\n", i);
        CHECK(strcmp(early.data, rows[i].before) == 0);
        CHECK(strcmp(choice.text.data ? choice.text.data : "", rows[i].before) == 0);
        answer_choice_release(&choice);
        buffer_release(&early);
    }
    for (size_t i = 0; i < sizeof no_calls / sizeof *no_calls; i++) {
        struct answer_choice choice = {.thought = THOUGHT_MAYBE};
        struct buffer early = {0};

        feed(&choice, &rules, no_calls[i], &early);
        CHECK(choice.calls.n_calls == 0);
        CHECK(strcmp(choice.text.data ? choice.text.data : "", no_calls[i]) == 0);
        answer_choice_release(&choice);
        buffer_release(&early);
    }
}

static void mistral_has_ids_of_nine(void)
{
    struct buffer text = {0};
    struct tool_calls calls = {0};

    buffer_add_text(&text, "[TOOL_CALLS]f[CALL_ID]AbCdE1234[ARGS]{}[TOOL_CALLS]g[CALL_ID]x[ARGS]{}");
    tool_calls_find(&text, true, &calls);
    CHECK(calls.n_calls == 2 && strcmp(calls.calls[0].id, "AbCdE1234") == 0 &&
          strlen(calls.calls[1].id) == 9);
    tool_calls_release(&calls);
    buffer_release(&text);
}

static void thoughts_are_told_apart(void)
{
    static const struct {
        const char *text, *thought, *said;
        enum thought_state state;
    } cases[] = {
        {"<think>a</think>b", "a", "b", THOUGHT_MAYBE},
        {" <|START_THINKING|>a</think>c<|END_THINKING|>b", "a</think>c", "b", THOUGHT_MAYBE},
        {"[THINK]a[/THINK]b", "a", "b", THOUGHT_MAYBE},
        {"a</think>b", "a", "b", THOUGHT_OPEN},
        {"<thin", "", "<thin", THOUGHT_MAYBE},
        {"b<think>", "", "b<think>", THOUGHT_MAYBE},
    };
    static const struct served_model model = {.id = (char *)"m"};
    static const struct answer_rules rules = {.model = &model};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer_choice choice = {.thought = cases[i].state};
        struct buffer early = {0};

        feed(&choice, &rules, cases[i].text, &early);
        CHECK(strcmp(choice.reasoning.data ? choice.reasoning.data : "", cases[i].thought) == 0);
        CHECK(strcmp(choice.text.data ? choice.text.data : "", cases[i].said) == 0);
        answer_choice_release(&choice);
        buffer_release(&early);
    }
}

static void messages_with_heads_are_read(void)
{
    static const struct {
        const char *text, *thought, *said, *name, *arguments;
    } cases[] = {
        {"<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>",
         "a", "b", NULL, NULL},
        {"<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary to=functions.f "
         "<|constrain|>json<|message|>{\"a\": 1}<|call|>", "a", "", "f", "{\"a\": 1}"},
        {" to=functions.f<|channel|>commentary json<|message|>{\"a\": 1}", "", "", "f", "{\"a\": 1}"},
        {"<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=f<|message|>"
         "no JSON", "", "I look.", "f", "no JSON"},
        {"<|channel|>final<|message|>b<|chan", "", "b<|chan", NULL, NULL},
        {"<|channel|>final<|message|>b<|end|><|start|>assist", "", "b", NULL, NULL},
        {"no heads", "", "no heads", NULL, NULL},
        {"<|channel|>analysis<|message|>a", "a", "", NULL, NULL},
    };
    static const struct served_model model = {.id = (char *)"m", .is_harmony = true};
    static const struct answer_rules rules = {.model = &model, .tools = "[]"};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer_choice choice = {0};
        struct buffer early = {0};

        feed(&choice, &rules, cases[i].text, &early);
        CHECK(strcmp(choice.reasoning.data ? choice.reasoning.data : "", cases[i].thought) == 0);
        CHECK(strcmp(choice.text.data ? choice.text.data : "", cases[i].said) == 0);
        CHECK(choice.calls.n_calls == (cases[i].name != NULL));
        if (choice.calls.n_calls == 1 && cases[i].name) {
            CHECK(strcmp(choice.calls.calls[0].name, cases[i].name) == 0);
            CHECK(strcmp(choice.calls.calls[0].arguments, cases[i].arguments) == 0);
        }
        answer_choice_release(&choice);
        buffer_release(&early);
    }
}

TESTS(TEST(each_family_is_read), TEST(other_text_stays_as_it_is), TEST(a_declared_string_is_one),
      TEST(words_before_a_call_come_at_once), TEST(mistral_has_ids_of_nine),
      TEST(thoughts_are_told_apart), TEST(messages_with_heads_are_read))
