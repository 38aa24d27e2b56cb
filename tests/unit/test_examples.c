/* test_examples.c - what is an example, what is not, and where it says so. */
#include "eval/examples.h"

#include "scratch.h"

/* Loads `text` as a file. */
static int load(struct examples *examples, const char *text, enum example_kind kind,
                const char *task, struct error *err)
{
    *err = (struct error){0};
    scratch_text("ex.jsonl", text);
    return examples_load(examples, scratch_path("ex.jsonl"), kind, task, err);
}

static bool is(struct example_text text, const char *wanted)
{
    return text.n == strlen(wanted) && memcmp(text.bytes, wanted, text.n) == 0;
}

/* The part of the message behind the path of the scratch directory. */
static void check_refused(const char *text, enum example_kind kind, const char *task,
                          const char *message)
{
    struct examples examples;
    struct error err;

    CHECK(load(&examples, text, kind, task, &err) == -1);
    CHECK(err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, message);
    examples_release(&examples);
}

static void reads_lines(void)
{
    struct examples examples;
    struct error err;

    CHECK(load(&examples,
               "\xef\xbb\xbf\r\n{\"input\": \"a\", \"output\": \"b\", \"id\": [1, {}]}\r\n \t\r\n\n"
               "{\"output\": \"\\u00e9\\u0000\", \"input\": \"\"}",
               EXAMPLE_OUTPUT, NULL, &err) == 0);
    CHECK(examples.n_items == 2 && !examples.is_list);
    CHECK(examples.items[0].line == 2 && examples.items[0].number == 2);
    CHECK(is(examples.items[0].input, "a") && is(examples.items[0].output, "b"));
    CHECK(examples.items[1].line == 5);
    CHECK(examples.items[1].input.n == 0);
    CHECK(examples.items[1].output.n == 3);
    CHECK(memcmp(examples.items[1].output.bytes, "\xc3\xa9\0", 4) == 0);
    examples_release(&examples);
}

static void reads_rankings(void)
{
    struct examples examples;
    struct error err;

    CHECK(load(&examples,
               "{\"query\": \"q\", \"pos\": [\"p\", \"p2\"], \"neg\": [\"n1\", \"n2\"]}\n"
               "{\"neg\": \"n\", \"pos\": \"p\", \"query\": \"q\"}\n",
               EXAMPLE_RANKING, NULL, &err) == 0);
    CHECK(examples.n_items == 2);
    CHECK(is(examples.items[0].query, "q") && is(examples.items[0].positive, "p"));
    CHECK(examples.items[0].n_negatives == 2 && is(examples.items[0].negatives[1], "n2"));
    CHECK(examples.items[1].n_negatives == 1 && is(examples.items[1].negatives[0], "n"));
    CHECK(is(examples.items[1].positive, "p"));
    examples_release(&examples);
}

static void reads_lists(void)
{
    struct examples examples;
    struct error err;

    CHECK(load(&examples,
               "\n[{\"input\": \"a\", \"output\": \"b\"},\n {\n  \"input\": \"c\",\n"
               "  \"output\": \"d\"\n }]\n",
               EXAMPLE_OUTPUT, NULL, &err) == 0);
    CHECK(examples.n_items == 2 && examples.is_list);
    CHECK(examples.items[0].line == 2 && examples.items[0].number == 1);
    CHECK(examples.items[1].line == 3 && examples.items[1].number == 2);
    CHECK(is(examples.items[1].output, "d"));
    examples_release(&examples);
}

static void reads_the_list_of_a_task(void)
{
    static const char text[] = "{\"one\": [{\"input\": \"a\", \"output\": \"b\"}],\n"
                               " \"two\": [{\"input\": \"c\", \"output\": \"d\"},\n"
                               "  {\"input\": \"e\", \"output\": \"f\"}], \"three\": 3}";
    struct examples examples;
    struct error err;

    CHECK(load(&examples, text, EXAMPLE_OUTPUT, "two", &err) == 0);
    CHECK(examples.n_items == 2 && examples.is_list);
    CHECK(is(examples.items[0].input, "c") && examples.items[1].line == 3);
    examples_release(&examples);

    check_refused(text, EXAMPLE_OUTPUT, "four",
                  "ex.jsonl:3: no task 'four'; there is: one, two, three");
    check_refused(text, EXAMPLE_OUTPUT, "three", "ex.jsonl:3: is a number, not a list of examples");
    check_refused(text, EXAMPLE_OUTPUT, NULL, "ex.jsonl:1: ends within an object");
    check_refused("{\"one\": [{\"input\": \"a\", \"output\": \"b\"}]}", EXAMPLE_OUTPUT, NULL,
                  "ex.jsonl:1: no \"input\"; if 'one' is a task with a list of examples");
    check_refused("[]", EXAMPLE_OUTPUT, "one", "ex.jsonl:1: is a list, not an object of lists");
    check_refused("{\"one\": []}", EXAMPLE_OUTPUT, "one", "holds no examples");
    check_refused("{\"one\": [{\"input\": \"a\"}]}", EXAMPLE_OUTPUT, "one",
                  "ex.jsonl:1: example 1: no \"output\"");
}

static void names_the_line_and_the_cause(void)
{
    static const char good[] = "{\"input\": \"a\", \"output\": \"b\"}\n\n";
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"{\"input\": \"a\"}", "no \"output\""},
        {"{\"output\": \"a\"}", "no \"input\""},
        {"{}", "no \"input\""},
        {"{\"input\": \"a\", \"output\": \"\"}", "\"output\" is empty"},
        {"{\"input\": 1, \"output\": \"b\"}", "\"input\": is a number, not a string"},
        {"{\"input\": \"a\", \"output\": [\"b\"]}", "\"output\": is a list, not a string"},
        {"{\"input\": \"a\", \"output\": null}", "\"output\": is null, not a string"},
        {"[\"a\", \"b\"]", "is a list, not an object"},
        {"\"a\"", "is a string, not an object"},
        {"{\"input\": \"a\", \"output\": \"b\"", "it ends too early"},
        {"{\"input\": \"a\" \"output\": \"b\"}", "at byte 14: not valid JSON"},
        {"{\"input\": \"a\", \"output\": \"b\"} x", "at byte 30"},
        {"{'input': 'a'}", "not valid JSON"},
        {"nonsense", "not valid JSON"},
        {"{\"input\": \"a\xff\", \"output\": \"b\"}", "at byte 12: invalid UTF-8"},
        {"{\"input\": \"a\", \"output\": \"\xed\xa0\x80\"}", "invalid UTF-8"},
        {"{\"query\": \"a\", \"pos\": [\"b\"], \"neg\": [\"c\"]}",
         "no \"input\"; a model of this type takes {\"input\", \"output\"}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer text = {0};

        buffer_format(&text, "%s%s\n%s", good, cases[i].line, good);
        check_refused(text.data, EXAMPLE_OUTPUT, NULL, cases[i].message);
        check_refused(text.data, EXAMPLE_OUTPUT, NULL, "ex.jsonl:3: ");
        buffer_clear(&text);
        buffer_format(&text, "[%s,\n%s]", "{\"input\": \"a\", \"output\": \"b\"}", cases[i].line);
        check_refused(text.data, EXAMPLE_OUTPUT, NULL, "ex.jsonl:");
        buffer_release(&text);
    }
}

static void names_what_a_ranking_lacks(void)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"{\"pos\": [\"p\"], \"neg\": [\"n\"]}", "no \"query\""},
        {"{\"query\": \"q\", \"neg\": [\"n\"]}", "no \"pos\""},
        {"{\"query\": \"q\", \"pos\": [\"p\"]}", "no \"neg\""},
        {"{\"query\": \"q\", \"pos\": [], \"neg\": [\"n\"]}", "\"pos\" is an empty list"},
        {"{\"query\": \"q\", \"pos\": [\"p\"], \"neg\": []}", "\"neg\" is an empty list"},
        {"{\"query\": [\"q\"], \"pos\": [\"p\"], \"neg\": [\"n\"]}",
         "\"query\": is a list, not a string"},
        {"{\"query\": \"q\", \"pos\": {}, \"neg\": [\"n\"]}",
         "\"pos\": is an object, not a list of strings"},
        {"{\"query\": \"q\", \"pos\": [\"p\", true], \"neg\": [\"n\"]}",
         "\"pos\": item 2: is true or false, not a string"},
        {"{\"query\": \"q\", \"pos\": [\"p\"], \"neg\": [\"n\", [\"n\"]]}",
         "\"neg\": item 2: is a list, not a string"},
        {"{\"input\": \"a\", \"output\": \"b\"}",
         "no \"query\"; a model of this type takes {\"query\", \"pos\", \"neg\"}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(cases[i].line, EXAMPLE_RANKING, NULL, cases[i].message);
}

static void refuses_files_without_examples(void)
{
    struct examples examples = {0};
    struct error err = {0};

    check_refused("", EXAMPLE_OUTPUT, NULL, "ex.jsonl': holds no examples");
    check_refused("\n \r\n\t\n", EXAMPLE_OUTPUT, NULL, "holds no examples");
    check_refused("[]", EXAMPLE_OUTPUT, NULL, "holds no examples");
    check_refused("[]\n]", EXAMPLE_OUTPUT, NULL, "ex.jsonl:2: at byte 3");
    CHECK(examples_load(&examples, scratch_path("absent"), EXAMPLE_OUTPUT, NULL, &err) == -1);
    CHECK_CONTAINS(err.text, "no such file");
    examples_release(&examples);
}

static void of_a_name_given_twice_the_last_counts(void)
{
    struct examples examples;
    struct error err;

    CHECK(load(&examples,
               "{\"query\": \"q\", \"pos\": [\"a\", \"b\"], \"neg\": [\"x\", \"y\"], "
               "\"pos\": [\"c\"], \"neg\": [\"z\"], \"query\": \"r\"}",
               EXAMPLE_RANKING, NULL, &err) == 0);
    CHECK(is(examples.items[0].query, "r") && is(examples.items[0].positive, "c"));
    CHECK(examples.items[0].n_negatives == 1 && is(examples.items[0].negatives[0], "z"));
    examples_release(&examples);
}

/* Two examples with ten negatives each, "0" to "9", of which n are left. */
static void thin(struct examples *examples, size_t n, uint64_t seed)
{
    static const char line[] = "{\"query\": \"q\", \"pos\": \"p\", \"neg\": [\"0\", \"1\", \"2\", "
                               "\"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\"]}\n";
    struct buffer text = {0};
    struct error err;

    buffer_format(&text, "%s%s", line, line);
    CHECK(load(examples, text.data, EXAMPLE_RANKING, NULL, &err) == 0);
    examples_thin(examples, n, seed);
    buffer_release(&text);
}

static void thins_by_the_seed_and_keeps_the_order(void)
{
    struct examples a, b, c;
    bool is_same = true;

    thin(&a, 4, 1);
    thin(&b, 4, 1);
    thin(&c, 4, 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK(a.items[i].n_negatives == 4);
        for (size_t j = 0; j < 4; j++) {
            CHECK(*a.items[i].negatives[j].bytes == *b.items[i].negatives[j].bytes);
            CHECK(j == 0 || *a.items[i].negatives[j - 1].bytes < *a.items[i].negatives[j].bytes);
            is_same &= *a.items[i].negatives[j].bytes == *c.items[i].negatives[j].bytes;
        }
    }
    CHECK(!is_same);
    examples_release(&a);
    examples_release(&b);
    examples_release(&c);
}

static void thins_evenly(void)
{
    size_t n_drawn[10] = {0};

    for (uint64_t seed = 0; seed < 500; seed++) {
        struct examples examples;

        thin(&examples, 3, seed);
        for (size_t j = 0; j < 3; j++)
            n_drawn[*examples.items[1].negatives[j].bytes - '0']++;
        examples_release(&examples);
    }
    for (size_t i = 0; i < 10; i++) /* 150 expected, a standard deviation of 10 */
        CHECK(n_drawn[i] > 100 && n_drawn[i] < 200);
}

static void leaves_few_negatives_alone(void)
{
    struct examples examples;

    thin(&examples, 10, 1);
    CHECK(examples.items[0].n_negatives == 10);
    examples_release(&examples);
}

static void says_where_an_example_stands(void)
{
    struct examples examples;
    struct error err;

    CHECK(load(&examples, "\n[{\"input\": \"a\", \"output\": \"b\"}]", EXAMPLE_OUTPUT, NULL,
               &err) == 0);
    error_set(&err, ERROR_FORMAT, "too long");
    CHECK(examples_context(&examples, &examples.items[0], &err) == -1);
    CHECK_CONTAINS(err.text, "ex.jsonl:2: example 1: too long");
    examples_release(&examples);
}

/* All notices, one a line, without the name of the file. */
static char *notes_of(const struct examples *examples)
{
    struct notices notices = {0};
    struct buffer text = {0};

    examples_note(examples, &notices);
    buffer_add_text(&text, "");
    for (size_t i = 0; i < notices.n_texts; i++)
        buffer_format(&text, "%s\n", strstr(notices.texts[i], "': ") + 3);
    notices_release(&notices);
    return text.data ? text.data : memory_copy("");
}

static void check_notes(const struct examples *examples, const char *expected)
{
    char *notes = notes_of(examples);

    CHECK_CONTAINS(notes, expected);
    CHECK(strlen(notes) == strlen(expected));
    free(notes);
}

static void an_instruction_comes_before_the_input(void)
{
    static const char text[] =
        "{\"input\": \"a\", \"output\": \"b\"}\n"
        "{\"output\": \"b\", \"input\": \"a\", \"instruction\": \"Do:\"}\n"
        "{\"instruction\": \"Do:\", \"input\": \"\", \"output\": \"b\"}\n"
        "{\"instruction\": \"Do:\", \"output\": \"b\"}\n"
        "{\"instruction\": \"\", \"input\": \"a\", \"output\": \"b\"}\n"
        "{\"instruction\": null, \"input\": \"a\", \"output\": \"b\"}\n";
    static const char *const inputs[] = {"a", "Do:\na", "Do:", "Do:", "a", "a"};
    struct examples examples;
    struct error err;

    CHECK(load(&examples, text, EXAMPLE_OUTPUT, NULL, &err) == 0 && examples.n_items == 6);
    for (size_t i = 0; i < examples.n_items; i++)
        CHECK(is(examples.items[i].input, inputs[i]));
    check_notes(&examples, "the \"instruction\" of an example is put before its \"input\", on a "
                           "line of its own (from line 2)\n");
    examples_release(&examples);

    /* LM_Cocktail knows none. */
    check_refused(text, EXAMPLE_PLAIN_OUTPUT, NULL, "ex.jsonl:4: no \"input\"");
    check_refused("{\"instruction\": [1], \"output\": \"b\"}", EXAMPLE_OUTPUT, NULL,
                  "\"instruction\": is a list, not a string");
    check_refused("{\"instruction\": \"a\"}", EXAMPLE_OUTPUT, NULL, "no \"output\"");
}

static void what_is_not_used_is_said_once(void)
{
    struct examples examples;
    struct error err;

    CHECK(load(&examples, "{\"id\": 1, \"input\": \"a\", \"output\": \"b\"}\n\n"
                          "{\"pos\": [], \"id\": 2, \"input\": \"a\", \"output\": \"b\"}\n",
               EXAMPLE_OUTPUT, NULL, &err) == 0);
    check_notes(&examples, "not used: \"id\" (from line 1), \"pos\" (from line 3)\n");
    examples_release(&examples);

    CHECK(load(&examples, "[{\"query\": \"q\", \"pos\": \"a\", \"neg\": [\"b\", \"c\", \"d\"]},\n"
                          "{\"instruction\": \"i\", \"query\": \"q\", \"pos\": [\"a\", \"b\"], "
                          "\"neg\": [\"b\", \"c\", \"d\"]}]", EXAMPLE_RANKING, NULL, &err) == 0);
    examples_thin(&examples, 2, 1);
    check_notes(&examples, "of several texts in \"pos\" the first is used (from line 2)\n"
                           "2 negatives are left out, as --neg-number says\n"
                           "not used: \"instruction\" (from line 2)\n");
    examples_release(&examples);

    CHECK(load(&examples, "{\"input\": \"a\", \"output\": \"b\"}", EXAMPLE_OUTPUT, NULL,
               &err) == 0);
    check_notes(&examples, "");
    examples_release(&examples);
}

static void of_many_names_some_are_said(void)
{
    struct buffer text = {0};
    struct examples examples;
    struct error err;
    char *notes;

    buffer_add_text(&text, "{\"input\": \"a\", \"output\": \"b\"");
    for (int i = 1; i <= 20; i++)
        buffer_format(&text, ", \"m%d\": 0", i);
    buffer_add_text(&text, "}");
    CHECK(load(&examples, text.data, EXAMPLE_OUTPUT, NULL, &err) == 0);
    notes = notes_of(&examples);
    CHECK_CONTAINS(notes, "\"m16\" (from line 1), and others\n");
    CHECK(!strstr(notes, "m17"));
    free(notes);
    examples_release(&examples);
    buffer_release(&text);
}

TESTS(TEST(reads_lines), TEST(reads_rankings), TEST(reads_lists), TEST(reads_the_list_of_a_task),
      TEST(names_the_line_and_the_cause), TEST(names_what_a_ranking_lacks),
      TEST(refuses_files_without_examples), TEST(of_a_name_given_twice_the_last_counts),
      TEST(thins_by_the_seed_and_keeps_the_order), TEST(thins_evenly),
      TEST(leaves_few_negatives_alone), TEST(says_where_an_example_stands),
      TEST(an_instruction_comes_before_the_input),
      TEST(what_is_not_used_is_said_once),
      TEST(of_many_names_some_are_said))
