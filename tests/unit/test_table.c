#include "report/table.h"

#include <math.h>

#include "report/size_text.h"
#include "test.h"

static const struct table_column columns[] = {
    {.label = "name", .key = "name", .side = TABLE_LEFT},
    {.label = "n", .key = "n_items", .side = TABLE_RIGHT},
    {.label = "loss", .key = "loss", .side = TABLE_RIGHT, .format = "%.2f", .limit = 1e5,
     .far_format = "%.2e"},
    {.label = "size", .key = "size_bytes", .side = TABLE_LEFT},
    {.key = "hash"},
};

static void add_rows(struct table *table)
{
    table_add(table, "a, \"b\"");
    table_add_count(table, 7);
    table_add_real(table, -0.125);
    table_add_size(table, 1700000000);
    table_add(table, "f00");
    table_add(table, "caf\xc3\xa9");
    table_add_count(table, 12345);
    table_add_real(table, 250000);
    table_add_size(table, 512);
    table_add(table, NULL);
    table_add_missing(table);
    table_add_missing(table);
    table_add_real(table, NAN);
    table_add_missing(table);
    table_add(table, "");
}

static void prints_text_in_columns(void)
{
    struct table table = TABLE(columns);
    struct buffer out = {0};

    add_rows(&table);
    table_write_text(&table, &out);
    CHECK(strcmp(out.data, "name        n      loss  size\n"
                           "a, \"b\"      7     -0.12  1.70 GB\n"
                           "caf\xc3\xa9    12345  2.50e+05  512 bytes\n"
                           "-           -       nan  -\n") == 0);
    buffer_release(&out);
    table_release(&table);
}

static void prints_csv_with_numbers_in_full(void)
{
    struct table table = TABLE(columns);
    struct buffer out = {0};

    add_rows(&table);
    table_write_csv(&table, &out);
    CHECK(strcmp(out.data, "name,n_items,loss,size_bytes,hash\n"
                           "\"a, \"\"b\"\"\",7,-0.125,1700000000,f00\n"
                           "caf\xc3\xa9,12345,250000,512,\n"
                           ",,,,\n") == 0);
    buffer_release(&out);
    table_release(&table);
}

static void prints_json_with_numbers_in_full(void)
{
    struct table table = TABLE(columns);
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    add_rows(&table);
    table_write_json(&table, &json, NULL);
    CHECK(strcmp(out.data,
                 "[{\"name\":\"a, \\\"b\\\"\",\"n_items\":7,\"loss\":-0.125,"
                 "\"size_bytes\":1700000000,\"hash\":\"f00\"},"
                 "{\"name\":\"caf\xc3\xa9\",\"n_items\":12345,\"loss\":250000,"
                 "\"size_bytes\":512,\"hash\":null},"
                 "{\"name\":null,\"n_items\":null,\"loss\":null,\"size_bytes\":null,"
                 "\"hash\":\"\"}]") == 0);
    buffer_release(&out);
    table_release(&table);
}

static void takes_json_as_it_is(void)
{
    static const struct table_column shapes[] = {{.key = "shape", .side = TABLE_LEFT}};
    struct table table = TABLE(shapes);
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    table_add_json(&table, "[2,3]");
    table_write_text(&table, &out);
    table_write_csv(&table, &out);
    table_write_json(&table, &json, NULL);
    CHECK(strcmp(out.data, "[2,3]\nshape\n\"[2,3]\"\n[{\"shape\":[2,3]}]") == 0);
    buffer_release(&out);
    table_release(&table);
}

static void leaves_out_columns_without_a_key(void)
{
    static const struct table_column some[] = {
        {.side = TABLE_LEFT}, {.key = "b", .side = TABLE_RIGHT}, {.side = TABLE_RIGHT},
    };
    struct table table = TABLE(some);
    struct buffer out = {0};

    table_add(&table, "x");
    table_add_count(&table, 1);
    table_add(&table, "y");
    table_write_csv(&table, &out);
    CHECK(strcmp(out.data, "b\n1\n") == 0);
    buffer_release(&out);
    table_release(&table);
}

static void shows_control_characters_and_has_no_head_without_labels(void)
{
    struct table table = TABLE(table_facts);
    struct buffer out = {0};

    table_add(&table, "na\nme");
    table_add(&table, "");
    table_add(&table, "loss");
    table_add_real(&table, 1.5);
    table_add(&table, "far");
    table_add_real(&table, 2e9);
    table_write_text(&table, &out);
    CHECK(strcmp(out.data, "na\\x0ame\n"
                           "loss      1.5000\n"
                           "far       2e+09\n") == 0);
    buffer_release(&out);
    table_release(&table);
}

static void is_nothing_without_rows(void)
{
    struct table with_head = TABLE(columns), without = TABLE(table_facts);
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    table_write_text(&without, &out);
    CHECK(out.size == 0);
    table_write_text(&with_head, &out);
    CHECK(strcmp(out.data, "name  n  loss  size\n") == 0);
    buffer_clear(&out);
    table_write_json(&without, &json, NULL);
    CHECK(strcmp(out.data, "[]") == 0);
    buffer_release(&out);
}

static void shows_three_digits_of_a_size(void)
{
    static const struct {
        size_t size_bytes;
        const char *text;
    } cases[] = {
        {0, "0 bytes"}, {999, "999 bytes"}, {1000, "1.00 kB"}, {9994, "9.99 kB"},
        {9996, "10.0 kB"}, {999499, "999 kB"}, {999500, "1.00 MB"},
        {1740000000, "1.74 GB"}, {SIZE_MAX, "18.4 EB"},
    };
    char text[SIZE_TEXT_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_CONTAINS(size_text(text, cases[i].size_bytes), cases[i].text);
}

TESTS(TEST(prints_text_in_columns), TEST(prints_csv_with_numbers_in_full),
      TEST(prints_json_with_numbers_in_full), TEST(takes_json_as_it_is), TEST(leaves_out_columns_without_a_key),
      TEST(shows_control_characters_and_has_no_head_without_labels),
      TEST(is_nothing_without_rows), TEST(shows_three_digits_of_a_size))
