/* combine_method.h - what a way of mixing is: values of several models in, values of one model out.
 *
 * A method is a row. Its parameters are rows, too: command line, recipes, --help and the manual all
 * have them from there (combine_settings.h reads and checks values). What a caller does:
 *
 * - Count the models against `base`, min_inputs and max_inputs.
 * - For every tensor, fill settings: of the method, one value for each row of scope COMBINE_ALL, in
 *   the order of the rows; of each input, one for each row of scope COMBINE_EACH, likewise. The value
 *   of the row of scope COMBINE_WEIGHT is the input's `weight`. A base has no settings, unless it is
 *   an input (COMBINE_BASE_INPUT). Each value must lie in the limits of its row.
 * - Call `check`, before anything is written.
 * - A tensor that no input has but the base is the base's: there is nothing to combine. */
#ifndef COCKTAIL_COMBINE_METHOD_H
#define COCKTAIL_COMBINE_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/output_tensor.h"

/* ---- parameters ---- */

enum combine_scope {
    COMBINE_WEIGHT, /* one value for each input: its weight; a method has one such row or none */
    COMBINE_EACH,   /* one for each input */
    COMBINE_ALL,    /* one for the tensor */
};

enum combine_kind {
    COMBINE_NUMBER, /* finite */
    COMBINE_WHOLE,  /* 0, 1, 2 … */
    COMBINE_BOOLEAN, /* 0 or 1 */
};

struct combine_parameter {
    const char *name; /* as mergekit has it */
    enum combine_scope scope;
    enum combine_kind kind;
    bool is_required;
    double standard;            /* when it is neither required nor given */
    double least, most;         /* limits; both 0: of a number none */
    bool is_above, is_below;    /* the limits themselves are too low, too high */
    const char *meaning;        /* for people: no capital, no full stop */
};

/* What the method wants with a base. */
enum combine_base {
    COMBINE_BASE_NONE,     /* there must be none */
    COMBINE_BASE_INPUT,    /* it is an input like the others, with weight and settings */
    COMBINE_BASE_OPTIONAL, /* where there is one, it is no input, even if it is listed as one */
    COMBINE_BASE_REQUIRED, /* likewise, and there must be one */
    COMBINE_BASE_ONE,      /* likewise; it is one of the two models, and the other the one input */
};

/* What weights that people type must sum to. */
enum combine_sum {
    COMBINE_SUM_ONE,      /* nearly 1; they are divided by it */
    COMBINE_SUM_AS_GIVEN, /* nearly 1; they are not */
    COMBINE_SUM_ANY,
};

/* ---- calls ---- */

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
                           * or, if the pass keeps_own, of the call's own; else NULL */
    void *kept;           /* what the pass keeps of the call's grain, 0 before; NULL: nothing */
};

/* A range of one tensor: what a method is called with. */
struct combine_call {
    const struct output_tensor *out;    /* the tensor that is made, whole */
    const struct combine_input *base;   /* what the inputs are compared with; NULL: there is none */
    const struct combine_input *inputs; /* [n_inputs], n_inputs >= 1 */
    size_t n_inputs;
    const double *settings;             /* of the method for this tensor; NULL: it has none */
    size_t first, n;                    /* the range: items first … first + n - 1 */
    const struct combine_facts *facts;  /* of each pass that is done; in measure of its own `kept` */
    void *scratch;                      /* n * scratch_item_bytes + scratch_bytes, aligned to 8 */
    void *input_scratch;                /* n_inputs * scratch_input_bytes, likewise */
    struct combine_input *spare;        /* [n_inputs + 1], for the method to write to */
    uint64_t seed;                      /* of methods that draw */
    void *state; /* what combine_stages has found out about the unit of which the range is a piece;
                  * NULL: there is none, and ranges of methods that want rows are whole rows */
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
    /* Whether there is anything to find out; NULL: always. When not, nothing is read nor
     * concluded, and all facts are 0. Called as conclude is. */
    bool (*is_needed)(const struct combine_call *call);
    bool keeps_before;
    /* Bytes that it keeps of a grain of n items, a multiple of 8, called as `size` is: of all
     * grains of the tensor few enough for any tensor. NULL: none. */
    size_t (*kept_bytes)(const struct combine_call *call, size_t n);
    /* The call's grain (see item_maker.h) keeps its own sums instead of adding them to those of the
     * others, and later calls find them as `before`. Not with keeps_before. */
    bool keeps_own;
};

enum { COMBINE_PASSES_MAX = 16 };

/* What must be known of a unit, before it is measured or combined piece by piece, in order: of a row
 * that is too long to be held in memory, or of columns, which lie all over the tensor. The pieces of
 * a row are its ranges, of whole blocks (combine_items.h) but for the last; those of some columns
 * that lie side by side are the items that these have in each row. */
struct combine_stages {
    /* How many columns the tensor has, when these are wanted; NULL or 0: units are rows. */
    size_t (*n_columns)(const struct combine_call *call);
    /* Bytes of the state, the same for all lengths. Called as combine_pass.size is. */
    size_t (*state_bytes)(const struct combine_call *call);
    /* Whether a pass is measured piece by piece, or the last, n_passes, combined; NULL: all. Those
     * of which it is not true take pieces as they take rows. */
    bool (*is_needed)(const struct combine_call *call, size_t pass);
    /* Takes a piece to the state, which is 0 before the first. */
    void (*look)(const struct combine_call *call, void *state);
    /* After the last one: whether to look at all once more. NULL: no. */
    bool (*turn)(const struct combine_call *call, void *state);
};

/* Columns of a unit, at most. */
enum { COMBINE_COLUMNS = 1024 };

enum combine_unit {
    COMBINE_ITEMS, /* each by itself */
    COMBINE_ROWS,  /* ranges are whole rows, along the last dimension */
};

/* Items that are measured at once, at least, but at the end of the tensor: fewer only when rows do
 * not divide it. */
enum { COMBINE_GRAIN_ITEMS = 8192 };

/* A mixing method: a row of combine.c. */
struct combine_method {
    const char *name;        /* as it is asked for, and shown */
    const char *summary;     /* what it does, for people: no capital, no full stop */
    combine_function *combine;
    const struct combine_parameter *parameters; /* [n_parameters] */
    size_t n_parameters;
    enum combine_base base;
    size_t min_inputs, max_inputs; /* without the base, unless it is an input; max 0: no limit */
    bool is_random;          /* it draws, by call->seed */
    bool skips_zero_weights; /* the caller leaves out inputs of weight 0, and so their NaN */
    enum combine_sum sum;    /* of weights that people type */
    /* What weights and settings must be to one another; NULL: nothing. The call has no range, and
     * its inputs no values. ERROR_USAGE. */
    int (*check)(const struct combine_call *call, struct error *err);
    enum combine_unit unit;
    /* Whether whole rows are wanted for these settings of the method; NULL: as `unit` says. */
    bool (*wants_rows)(const double *settings);
    const struct combine_stages *stages; /* NULL: there are none */
    const struct combine_pass *passes;
    size_t n_passes;
    size_t scratch_item_bytes, scratch_input_bytes; /* multiples of 8, the latter */
    size_t scratch_bytes;    /* of `scratch`, besides those for items */
};

/* Each in a file of its own, which says what it computes. */
extern const struct combine_method combine_linear, combine_slerp, combine_nuslerp,
    combine_multislerp, combine_karcher, combine_task_arithmetic, combine_ties, combine_dare_linear,
    combine_dare_ties, combine_della, combine_della_linear, combine_breadcrumbs,
    combine_breadcrumbs_ties, combine_model_stock, combine_sce, combine_ram, combine_ramplus_tl,
    combine_nearswap, combine_arcee_fusion, combine_passthrough, combine_lm_cocktail;
/* Linear of one model, which is no way of mixing: each value is rounded once. */
extern const struct combine_method combine_convert;
/* The same, where models become the experts of one. */
extern const struct combine_method combine_moe;

#endif
