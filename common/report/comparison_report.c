#include "comparison_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "table.h"

/* ---- rows: a tensor each, or a layer each ---- */

struct line {
    char *name;
    struct difference difference;
};

/* "model.layers.3" for every tensor of that layer; the whole name for what is in no layer. */
static char *layer_of(const char *name)
{
    for (const char *c = name; *c; c++) {
        size_t digits = strspn(c, "0123456789");

        if (digits && (c == name || c[-1] == '.') && c[digits] == '.')
            return memory_format("%.*s", (int)(c + digits - name), name);
        if (digits)
            c += digits - 1;
    }
    return memory_copy(name);
}

static int compare_lines(const void *a, const void *b)
{
    return strverscmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

/* Lines sorted by name, layer 2 before layer 10; freed with free_lines. */
static struct line *make_lines(const struct comparison *comparison, bool by_tensor,
                               size_t *n_lines)
{
    struct line *lines = memory_zalloc(comparison->n_rows, sizeof *lines);
    size_t n = 0;

    for (size_t i = 0; i < comparison->n_rows; i++) {
        const char *name = comparison->rows[i].name;

        lines[i].name = by_tensor ? memory_copy(name) : layer_of(name);
        lines[i].difference = comparison->rows[i].difference;
    }
    if (comparison->n_rows)
        qsort(lines, comparison->n_rows, sizeof *lines, compare_lines);
    for (size_t i = 0; i < comparison->n_rows; i++) {
        if (n && strcmp(lines[n - 1].name, lines[i].name) == 0) {
            difference_add(&lines[n - 1].difference, &lines[i].difference);
            free(lines[i].name);
        } else {
            lines[n++] = lines[i];
        }
    }
    *n_lines = n;
    return lines;
}

static void free_lines(struct line *lines, size_t n_lines)
{
    for (size_t i = 0; i < n_lines; i++)
        free(lines[i].name);
    free(lines);
}

/* ---- JSON ---- */

static void add_figures(struct json_writer *json, const struct difference *difference)
{
    json_writer_bool(json, "identical", difference->is_identical);
    json_writer_double(json, "max_abs", difference->max_abs);
    json_writer_double(json, "relative_l2", difference_relative_l2(difference));
    json_writer_double(json, "cosine", difference_cosine(difference));
}

static void add_names(struct json_writer *json, const char *key, char *const *names,
                      size_t n_names)
{
    json_writer_array(json, key);
    for (size_t i = 0; i < n_names; i++)
        json_writer_string(json, NULL, names[i]);
    json_writer_end(json);
}

static void add_lines(struct json_writer *json, const char *key,
                      const struct comparison *comparison, bool by_tensor)
{
    size_t n_lines;
    struct line *lines = make_lines(comparison, by_tensor, &n_lines);

    json_writer_array(json, key);
    for (size_t i = 0; i < n_lines; i++) {
        json_writer_object(json, NULL);
        json_writer_string(json, "name", lines[i].name);
        add_figures(json, &lines[i].difference);
        json_writer_end(json);
    }
    json_writer_end(json);
    free_lines(lines, n_lines);
}

void comparison_report_add_json(struct json_writer *json, const struct comparison *comparison,
                                bool with_tensors)
{
    json_writer_object(json, NULL);
    add_figures(json, &comparison->total);
    add_names(json, "only_in_a", comparison->only_a, comparison->n_only_a);
    add_names(json, "only_in_b", comparison->only_b, comparison->n_only_b);
    add_lines(json, "layers", comparison, false);
    if (with_tensors)
        add_lines(json, "tensors", comparison, true);
    json_writer_end(json);
}

/* ---- text ---- */

static void add_cell(struct table *table, double value)
{
    if (isfinite(value))
        table_add_real(table, value);
    else
        table_add_missing(table);
}

static void add_row(struct table *table, const char *name, const struct difference *difference)
{
    table_add(table, name);
    if (difference->is_identical) {
        table_add(table, "=");
        table_add(table, "");
        table_add(table, "");
        return;
    }
    add_cell(table, difference->max_abs);
    add_cell(table, difference_relative_l2(difference));
    add_cell(table, difference_cosine(difference));
}

static void print_only(const char *where, char *const *names, size_t n_names, FILE *out)
{
    struct table table = TABLE(table_facts);
    struct buffer label = {0};

    buffer_format(&label, "only in '%s':", where);
    for (size_t i = 0; i < n_names; i++) {
        table_add(&table, label.data);
        table_add(&table, names[i]);
    }
    table_print(&table, out);
    table_release(&table);
    buffer_release(&label);
}

/* Shapes that differ have no figures; say what they are. */
static void print_shapes(const struct comparison *comparison, FILE *out)
{
    static const struct table_column columns[] = {
        {.side = TABLE_LEFT}, {.side = TABLE_LEFT}, {.side = TABLE_LEFT},
    };
    struct table table = TABLE(columns);
    struct buffer text = {0};

    for (size_t i = 0; i < comparison->n_rows; i++) {
        const struct comparison_row *row = &comparison->rows[i];
        const struct tensor *sides[2] = {row->a, row->b};

        if (tensor_same_shape(row->a, row->b) && row->a->dtype == row->b->dtype)
            continue;
        table_add(&table, row->name);
        for (size_t k = 0; k < 2; k++) {
            buffer_clear(&text);
            buffer_format(&text, "%s ", dtype_info(sides[k]->dtype)->name);
            tensor_add_shape(&text, sides[k]);
            table_add(&table, text.data);
        }
    }
    table_print(&table, out);
    table_release(&table);
    buffer_release(&text);
}

void comparison_report_print(const struct comparison *comparison, const char *const names[2],
                             bool by_tensor, FILE *out)
{
    const struct table_column columns[] = {
        {.label = by_tensor ? "tensor" : "layer", .side = TABLE_LEFT},
        {.label = "max abs", .side = TABLE_RIGHT, .format = "%.6g"},
        {.label = "relative L2", .side = TABLE_RIGHT, .format = "%.6g"},
        {.label = "cosine", .side = TABLE_RIGHT, .format = "%.6g"},
    };
    struct table table = TABLE(columns);
    size_t n_lines;
    struct line *lines;

    if (comparison->total.is_identical && !by_tensor) {
        fprintf(out, "identical: %zu tensors\n", comparison->n_rows);
        return;
    }
    lines = make_lines(comparison, by_tensor, &n_lines);
    for (size_t i = 0; i < n_lines; i++)
        add_row(&table, lines[i].name, &lines[i].difference);
    add_row(&table, "all", &comparison->total);
    table_print(&table, out);
    table_release(&table);
    free_lines(lines, n_lines);
    print_shapes(comparison, out);
    print_only(names[0], comparison->only_a, comparison->n_only_a, out);
    print_only(names[1], comparison->only_b, comparison->n_only_b, out);
}
