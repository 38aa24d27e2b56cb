/* What is read of the head of a model card, and what is not. */
#include "mix/front_matter.h"

#include "base/buffer.h"
#include "test.h"

/* "license=mit language=en,zh": what is read, "?" for what is unclear. */
static bool reads(const char *text, size_t size, const char *expected)
{
    struct front_matter matter;
    struct buffer found = {0};
    bool same;

    front_matter_read(&matter, text, size);
    buffer_add_text(&found, "");
    for (int k = 0; k < N_FRONT_KEYS; k++) {
        const struct front_value *value = &matter.values[k];

        if (value->n_items || value->is_unclear)
            buffer_format(&found, "%s%s=%s", found.size ? " " : "",
                          front_key_name((enum front_key)k), value->is_unclear ? "?" : "");
        for (size_t i = 0; i < value->n_items; i++)
            buffer_format(&found, "%s%s", i ? "," : "", value->items[i]);
        CHECK(!value->is_unclear || value->n_items == 0);
    }
    same = strcmp(found.data, expected) == 0;
    if (!same)
        printf("# '%s' gives '%s', not '%s'\n", text, found.data, expected);
    buffer_release(&found);
    front_matter_release(&matter);
    return same;
}

/* The lines between the marks. */
static bool gives(const char *lines, const char *expected)
{
    struct buffer text = {0};
    bool same;

    buffer_format(&text, "---\n%s---\n# Title\nlicense: other\n", lines);
    same = reads(text.data, text.size, expected);
    buffer_release(&text);
    return same;
}

static void values_of_one_line(void)
{
    CHECK(gives("license: mit\n", "license=mit"));
    CHECK(gives("tags:\n- x\nlicense: apache-2.0   # why\nlanguage: en\r\n",
                "license=apache-2.0 language=en"));
    CHECK(gives("license: 'it''s mine'\n", "license=it's mine"));
    CHECK(gives("license: \"other\" # own\nlicense_name: own#1\nlicense_link: https://a.b/c\n",
                "license=other license_name=own#1 license_link=https://a.b/c"));
    CHECK(gives("language: no\n", "language=no")); /* Norwegian */
    CHECK(gives("license: mit\nlicense: gpl\n", "license=gpl"));
    CHECK(gives("license: mit\nlicense:\n", ""));
    CHECK(gives("license:\nlanguage: null\nlicense_name: ~\nlicense_link: # none\n", ""));
    CHECK(gives("license: \xc3\xbc\n", "license=\xc3\xbc"));
}

static void lists(void)
{
    CHECK(gives("language:\n- en\n- 'zh'\n-   \"de\" # German\nlicense: mit\n",
                "license=mit language=en,zh,de"));
    CHECK(gives("language:\n  - en\n\n  # more\n  - zh\nlicense: mit\n",
                "license=mit language=en,zh"));
    CHECK(gives("language: [en, 'zh',\"de\", ]\n", "language=en,zh,de"));
    CHECK(gives("language: []\n", ""));
    CHECK(gives("language:\n-\n- en\n", "language=en"));
}

static void what_is_not_read_is_unclear(void)
{
    static const char *const values[] = {
        "|\n  mit\n", ">-\n  mit\n", "&a mit\n", "*a\n", "!!str mit\n", "{a: b}\n", "a: b\n",
        "[en,\n  zh]\n", "[[en], zh]\n", "'mit\n", "\"mit\n", "\"a\\n\"\n", "'a' b\n", "a:\n",
        "[\n", "mit\n  or gpl\n", "\n  name: mit\n", "\n- - en\n", "\n- en\n  more\n", "a\tb\n",
        "a\x1b[31m\n", "%x\n", "@x\n", "`x`\n", "\n- {a: b}\n", "\n- [a]\n", "\"\"\n",
    };
    char lines[128];

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(lines, sizeof lines, "language:%s%slicense: mit\n",
                 values[i][0] == '\n' ? "" : " ", values[i]);
        CHECK(gives(lines, "license=mit language=?"));
    }
}

static void other_keys_and_texts_are_passed_over(void)
{
    CHECK(gives("x: |\n  license: gpl\nlicense: mit\n", "license=mit"));
    CHECK(gives("model-index:\n- name: x\n  license: gpl\n", ""));
    CHECK(gives("licenses: a\nlicense:mit\n license: x\nlicense_names: y\nLicense: z\n", ""));
    CHECK(gives("", ""));
}

static void only_between_the_marks(void)
{
    CHECK(reads("\xef\xbb\xbf--- \r\nlicense: mit\r\n---", 26, "license=mit"));
    CHECK(reads("---\nlicense: mit\n", 17, ""));
    CHECK(reads("license: mit\n---\n", 17, ""));
    CHECK(reads("\n---\nlicense: mit\n---\n", 22, ""));
    CHECK(reads(" ---\nlicense: mit\n---\n", 22, ""));
    CHECK(reads("----\nlicense: mit\n---\n", 22, ""));
    CHECK(reads("---\nlicense: mit\n ---\n---\n", 26, "license=?"));
    CHECK(reads("---", 3, "") && reads("---\n---", 7, "") && reads("", 0, ""));
    CHECK(reads("---\nlicense: m\0t\n---\n", 21, "license=?"));
}

static void what_is_too_long_is_unclear(void)
{
    struct buffer text = {0};

    buffer_add_text(&text, "license: ");
    for (size_t i = 0; i < 301; i++)
        buffer_add_char(&text, 'x');
    buffer_add_text(&text, "\nlanguage:\n");
    for (size_t i = 0; i < 1001; i++)
        buffer_add_text(&text, "- en\n");
    CHECK(gives(text.data, "license=? language=?"));
    buffer_release(&text);
}

TESTS(TEST(values_of_one_line), TEST(lists), TEST(what_is_not_read_is_unclear),
      TEST(other_keys_and_texts_are_passed_over), TEST(only_between_the_marks),
      TEST(what_is_too_long_is_unclear))
