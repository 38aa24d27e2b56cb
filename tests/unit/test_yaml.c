/* test_yaml.c - documents as PyYAML's safe loader has them; what is refused. */
#include "base/yaml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static struct arena arena;

static const struct yaml_node *parse(const char *text)
{
    struct error err = {0};
    struct yaml_documents documents;

    if (yaml_parse(text, strlen(text), &arena, &documents, &err) || documents.n_items != 1) {
        printf("# %s\n", err.text);
        CHECK(!"parsed");
        return NULL;
    }
    return documents.items[0];
}

static void check_refused(const char *text, const char *part)
{
    struct error err = {0};
    struct yaml_documents documents;
    char *end;

    CHECK(yaml_parse(text, strlen(text), &arena, &documents, &err) == -1);
    CHECK(err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, part);
    CHECK(strtoul(err.text, &end, 10) > 0 && *end == ':');
}

/* The expected values are those of yaml.safe_load (PyYAML 6.0). */
static void plain_scalars_have_the_types_of_yaml_1_1(void)
{
    static const struct {
        const char *text;
        enum yaml_type type;
        double number;
    } rows[] = {
        {"1", YAML_INTEGER, 1}, {"-12", YAML_INTEGER, -12}, {"+3", YAML_INTEGER, 3},
        {"1_000", YAML_INTEGER, 1000}, {"0x10", YAML_INTEGER, 16}, {"010", YAML_INTEGER, 8},
        {"0b101", YAML_INTEGER, 5}, {"1:30", YAML_INTEGER, 90}, {"0", YAML_INTEGER, 0},
        {"-0x1f", YAML_INTEGER, -31}, {"08", YAML_TEXT, 0}, {"0x", YAML_TEXT, 0},
        {"1.5", YAML_FLOAT, 1.5}, {".5", YAML_FLOAT, .5}, {"1.", YAML_FLOAT, 1},
        {"1.0e-4", YAML_FLOAT, 1e-4}, {"1e-4", YAML_TEXT, 0}, {"1.0e4", YAML_TEXT, 0},
        {"-.inf", YAML_FLOAT, -INFINITY}, {".Inf", YAML_FLOAT, INFINITY}, {"inf", YAML_TEXT, 0},
        {"1_0.5", YAML_FLOAT, 10.5}, {"1:30.5", YAML_FLOAT, 90.5}, {"1:60", YAML_TEXT, 0},
        {"yes", YAML_BOOL, 1}, {"Off", YAML_BOOL, 0}, {"TRUE", YAML_BOOL, 1},
        {"y", YAML_TEXT, 0}, {"oN", YAML_TEXT, 0}, {"~", YAML_NULL, 0}, {"null", YAML_NULL, 0},
        {"nul", YAML_TEXT, 0}, {"'1'", YAML_TEXT, 0}, {"\"yes\"", YAML_TEXT, 0},
        {"!!str 1", YAML_TEXT, 0}, {"!!float 1", YAML_FLOAT, 1}, {"!!float 1e-4", YAML_FLOAT, 1e-4},
        {"2001-12-14", YAML_TEXT, 0}, {"1.2.3", YAML_TEXT, 0}, {"._5", YAML_TEXT, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct yaml_node *node = parse(rows[i].text);
        bool same = node && node->type == rows[i].type &&
                    (node->type == YAML_TEXT || node->number == rows[i].number);

        if (!same)
            printf("# %s: %s\n", rows[i].text, node ? yaml_type_name(node) : "none");
        CHECK(same);
    }
    CHECK(isnan(parse(".nan")->number));
}

static void maps_and_lists_know_their_lines(void)
{
    const struct yaml_node *map = parse("a: 1\nb:\n  - x\n  - {c: [2, 3]}\n"), *list;

    CHECK(map->type == YAML_MAP && map->n_items == 2 && map->line == 1);
    CHECK(map->members[1].line == 2);
    list = yaml_find(map, "b");
    CHECK(list->type == YAML_LIST && list->n_items == 2 && list->line == 3);
    CHECK(strcmp(list->items[0]->text, "x") == 0);
    CHECK(yaml_find(list->items[1], "c")->items[1]->number == 3);
    CHECK(list->items[1]->line == 4);
    CHECK(!yaml_find(map, "absent"));
}

static void of_equal_keys_the_later_one_counts_and_is_marked(void)
{
    const struct yaml_node *map = parse("a: 1\nb: 2\na: 3\n");

    CHECK(map->n_items == 2);
    CHECK(yaml_find(map, "a")->number == 3 && map->members[0].is_repeated);
    CHECK(!map->members[1].is_repeated);
}

static void anchors_and_merge_keys_work(void)
{
    const struct yaml_node *map =
        parse("base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\n"
              "one:\n  <<: *b\n  y: 5\ntwo:\n  <<: [*b, *m]\nsame: *b\n");

    CHECK(yaml_find(yaml_find(map, "one"), "x")->number == 1);
    CHECK(yaml_find(yaml_find(map, "one"), "y")->number == 5);
    CHECK(!yaml_find(yaml_find(map, "one"), "<<"));
    CHECK(yaml_find(yaml_find(map, "two"), "y")->number == 2);
    CHECK(yaml_find(yaml_find(map, "two"), "z")->number == 4);
    CHECK(yaml_find(map, "same") == yaml_find(map, "base"));
}

static void several_documents_and_byte_order_marks(void)
{
    struct error err = {0};
    struct yaml_documents documents;
    const char text[] = "\xEF\xBB\xBF" "a: 1\r\n---\r\nb: 2\r\n---\n";

    CHECK(yaml_parse(text, sizeof text - 1, &arena, &documents, &err) == 0);
    CHECK(documents.n_items == 3);
    CHECK(yaml_find(documents.items[1], "b")->number == 2);
    CHECK(documents.items[1]->line == 3);
    CHECK(documents.items[2]->type == YAML_NULL);
    CHECK(yaml_parse("", 0, &arena, &documents, &err) == 0 && documents.n_items == 0);
}

static void what_is_no_yaml_is_refused_with_its_line(void)
{
    check_refused("a: [1, 2", "flow sequence");
    check_refused("a: 1\n b: 2\n", "2: ");
    check_refused("a: *b\n", "alias '*b' has no anchor");
    check_refused("a: &a [*a]\n", "within what it stands for");
    check_refused("a: !!python/object:os.system x\n", "tag 'tag:yaml.org,2002:python/object:os.system'");
    check_refused("a: !!int x\n", "not of the type");
    check_refused("a: !!float x\n", "not of the type");
    check_refused("? [1]\n: 2\n", "a key is a list");
    check_refused("a:\n  <<: 1\n", "'<<' wants a map");
    check_refused("a: \"x\\0y\"\n", "a NUL");
    check_refused("a: \xff\xfe\n", "not YAML");
}

static void bombs_are_bounded(void)
{
    char text[4000] = "a: &a [x, x, x, x, x, x, x, x, x, x]\n", deep[400];

    for (char c = 'b'; c < 'i'; c++)
        sprintf(text + strlen(text), "%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c,
                c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
    check_refused(text, "more than 100,000 nodes");
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    deep[130] = '\0';
    check_refused(deep, "nested deeper than 64 levels");
    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    deep[128] = '\0';
    CHECK(parse(deep));
}

static void the_end(void)
{
    arena_release(&arena);
}

TESTS(TEST(plain_scalars_have_the_types_of_yaml_1_1), TEST(maps_and_lists_know_their_lines),
      TEST(of_equal_keys_the_later_one_counts_and_is_marked), TEST(anchors_and_merge_keys_work),
      TEST(several_documents_and_byte_order_marks), TEST(what_is_no_yaml_is_refused_with_its_line),
      TEST(bombs_are_bounded), TEST(the_end))
