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
#include "tensor/output_tensor.h"

/* One input: n values of a mixable dtype, with what the method is to do with them. */
struct combine_input {
    const void *values;
    enum dtype dtype;
    double weight;
    const double *settings; /* what else the method knows for each input; NULL: nothing */
};

/* What a pass found out about the whole tensor. */
struct combine_facts {
    double *sums;         /* [n_sums] */
    size_t *counts;       /* [n_counts] */
    const double *before; /* [n_sums] of all items in front of the call's, as they were added up;
                           * NULL unless the pass keeps_before */
};

/* A range of one tensor: what a method is called with. */
struct combine_call {
    const struct output_tensor *out;    /* the tensor that is made, whole */
    const struct combine_input *base;   /* what the inputs are compared with; NULL: there is none */
    const struct combine_input *inputs; /* [n_inputs], n_inputs >= 1 */
    size_t n_inputs;
    const double *settings;             /* of the method for this tensor; NULL: it has none */
    size_t first, n;                    /* the range: items first … first + n - 1 */
    const struct combine_facts *facts;  /* of each pass that is done */
    void *scratch;                      /* n * scratch_item_bytes, aligned to 8 */
};

/* out[n] (of the mixable dtype call->out->dtype) = the combination of the inputs. They and out do
 * not overlap and need no alignment. Cannot fail; NaN and Inf propagate. */
typedef void combine_function(const struct combine_call *call, void *out);

/* A look at a whole tensor before it is combined; each sees the facts of those before it. */
struct combine_pass {
    /* How much it keeps, both 0 before: of the call there are the tensor, the settings, and in
     * n_inputs the most inputs that there can be. */
    void (*size)(const struct combine_call *call, size_t *n_sums, size_t *n_counts);
    /* What the range adds to sums[n_sums], which are 0, and to counts[n_counts]. The sums of all
     * ranges are added up in the order of the tensor, whatever the number of threads. */
    void (*measure)(const struct combine_call *call, double *sums, size_t *counts);
    /* What follows from all of them, once, written in their place; NULL: nothing. The call has
     * no range, and its inputs no values. */
    void (*conclude)(const struct combine_call *call, double *sums, size_t *counts);
    bool keeps_before;
};

enum { COMBINE_PASSES_MAX = 16 };

enum combine_unit {
    COMBINE_ITEMS, /* each by itself */
    COMBINE_ROWS,  /* ranges are whole rows, along the last dimension */
};

/* A mixing method: a row. */
struct combine_method {
    const char *name;
    combine_function *combine;
    bool skips_zero_weights; /* the caller leaves out inputs of weight 0, and so their NaN */
    enum combine_unit unit;
    const struct combine_pass *passes;
    size_t n_passes;
    size_t scratch_item_bytes;
};

extern const struct combine_method combine_linear, combine_lm_cocktail;

/* The instruction sets with a version of linear, best last; "plain" is the first and always
 * there. n_versions counts those that this processor can run. For tests. */
typedef void combine_kernel(const struct combine_input *inputs, size_t n_inputs, size_t n,
                            enum dtype out_dtype, void *out);
struct combine_version {
    const char *name;
    combine_kernel *linear;
};
const struct combine_version *combine_versions(size_t *n_versions);

/* Sets *n_nan and *n_inf: what is not finite in n values of a mixable dtype. Fast when nothing
 * is. */
void combine_count_special(enum dtype dtype, const void *values, size_t n, size_t *n_nan,
                           size_t *n_inf);

#endif
