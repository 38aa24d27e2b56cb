/* gemm_fast.h - products that round x, for who asks for speed: --compute fast.
 *
 * What a row of x gets follows from it and from W alone, as gemm.h promises, but it is not the
 * product of floats. Weights in ggml's blocks: x is rounded to integers of eight bits, 32 inputs to a
 * scale, and integers are multiplied (gemm_int8.h). F32, F16 and BF16 in rows of outputs: x is
 * rounded to bf16, and W, where it is not that already (gemm_bf16.h). Other weights, and what the
 * processor lacks, have no such way. For gemm.c and for tests. */
#ifndef COCKTAIL_GEMM_FAST_H
#define COCKTAIL_GEMM_FAST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/isa.h"
#include "math/gemm_matrix.h"

enum {
    GEMM_FAST_IN_MAX = 1 << 14,     /* inputs: weights with more have no such way */
    GEMM_FAST_SCRATCH = 40 * 1024,  /* floats of a product, aligned to 64 bytes */
    GEMM_FAST_ROW_MAX = 3 << 14,    /* bytes of a packed row, at most */
};

struct gemm_fast {
    const char *name;
    size_t (*row_bytes)(size_t n_in); /* of a packed row: a multiple of 64 */
    void (*pack)(size_t n_rows, const float *x, size_t x_stride, size_t n_in, char *packed);
    /* y [n_rows, w->n_out] = factor * x W^T, or y += it where `adds`; packed: rows of x, aligned to
     * 64 bytes. Any number of rows. */
    void (*multiply)(const struct gemm_matrix *w, size_t n_rows, const char *packed, float factor,
                     bool adds, float *y, size_t y_stride, float *scratch);
};

/* The way for such weights with these instructions; NULL: none. */
const struct gemm_fast *gemm_fast_find(const struct gemm_matrix *w, enum isa isa);

/* What of the fast ways the processor has. */
bool gemm_fast_has_bf16(enum isa isa);
bool gemm_fast_has_int8(enum isa isa);

#endif
