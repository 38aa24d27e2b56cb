/* combine.h - the arithmetic of mixing: values of several models in, values of one model out.
 *
 * linear: sum of w[i] * x[i] in double, first product, then fused multiply-adds in model order,
 * rounded once from double to the output dtype; a NaN comes out as the canonical one of dtype.h.
 * One input of weight 1 in the output dtype is copied byte by byte. There is one plain version for
 * all dtypes, and faster ones for F32, F16 and BF16 that give the same bytes.
 *
 * lm_cocktail: `sum += weight * x` as torch computes it on a CPU in LM_Cocktail's merge_param. The
 * product is rounded to the input's dtype, each sum to the first input's, the result to the
 * output's. F64 is computed in double, all else in float; what torch refuses (the F8 dtypes)
 * follows the same rule. NaN is canonical here too, so its bits are not torch's. */
#ifndef COCKTAIL_COMBINE_H
#define COCKTAIL_COMBINE_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/dtype.h"

/* One input: n values of a mixable dtype, with its weight. */
struct combine_input {
    const void *values;
    enum dtype dtype;
    double weight;
};

/* out[n] (of mixable dtype out_dtype) = the combination of inputs[n_inputs], n_inputs >= 1. Inputs
 * and out do not overlap and need no alignment. Cannot fail; NaN and Inf propagate. */
typedef void combine_function(const struct combine_input *inputs, size_t n_inputs, size_t n,
                              enum dtype out_dtype, void *out);

/* A mixing method, a row of the table in combine.c. */
struct combine_method {
    const char *name;
    combine_function *combine;
    bool skips_zero_weights; /* the caller leaves out inputs of weight 0, and so their NaN */
};

extern const struct combine_method combine_linear, combine_lm_cocktail;

/* The instruction sets with a version of linear, best last; "plain" is the first and always
 * there. n_versions counts those that this processor can run. For tests. */
struct combine_version {
    const char *name;
    combine_function *linear;
};
const struct combine_version *combine_versions(size_t *n_versions);

/* Sets *n_nan and *n_inf: what is not finite in n values of a mixable dtype. Fast when nothing
 * is. */
void combine_count_special(enum dtype dtype, const void *values, size_t n, size_t *n_nan,
                           size_t *n_inf);

#endif
