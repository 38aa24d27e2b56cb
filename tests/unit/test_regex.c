#include "text/regex.h"

#include <time.h>

#include "base/json.h"
#include "test.h"
#include "text/code_set.h"
#include "text/unicode_names.h"

static const char separator[] = "\xc7\x80"; /* behind each piece in the fixture */

/* The text, cut where matches begin and end, as Split does it with Isolated. */
static void split(const char *pattern, const char *text, struct buffer *out)
{
    struct error err = {0};
    struct regex *regex = regex_new(pattern, strlen(pattern), &err);
    struct regex_scan scan;
    size_t n = strlen(text), at = 0, start, end;

    buffer_clear(out);
    buffer_add(out, "", 0);
    if (!regex) {
        buffer_add_text(out, err.text);
        return;
    }
    regex_scan_begin(&scan, regex);
    regex_scan_text(&scan, text, n);
    while (regex_scan_next(&scan, &start, &end, &err) > 0) {
        if (start > at)
            buffer_format(out, "%.*s%s", (int)(start - at), text + at, separator);
        if (end > start)
            buffer_format(out, "%.*s%s", (int)(end - start), text + start, separator);
        at = end;
    }
    if (n > at)
        buffer_format(out, "%s%s", text + at, separator);
    regex_scan_end(&scan);
    regex_free(regex);
}

static void matches_as_oniguruma(void)
{
    FILE *file = fopen("fixtures/pretokenizers.json", "rb");
    struct buffer text = {0}, found = {0};
    struct error err = {0};
    char block[4096];
    size_t n, n_rows = 0;
    cJSON *json;
    const cJSON *row;

    CHECK(file);
    while (file && (n = fread(block, 1, sizeof block, file)) > 0)
        buffer_add(&text, block, n);
    if (file)
        fclose(file);
    json = file ? json_parse(text.data, text.size, &err) : NULL;
    cJSON_ArrayForEach(row, json_find(json, "regexes"))
    {
        const char *pattern = row->child->valuestring, *subject = row->child->next->valuestring;
        const cJSON *expected = row->child->next->next;
        bool is_same;

        split(pattern, subject, &found);
        n = strlen(subject);
        if (cJSON_IsString(expected))
            is_same = strcmp(found.data, expected->valuestring) == 0;
        else /* one piece */
            is_same = strncmp(found.data, subject, n) == 0 &&
                      strcmp(found.data + n, separator) == 0;
        if (!is_same)
            printf("# '%s' on '%s': '%s'\n", pattern, subject, found.data);
        CHECK(is_same);
        n_rows++;
    }
    CHECK(n_rows > 70);
    cJSON_Delete(json);
    buffer_release(&text);
    buffer_release(&found);
}

static void check_refused(const char *pattern, enum error_code code, const char *part)
{
    struct error err = {0};
    struct regex *regex = regex_new(pattern, strlen(pattern), &err);

    if (regex || err.code != code)
        printf("# '%s': %d %s\n", pattern, err.code, err.text);
    CHECK(!regex && err.code == code);
    CHECK_CONTAINS(err.text, part);
    regex_free(regex);
}

static void refuses_malformed_patterns(void)
{
    static const char *const patterns[] = {
        "(", ")", "a)", "(?", "(?z)", "(?s:.)", "(?#c", "[", "[]", "[a", "[a[]", "[z-a]", "[a-\\d]",
        "[[:foo:]]", "\\", "a\\", "[\\", "*a", "+", "a|*", "{2}", "^*", "\\b+a", "(?=a)*b", "\\p{",
        "\\u12", "\\x{110000}", "\\ud800", "\xff", "\xc3",
    };

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        check_refused(patterns[i], ERROR_FORMAT, "");
}

static void names_what_it_does_not_translate(void)
{
    static const char *const cases[][2] = {
        {"(a)\\1", "back-reference"}, {"(?<n>a)", "kind of group"}, {"(?'n'a)", "kind of group"},
        {"(?~ab)", "kind of group"}, {"(?(1)a|b)", "kind of group"}, {"(*FAIL)", "(*"},
        {"\\k<n>", "escape"}, {"\\g<n>", "escape"}, {"\\X", "escape"}, {"\\cA", "escape"},
        {"(?x: a)", "option x"}, {"\\p{Foo}", "\\p{Foo}"}, {"\\p{Script=Han}", "\\p{Script=Han}"},
        {"a*?*", "repeat of a repeat"}, {"a{3,1}", "repeat"}, {"a{1001}", "1000"},
        {"(?:a|b*){2}", "may be empty"},
        {"(?i)gro\xc3\x9f", "beyond ASCII"}, {"(?i)Masse", "ss"}, {"(?i)[s]s", "ss"},
        {"(?i)\\p{Lu}", "beyond ASCII"}, {"(?i)[\\p{L}]", "beyond ASCII"}, {"[\\w-x]", "'-'"},
        {"[a-[b]]", "'-'"}, {"[\\R]", "escape"}, {"(?<=a+)b", "lookbehind"},
    };
    struct buffer many = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(cases[i][0], ERROR_UNSUPPORTED, cases[i][1]);

    for (int i = 0; i < 300; i++)
        buffer_format(&many, "%c%c%c", 0xe4 + i / 4096, 0x80 + i / 64 % 64, 0x80 + i % 64);
    check_refused(many.data, ERROR_UNSUPPORTED, "255 kinds");
    buffer_clear(&many);
    for (int i = 0; i < 200; i++)
        buffer_add_char(&many, '(');
    check_refused(many.data, ERROR_UNSUPPORTED, "nesting");
    buffer_clear(&many);
    for (int i = 0; i < 10000; i++)
        buffer_add_char(&many, 'a');
    check_refused(many.data, ERROR_UNSUPPORTED, "10000 bytes");
    buffer_release(&many);
}

static void knows_the_sets_of_unicode_16(void)
{
    static const struct {
        const char *name;
        size_t count; /* without the 2048 surrogates */
    } sets[] = {
        {"L", 141028}, {"N", 1911}, {"M", 2501}, {"P", 855}, {"S", 8514}, {"Sc", 63},
        {"Cn", 819533}, {"Z", 19}, {"LC", 4147}, {"Han", 99030}, {"hani", 99030}, {"Latn", 1487},
        {"Nko", 62}, {"Alpha", 142759}, {"Alnum", 143519}, {"word", 144665}, {"Lower", 2569},
        {"uppercase", 1978}, {"Graph", 292447}, {"Print", 292464}, {"White_Space", 25},
        {"Blank", 18}, {"XDigit", 22}, {"ASCII", 128}, {"Common", 9053}, {"Inherited", 657},
        {"upper case-letter", 1858}, {"assigned", 292531},
    };
    struct code_set set = {0};

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        code_set_clear(&set);
        CHECK(unicode_names_property(sets[i].name, strlen(sets[i].name), &set));
        if (code_set_count(&set) != sets[i].count)
            printf("# %s: %zu\n", sets[i].name, code_set_count(&set));
        CHECK(code_set_count(&set) == sets[i].count);
    }
    code_set_clear(&set);
    CHECK(unicode_names_class("punct", 5, &set) && code_set_count(&set) == 855 + 8514);
    CHECK(!unicode_names_class("Alpha", 5, &set) && !unicode_names_property("", 0, &set));
    code_set_release(&set);
}

static void sets_are_united_cut_and_inverted(void)
{
    struct code_set a = {0}, b = {0};

    code_set_add(&a, 10, 19);
    code_set_add(&a, 20, 29); /* touches */
    CHECK(a.n_bounds == 2 && code_set_count(&a) == 20);
    code_set_add(&a, 5, 5);
    code_set_add(&a, 0, CODE_SET_END - 1);
    CHECK(code_set_count(&a) == CODE_SET_END);
    code_set_invert(&a);
    CHECK(a.n_bounds == 0 && !code_set_has(&a, 0));
    code_set_invert(&a);
    CHECK(code_set_has(&a, 0) && code_set_has(&a, CODE_SET_END - 1));
    code_set_add(&b, 3, 7);
    code_set_add(&b, 9, 9);
    code_set_intersect(&a, &b);
    CHECK(code_set_equal(&a, &b));
    code_set_invert(&a);
    CHECK(code_set_count(&a) == CODE_SET_END - 6 && code_set_has(&a, 8) && !code_set_has(&a, 9));
    code_set_unite(&a, &b);
    CHECK(code_set_count(&a) == CODE_SET_END);
    code_set_release(&a);
    code_set_release(&b);
}

/* 1 when the scan came to its end, -1 when it gave up. */
static int run(const char *pattern, const char *part, size_t n_parts)
{
    struct error err = {0};
    struct regex *regex = regex_new(pattern, strlen(pattern), &err);
    struct regex_scan scan;
    struct buffer text = {0};
    size_t start, end;
    int more;

    CHECK(regex);
    for (size_t i = 0; i < n_parts; i++)
        buffer_add_text(&text, part);
    regex_scan_begin(&scan, regex);
    regex_scan_text(&scan, text.data, text.size);
    while ((more = regex_scan_next(&scan, &start, &end, &err)) > 0)
        ;
    CHECK(more == 0 || err.code == ERROR_UNSUPPORTED);
    regex_scan_end(&scan);
    regex_free(regex);
    buffer_release(&text);
    return more < 0 ? -1 : 1;
}

#define EIGHT "(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)"

static void gives_up_where_work_piles_up(void)
{
    static const char *const patterns[] = {
        "(a+)+(?:b|c)", "(a|aa)+(?:b|c)", "a*a*a*a*(?:b|c)", "(?=a*b)a", "(?=(?=a*b)a*b)a",
        "(?:a{1,1000}){1,1000}(?:b|c)",
        (EIGHT EIGHT EIGHT "(?:b|c)"),
        "a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?(?:b|c)",
    };
    clock_t begin = clock();

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        int rc = run(patterns[i], "a", 30000);

        if (rc > 0)
            printf("# %s\n", patterns[i]);
        CHECK(rc == -1);
    }
    /* About 0.03 s each; sanitizers and slow machines may need many times that. */
    CHECK((clock() - begin) / CLOCKS_PER_SEC < 30);
}

static void does_long_texts_where_it_does_not(void)
{
    CHECK(run("\\s+(?!\\S)|\\s+", " ", 1000000) == 1);
    CHECK(run("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", " ", 100000) == 1);
    CHECK(run("[^\\r\\n\\p{L}\\p{N}]?\\p{L}+", "a", 1000000) == 1);
    CHECK(run("(?:a|b)*", "ab", 100000) == 1); /* needs more stack than JIT begins with */
    CHECK(run("x*", "axxb", 10000) == 1);
    CHECK(run("", "\xc3\xa9", 10000) == 1);
}

TESTS(TEST(matches_as_oniguruma), TEST(refuses_malformed_patterns),
      TEST(names_what_it_does_not_translate), TEST(knows_the_sets_of_unicode_16),
      TEST(sets_are_united_cut_and_inverted), TEST(gives_up_where_work_piles_up),
      TEST(does_long_texts_where_it_does_not))
