/* gemm_bf16_many.h - products of many rows in bf16: what gemm_bf16.h says, to the bit, without moving
 * anything within vectors of sums. For gemm_bf16.c. */
#ifndef COCKTAIL_GEMM_BF16_MANY_H
#define COCKTAIL_GEMM_BF16_MANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/gemm_matrix.h"

enum {
    GEMM_BF16_BLOCK = 1024,    /* inputs */
    GEMM_BF16_MANY_ROWS = 65,  /* fewer do not pay for turning weights */
    GEMM_BF16_MANY_OUT = 64,   /* outputs that are turned at once */
    GEMM_BF16_MANY_PANEL = 16 * (32 * GEMM_BF16_MANY_OUT + 16), /* floats of scratch memory */
};

/* Writes one output's block of n_in inputs from `in` on, with zeros up to a whole vector. */
typedef void gemm_bf16_lay_out(const struct gemm_matrix *w, size_t out, size_t in, size_t n_in,
                               float *widened, uint16_t *to);

/* y [n_rows, w->n_out] = factor * x W^T, or y += it where `adds`; x: bf16, in whole vectors. scratch:
 * GEMM_BF16_MANY_PANEL floats, and behind them 17 blocks of GEMM_BF16_BLOCK bf16 and one of floats for
 * what lay_out makes of weights that cannot be read where they lie. */
void gemm_bf16_many(const struct gemm_matrix *w, size_t n_rows, const uint16_t *x, size_t x_stride,
                    float factor, bool adds, float *y, size_t y_stride, gemm_bf16_lay_out *lay_out,
                    float *scratch);

#endif
