/* tensor_made.h - tensors whose items are those of another one, in another order or changed.
 *
 * Each is a source (tensor_source.h). The tensor it is made of must outlive it; its name is kept.
 * The arena keeps what it needs. Items of less than a byte are ERROR_UNSUPPORTED. */
#ifndef COCKTAIL_TENSOR_MADE_H
#define COCKTAIL_TENSOR_MADE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor.h"

/* The rows of each of n_heads heads (of n rows, those of the first dimension) in the order 0, n/2,
 * 1, n/2 + 1, …, so that what rotates together lies in pairs; or such pairs as halves again.
 * Whole rows move, quantised ones too. ERROR_FORMAT when heads do not have an even number of rows. */
int tensor_to_pairs(struct tensor *made, const struct tensor *tensor, size_t n_heads,
                    struct arena *arena, struct error *err);
int tensor_to_halves(struct tensor *made, const struct tensor *tensor, size_t n_heads,
                     struct arena *arena, struct error *err);

/* [a, b] as [b, a]. ERROR_FORMAT for other dimensions than two. */
int tensor_turn(struct tensor *made, const struct tensor *tensor, struct arena *arena,
                struct error *err);

/* x + addend, in float: F32. */
int tensor_add(struct tensor *made, const struct tensor *tensor, float addend, struct arena *arena,
               struct error *err);

#endif
