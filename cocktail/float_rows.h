/* float_rows.h - rows of floats on standard output, as JSON lines or as one numpy array. */
#ifndef COCKTAIL_FLOAT_ROWS_H
#define COCKTAIL_FLOAT_ROWS_H

#include <stddef.h>

#include "base/error.h"

/* One array a row; nine digits, which are enough to read the same float back. */
int float_rows_print_json(const float *rows, size_t n_rows, size_t width, struct error *err);
/* What stands before the rows of an array, and the rows. */
int float_rows_print_npy_header(size_t n_rows, size_t width, struct error *err);
int float_rows_print_npy(const float *rows, size_t n_rows, size_t width, struct error *err);

#endif
