/* diff.c - which tensors of two models differ, and by how much. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/model_components.h"
#include "arch/quantized.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "mix/compare.h"
#include "report/table.h"

#include "command.h"
#include "model_argument.h"
#include "option_blocks.h"
#include "terminal.h"

struct diff_options {
    struct common_options common;
    bool tensors, exit_code, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "tensors", OPTION_FLAG, offsetof(struct diff_options, tensors), NULL,
     "one row per tensor instead of one per layer"},
    {0, "exit-code", OPTION_FLAG, offsetof(struct diff_options, exit_code), NULL,
     "exit with 7 when they differ"},
    OPTION_FOLLOW_SYMLINKS(struct diff_options, follow_symlinks, "directories"),
    OPTIONS_COMMON,
};

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

static void print_json(const struct diff_options *options, const struct comparison *comparison)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    add_figures(&json, &comparison->total);
    add_names(&json, "only_in_a", comparison->only_a, comparison->n_only_a);
    add_names(&json, "only_in_b", comparison->only_b, comparison->n_only_b);
    add_lines(&json, "layers", comparison, false);
    if (options->tensors)
        add_lines(&json, "tensors", comparison, true);
    json_writer_end(&json);
    puts(out.data);
    buffer_release(&out);
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

static void print_only(const char *where, char *const *names, size_t n_names)
{
    struct table table = TABLE(table_facts);
    struct buffer label = {0};

    buffer_format(&label, "only in '%s':", where);
    for (size_t i = 0; i < n_names; i++) {
        table_add(&table, label.data);
        table_add(&table, names[i]);
    }
    table_print(&table, stdout);
    table_release(&table);
    buffer_release(&label);
}

/* Shapes that differ have no figures; say what they are. */
static void print_shapes(const struct comparison *comparison)
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
    table_print(&table, stdout);
    table_release(&table);
    buffer_release(&text);
}

static void print_text(const struct diff_options *options, const struct comparison *comparison)
{
    const char **paths = options->common.operands;
    const struct table_column columns[] = {
        {.label = options->tensors ? "tensor" : "layer", .side = TABLE_LEFT},
        {.label = "max abs", .side = TABLE_RIGHT, .format = "%.6g"},
        {.label = "relative L2", .side = TABLE_RIGHT, .format = "%.6g"},
        {.label = "cosine", .side = TABLE_RIGHT, .format = "%.6g"},
    };
    struct table table = TABLE(columns);
    size_t n_lines;
    struct line *lines;

    if (comparison->total.is_identical && !options->tensors) {
        printf("identical: %zu tensors\n", comparison->n_rows);
        return;
    }
    lines = make_lines(comparison, options->tensors, &n_lines);
    for (size_t i = 0; i < n_lines; i++)
        add_row(&table, lines[i].name, &lines[i].difference);
    add_row(&table, "all", &comparison->total);
    table_print(&table, stdout);
    table_release(&table);
    free_lines(lines, n_lines);
    print_shapes(comparison);
    print_only(paths[0], comparison->only_a, comparison->n_only_a);
    print_only(paths[1], comparison->only_b, comparison->n_only_b);
}

/* ---- the command ---- */

/* Packed integers can be told apart; numbers that count only times others cannot be measured. */
static int open_weights(struct model_folder *model, struct model_components *weights,
                        const char *path, const char *name, bool follow_symlinks,
                        struct notices *notices, struct error *err)
{
    if (model_folder_open_as(model, path, name, follow_symlinks, err) ||
        model_components_open(weights, model, notices, err))
        return -1;
    for (size_t i = 0; i < weights->n_items; i++)
        if (quantized_check_scales(weights->items[i].checkpoint, name, err))
            return -1;
    return 0;
}

static int diff(const struct diff_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    struct model_folder models[2] = {{0}, {0}};
    struct model_components weights[2] = {{0}, {0}};
    struct comparison comparison = {0};
    struct notices notices = {0};
    struct terminal_progress shown;
    char **paths = model_arguments_find(common->operands, 2, HUB_NEED_MODEL, common, err);
    struct threads *threads = paths ? threads_new(common->n_threads, err) : NULL;
    int rc = threads ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < 2; i++)
        rc = open_weights(&models[i], &weights[i], paths[i], common->operands[i],
                          options->follow_symlinks, &notices, err);
    if (rc == 0) {
        terminal_notices(&notices, common);
        terminal_progress_start(&shown, "comparing", common);
        rc = comparison_make(&comparison, &weights[0], &weights[1], threads, &shown.progress, err);
        terminal_progress_end(&shown);
    }
    if (rc == 0) {
        if (common->json)
            print_json(options, &comparison);
        else
            print_text(options, &comparison);
        if (options->exit_code && !comparison.total.is_identical) {
            err->code = ERROR_VERIFY; /* an answer, not a failure: no message */
            rc = -1;
        }
    }
    comparison_release(&comparison);
    notices_release(&notices);
    for (size_t i = 0; i < 2; i++) {
        model_components_release(&weights[i]);
        model_folder_release(&models[i]);
    }
    threads_free(threads);
    model_arguments_free(paths, 2);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct diff_options options = {0};
    int rc = command_parse(&command_diff, argc, argv, &options, err);

    if (rc == 0)
        rc = diff(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_diff = {
    .name = "diff",
    .summary = "show how two checkpoints differ",
    .usage = "MODEL MODEL",
    .min_operands = 2,
    .max_operands = 2,
    .rows = rows,
    .run = run,
};
