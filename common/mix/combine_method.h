/* combine_method.h - what a way of mixing is: values of several models in, values of one model out. */
#ifndef COCKTAIL_COMBINE_METHOD_H
#define COCKTAIL_COMBINE_METHOD_H

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

/* A mixing method: a row of combine.c. */
struct combine_method {
    const char *name;        /* as it is asked for, and shown */
    combine_function *combine;
    bool skips_zero_weights; /* the caller leaves out inputs of weight 0, and so their NaN */
    bool takes_any_sum;      /* its weights need not sum to 1 */
    enum combine_unit unit;
    const struct combine_pass *passes;
    size_t n_passes;
    size_t scratch_item_bytes;
};

/* Each in a file of its own, which says what it computes. */
extern const struct combine_method combine_linear, combine_lm_cocktail;
/* Linear of one model, which is no way of mixing: each value is rounded once. */
extern const struct combine_method combine_convert;

#endif
