/* gemm_int8.h - products of weights in ggml's blocks with x rounded to integers of eight bits.
 *
 * A weight is scale * u + offset, u from 0 to 255, with a scale and an offset for each group of 32
 * inputs, or of 16 (Q6_K). Of each 32 inputs x is d * q, q from -127 to 127, d = the largest
 * magnitude / 127. Sums of four neighbouring products u q are exact; these are eight sums of 32
 * inputs, and each is added by a fused multiply-add, with scale * d, to one of eight floats, groups
 * ascending. After eight times 32 inputs, to each of the eight floats are added offset * d (sum of q)
 * of one group of 32, or of group i and then of group i + 8 of the 16. In the end s[j] + s[j + 4], of
 * these 0 + 2 and 1 + 3, and these two. All versions give the same bits. For gemm_fast.c. */
#ifndef COCKTAIL_GEMM_INT8_H
#define COCKTAIL_GEMM_INT8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/gemm_fast_way.h"
#include "tensor/ggml_blocks.h"

enum {
    INT8_GROUP = 32,
    INT8_GROUPS = 8, /* at a time; arrays of groups are filled up with zeros to that */
    INT8_BLOCK = 256,
    INT8_OUTS = 4,
};

/* A packed row of x; arrays follow one another. */
struct int8_row {
    const int8_t *q;        /* [n_in], zeros up to a multiple of INT8_BLOCK */
    const float *scales;    /* [groups of 32] */
    const float *sums;      /* scale * (sum of q), likewise */
    const float *half_sums; /* [groups of 16] */
};

/* Weights of one output: as many, filled up likewise. */
struct int8_weights {
    uint8_t *u;
    float *scales, *offsets; /* [groups of 32, or of 16] */
};

/* Whether a format has this way; of the others exact products are as fast. */
bool int8_takes(enum ggml_format format);
size_t int8_row_bytes(size_t n_in);

extern const struct gemm_fast gemm_int8_plain;
#if defined(__x86_64__)
extern const struct gemm_fast gemm_int8_avx2, gemm_int8_vnni;
#endif

#endif
