/* gram.h - lengths of vectors and the angles between them: all their dot products.
 *
 * A method whose result lies in the span of its inputs needs no more of them than these numbers, and
 * then makes one weighted sum (combine_linear_weighted), however it came by the weights. Differences
 * are floats; products of floats are exact in double, and their sums are in double. */
#ifndef COCKTAIL_GRAM_H
#define COCKTAIL_GRAM_H

#include <stddef.h>

#include "mix/combine_method.h"

/* Dot products of n vectors, each pair once. */
size_t gram_n_sums(size_t n_vectors);
/* Where that of vectors i and j stands. */
size_t gram_place(size_t n_vectors, size_t i, size_t j);

/* Adds to sums[gram_n_sums] what n items of each vector give, from item `first` of their values on.
 * The vectors are what vectors[n_vectors] have, or, if base is not NULL, the difference of that from
 * what the base has. */
void gram_add(const struct combine_input *vectors, size_t n_vectors,
              const struct combine_input *base, size_t first, size_t n, double *sums);

/* For a pass: those of call->inputs, or of their differences from call->base. */
void gram_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts);
void gram_measure(const struct combine_call *call, double *sums, size_t *counts);

#endif
