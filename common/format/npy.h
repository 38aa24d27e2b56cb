/* npy.h - arrays of floats as numpy.load() reads them. Source: numpy's NEP 1, version 1.0. */
#ifndef COCKTAIL_NPY_H
#define COCKTAIL_NPY_H

#include <stddef.h>

#include "base/buffer.h"

/* Adds what stands before the n_rows * n_columns floats, which follow row after row. */
void npy_add_header(struct buffer *out, size_t n_rows, size_t n_columns);

#endif
