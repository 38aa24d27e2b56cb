#include "table.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"

#include "size_text.h"

struct table_cell {
    enum cell_kind { CELL_MISSING, CELL_TEXT, CELL_COUNT, CELL_SIZE, CELL_REAL, CELL_JSON } kind;
    union {
        char *text; /* owned; of CELL_JSON too */
        size_t n;
        double real;
    };
};

const struct table_column table_facts[2] = {
    {.side = TABLE_LEFT},
    {.side = TABLE_LEFT, .format = "%.4f", .limit = 1e9, .far_format = "%.5g"},
};

/* ---- cells ---- */

static void add_cell(struct table *table, struct table_cell cell)
{
    if ((table->n_cells & (table->n_cells - 1)) == 0) /* full at each power of two */
        table->cells = memory_resize(table->cells, table->n_cells ? 2 * table->n_cells : 1,
                                     sizeof *table->cells);
    table->cells[table->n_cells++] = cell;
}

void table_add(struct table *table, const char *text)
{
    if (text)
        add_cell(table, (struct table_cell){.kind = CELL_TEXT, .text = memory_copy(text)});
    else
        table_add_missing(table);
}

void table_add_count(struct table *table, size_t n)
{
    add_cell(table, (struct table_cell){.kind = CELL_COUNT, .n = n});
}

void table_add_size(struct table *table, size_t size_bytes)
{
    add_cell(table, (struct table_cell){.kind = CELL_SIZE, .n = size_bytes});
}

void table_add_real(struct table *table, double value)
{
    add_cell(table, (struct table_cell){.kind = CELL_REAL, .real = value});
}

void table_add_json(struct table *table, const char *text)
{
    add_cell(table, (struct table_cell){.kind = CELL_JSON, .text = memory_copy(text)});
}

void table_add_missing(struct table *table)
{
    add_cell(table, (struct table_cell){.kind = CELL_MISSING});
}

void table_release(struct table *table)
{
    for (size_t i = 0; i < table->n_cells; i++)
        if (table->cells[i].kind == CELL_TEXT || table->cells[i].kind == CELL_JSON)
            free(table->cells[i].text);
    free(table->cells);
    table->cells = NULL;
    table->n_cells = 0;
}

/* ---- text ---- */

static void add_shown(struct buffer *out, const struct table_column *column,
                      const struct table_cell *cell)
{
    char size[SIZE_TEXT_MAX];

    switch (cell->kind) {
    case CELL_MISSING:
        buffer_add_char(out, '-');
        return;
    case CELL_TEXT:
    case CELL_JSON:
        utf8_add_printable(out, cell->text, strlen(cell->text));
        return;
    case CELL_COUNT:
        digits_add(out, cell->n);
        return;
    case CELL_SIZE:
        buffer_add_text(out, size_text(size, cell->n));
        return;
    case CELL_REAL:
        buffer_format(out, column->limit == 0 || fabs(cell->real) < column->limit
                               ? column->format
                               : column->far_format, cell->real);
        return;
    }
}

/* Code points: good enough for names, where wide and combining characters are rare. */
static size_t width_of(const char *text, size_t n)
{
    size_t width = 0;

    for (size_t i = 0; i < n; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

/* The texts of all cells, one after the other, the head first. */
struct shown {
    struct buffer text;
    size_t *ends; /* [n_rows * n_columns] */
    size_t n_rows;
    size_t *widths; /* [n_columns] */
};

static void show_cell(struct shown *shown, const struct table *table, size_t i,
                      const struct table_cell *cell)
{
    size_t start = shown->text.size, column = i % table->n_columns, width;

    if (cell)
        add_shown(&shown->text, &table->columns[column], cell);
    else if (table->columns[column].label)
        buffer_add_text(&shown->text, table->columns[column].label);
    shown->ends[i] = shown->text.size;
    width = width_of(shown->text.data + start, shown->text.size - start);
    if (width > shown->widths[column])
        shown->widths[column] = width;
}

static bool has_head(const struct table *table)
{
    for (size_t i = 0; i < table->n_columns; i++)
        if (table->columns[i].label)
            return true;
    return false;
}

static void show(struct shown *shown, const struct table *table)
{
    size_t n_head = has_head(table) ? table->n_columns : 0, n = n_head + table->n_cells;

    *shown = (struct shown){
        .ends = memory_zalloc(n, sizeof *shown->ends),
        .n_rows = n / table->n_columns,
        .widths = memory_zalloc(table->n_columns, sizeof *shown->widths),
    };
    buffer_add_text(&shown->text, ""); /* it has data, however empty */
    for (size_t i = 0; i < n; i++)
        show_cell(shown, table, i, i < n_head ? NULL : &table->cells[i - n_head]);
}

static void add_padding(struct buffer *out, size_t n)
{
    buffer_format(out, "%*s", (int)n, "");
}

static void add_line(struct buffer *out, const struct table *table, const struct shown *shown,
                     size_t row)
{
    size_t n_before = out->size;
    bool is_first = true;

    for (size_t c = 0; c < table->n_columns; c++) {
        size_t i = row * table->n_columns + c, start = i ? shown->ends[i - 1] : 0;
        size_t n = shown->ends[i] - start, padding;

        if (table->columns[c].side == TABLE_ABSENT)
            continue;
        buffer_add_text(out, is_first ? "" : "  ");
        is_first = false;
        padding = shown->widths[c] - width_of(shown->text.data + start, n);
        if (table->columns[c].side == TABLE_RIGHT)
            add_padding(out, padding);
        buffer_add(out, shown->text.data + start, n);
        if (table->columns[c].side == TABLE_LEFT)
            add_padding(out, padding);
    }
    while (out->size > n_before && out->data[out->size - 1] == ' ')
        out->size--;
    buffer_add_char(out, '\n');
}

void table_write_text(const struct table *table, struct buffer *out)
{
    struct shown shown;

    show(&shown, table);
    for (size_t row = 0; row < shown.n_rows; row++)
        add_line(out, table, &shown, row);
    free(shown.ends);
    free(shown.widths);
    buffer_release(&shown.text);
}

void table_print(const struct table *table, FILE *out)
{
    struct buffer lines = {0};

    table_write_text(table, &lines);
    if (lines.size)
        fwrite(lines.data, 1, lines.size, out);
    buffer_release(&lines);
}

/* ---- CSV ---- */

static void add_csv_text(struct buffer *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        buffer_add_text(out, text);
        return;
    }
    buffer_add_char(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            buffer_add_char(out, '"');
        buffer_add_char(out, *text);
    }
    buffer_add_char(out, '"');
}

static void add_csv_cell(struct buffer *out, const struct table_cell *cell)
{
    switch (cell->kind) {
    case CELL_MISSING:
        return;
    case CELL_TEXT:
    case CELL_JSON:
        add_csv_text(out, cell->text);
        return;
    case CELL_COUNT:
    case CELL_SIZE:
        digits_add(out, cell->n);
        return;
    case CELL_REAL:
        if (isfinite(cell->real))
            json_add_number(out, cell->real);
        return;
    }
}

/* `cells` NULL: the keys. */
static void add_csv_line(struct buffer *out, const struct table *table,
                         const struct table_cell *cells)
{
    bool is_first = true;

    for (size_t c = 0; c < table->n_columns; c++) {
        if (!table->columns[c].key)
            continue;
        if (!is_first)
            buffer_add_char(out, ',');
        is_first = false;
        if (cells)
            add_csv_cell(out, &cells[c]);
        else
            add_csv_text(out, table->columns[c].key);
    }
    buffer_add_char(out, '\n');
}

void table_write_csv(const struct table *table, struct buffer *out)
{
    add_csv_line(out, table, NULL);
    for (size_t i = 0; i < table->n_cells; i += table->n_columns)
        add_csv_line(out, table, &table->cells[i]);
}

/* ---- JSON ---- */

static void add_json_cell(struct json_writer *json, const char *key,
                          const struct table_cell *cell)
{
    switch (cell->kind) {
    case CELL_MISSING:
        json_writer_null(json, key);
        return;
    case CELL_TEXT:
        json_writer_string(json, key, cell->text);
        return;
    case CELL_COUNT:
    case CELL_SIZE:
        json_writer_size(json, key, cell->n);
        return;
    case CELL_REAL:
        json_writer_double(json, key, cell->real);
        return;
    case CELL_JSON:
        json_writer_raw(json, key, cell->text);
        return;
    }
}

void table_write_json(const struct table *table, struct json_writer *json, const char *key)
{
    json_writer_array(json, key);
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t c = i % table->n_columns;

        if (c == 0)
            json_writer_object(json, NULL);
        if (table->columns[c].key)
            add_json_cell(json, table->columns[c].key, &table->cells[i]);
        if (c + 1 == table->n_columns)
            json_writer_end(json);
    }
    json_writer_end(json);
}
