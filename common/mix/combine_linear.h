/* combine_linear.h - the weighted sum, and its versions for sets of instructions.
 *
 * The sum of w[i] * x[i] in double: first a product, then fused multiply-adds in model order,
 * rounded once from double to the output dtype; a NaN comes out as the canonical one of dtype.h.
 * One input of weight 1 in the output dtype is copied byte by byte. There is one plain version for
 * all dtypes, and faster ones for F32, F16 and BF16 that give the same bytes. */
#ifndef COCKTAIL_COMBINE_LINEAR_H
#define COCKTAIL_COMBINE_LINEAR_H

#include "mix/combine_method.h"

/* The instruction sets with a version, best last; "plain" is the first and always there.
 * n_versions counts those that this processor can run. For tests. */
typedef void combine_kernel(const struct combine_input *inputs, size_t n_inputs, size_t n,
                            enum dtype out_dtype, void *out);
struct combine_version {
    const char *name;
    combine_kernel *linear;
};
const struct combine_version *combine_versions(size_t *n_versions);

/* out[n] = the sum of weight * values, with the best version there is; what has weight 0 is left out,
 * and its NaN: without anything the sum is 0. Moves the inputs together. */
void combine_linear_run(struct combine_input *inputs, size_t n_inputs, size_t n, enum dtype dtype,
                        void *out);

/* For methods that find out how much of each input goes in: out = base_weight * base + the sum of
 * weights[n_inputs] * inputs, as combine_linear_run makes it. Without a base, base_weight must be 0.
 * Uses call->spare. */
void combine_linear_weighted(const struct combine_call *call, const double *weights,
                             double base_weight, void *out);

/* Plain C, all mixable dtypes, items first … n-1 only. The fast versions leave to it the items
 * behind their last full vector, and all items when a dtype is not combine_is_common. */
void combine_linear_plain(const struct combine_input *inputs, size_t n_inputs, size_t first,
                          size_t n, enum dtype out_dtype, void *out);

/* All dtypes are among F32, F16 and BF16. */
bool combine_is_common(const struct combine_input *inputs, size_t n_inputs, enum dtype out_dtype);

#if defined(__x86_64__)
combine_kernel combine_linear_avx2, combine_linear_avx512;
#endif

#endif
