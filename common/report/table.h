/* table.h - a table of typed cells, which prints as aligned text, as CSV and as JSON.
 *
 * Each cell knows what it holds; its column says where it stands, how it is called and how its
 * numbers are written for people. CSV and JSON have numbers in full. */
#ifndef COCKTAIL_TABLE_H
#define COCKTAIL_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/json_writer.h"

enum table_side { TABLE_ABSENT, TABLE_LEFT, TABLE_RIGHT };

struct table_column {
    const char *label;    /* its head in text; a table without labels has no head */
    const char *key;      /* in CSV and JSON; NULL: not in them */
    enum table_side side; /* in text */
    /* Of reals in text: "%.4f"; of those that are not within +-limit (0: no limit): "%.5g". */
    const char *format;
    double limit;
    const char *far_format;
};

struct table_cell;

struct table { /* set the columns, which are borrowed, the rest zero */
    const struct table_column *columns;
    size_t n_columns;
    struct table_cell *cells;
    size_t n_cells;
};
#define TABLE(array) {.columns = (array), .n_columns = sizeof(array) / sizeof *(array)}

/* Of a table of names and values: no head, all to the left, reals with four digits. */
extern const struct table_column table_facts[2];

/* Row after row, cell after cell. Texts are copied; NULL is a missing cell, which is "-" in text,
 * nothing in CSV and null in JSON, as is a real that is not finite in these two. */
void table_add(struct table *table, const char *text);
void table_add_count(struct table *table, size_t n);
void table_add_size(struct table *table, size_t size_bytes);
void table_add_real(struct table *table, double value);
void table_add_json(struct table *table, const char *text); /* a value that is JSON, as it is */
void table_add_missing(struct table *table);
void table_release(struct table *table);

/* Cells as utf8_add_printable writes them; no blanks at the end of a line. */
void table_write_text(const struct table *table, struct buffer *out);
void table_print(const struct table *table, FILE *out); /* the same */
/* A line of keys, and one for each row. */
void table_write_csv(const struct table *table, struct buffer *out);
/* An array with an object for each row. */
void table_write_json(const struct table *table, struct json_writer *json, const char *key);

#endif
