/* vector_kernels.h - the versions of vector.h's functions, for vector.c and for tests. */
#ifndef COCKTAIL_VECTOR_KERNELS_H
#define COCKTAIL_VECTOR_KERNELS_H

#include "math/vector.h"

struct vector_version {
    const char *name;
    __typeof__(vector_rms_norm) *rms_norm;
    __typeof__(vector_layer_norm) *layer_norm;
    __typeof__(vector_activate) *activate;
    __typeof__(vector_gate) *gate;
    __typeof__(vector_add) *add;
    __typeof__(vector_scale) *scale;
    __typeof__(vector_soft_cap) *soft_cap;
    __typeof__(vector_max) *max;
    __typeof__(vector_exp) *exp;
    __typeof__(vector_log_sum_exp) *log_sum_exp;
    __typeof__(vector_rotate) *rotate;
    __typeof__(vector_widen) *widen;
};

extern const struct vector_version vector_plain;
#if defined(__x86_64__)
extern const struct vector_version vector_avx2, vector_avx512;
#endif

/* Version i, slowest first, "plain" is 0; NULL behind the last that this processor can run. */
const struct vector_version *vector_version(size_t i);

#endif
