/* mlp.h - the feed-forward part of a layer, or one expert of it. */
#ifndef COCKTAIL_MLP_H
#define COCKTAIL_MLP_H

#include "math/vector.h"
#include "model/engine.h"
#include "model/model_weights.h"

/* out [n_rows, n_out of down] = down(f(gate(x)) * up(x)), or down(f(up(x))) where gate has no
 * matrix, or down(a * f(b) * up(x)) where gate(x) = a | b is twice as wide as up(x). gate_rows
 * [n_rows, n_out of gate] and up_rows [n_rows, n_out of up] are scratch; the first may be NULL
 * without a gate. n_rows <= ROWS_AT_ONCE. */
void mlp_run(const struct engine *engine, enum activation activation, const struct linear *gate,
             const struct linear *up, const struct linear *down, const float *x, size_t n_rows,
             float *gate_rows, float *up_rows, float *out);

/* Between the products: up [n_rows, n] = f(up), or f(gate) * up of gate [n_rows, n_gate], or of a
 * gate twice as wide a * f(b) * up. */
void mlp_turn_rows(enum activation activation, float *gate, size_t n_gate, float *up, size_t n,
                   size_t n_rows);

#endif
