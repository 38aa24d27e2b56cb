/* gemm_amx.h - products of many rows with W in BF16 on processors with matrix tiles (Intel AMX).
 *
 * The tiles multiply 16-bit numbers and add up in float. A float is exactly the sum of three of
 * them, so three products with the same tile of W give what float arithmetic gives, and W is used
 * as it lies in the file. For gemm.c and for tests, where isa_has_amx() (base/isa.h). */
#ifndef COCKTAIL_GEMM_AMX_H
#define COCKTAIL_GEMM_AMX_H

#include <stddef.h>

enum {
    AMX_ROWS = 16,        /* of x, packed together */
    AMX_ROWS_MAX = 128,   /* of one call of amx_multiply */
    AMX_OUT_MAX = 256,    /* outputs of one call */
    AMX_SUMS = AMX_ROWS_MAX * AMX_OUT_MAX, /* floats of scratch memory for a call */
};

/* Bytes of AMX_ROWS packed rows. */
size_t amx_packed_bytes(size_t n_in);

/* n_rows <= AMX_ROWS rows of x; packed [amx_packed_bytes], 64-byte aligned. */
void amx_pack(size_t n_rows, const float *x, size_t x_stride, size_t n_in, void *packed);

/* y [n_rows, n_out] = x W^T, W [n_out, n_in] of BF16, not aligned; the rows of x packed, AMX_ROWS
 * by AMX_ROWS; sums [AMX_SUMS], 64-byte aligned. Any n_in; n_rows and n_out as above. Where x is
 * infinite y is NaN. */
void amx_multiply(size_t n_rows, const void *packed, const void *w, size_t w_stride, size_t n_out,
                  size_t n_in, float *sums, float *y, size_t y_stride);

#endif
