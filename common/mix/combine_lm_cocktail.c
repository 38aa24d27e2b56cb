/* combine_lm_cocktail.c - `sum += weight * x` as torch computes it on a CPU in LM_Cocktail's merge_param.
 *
 * The product is rounded to the input's dtype, each sum to the first input's, the result to the
 * output's. F64 is computed in double, all else in float; what torch refuses (the F8 dtypes)
 * follows the same rule. NaN is canonical here too, so its bits are not torch's. */
#include "mix/blocks.h"
#include "mix/combine_floats.h"

/* ---- where all is stored in F32, F16 or BF16: in float ---- */

static bool is_float(enum dtype dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

static bool has_only_floats(const struct combine_call *call)
{
    for (size_t i = 0; i < call->n_inputs; i++)
        if (!is_float(call->inputs[i].dtype))
            return false;
    return is_float(call->out->dtype);
}

/* NaN becomes canonical when the result is written. */
static void round_floats(enum dtype dtype, float *x)
{
    uint16_t items[COMBINE_BLOCK_ITEMS];
    struct combine_input rounded = {.values = items, .dtype = dtype};

    if (dtype == DTYPE_F32)
        return;
    combine_write_floats(dtype, x, items, 0, COMBINE_BLOCK_ITEMS);
    combine_read_floats(&rounded, 0, COMBINE_BLOCK_ITEMS, x);
}

static void multiply_floats(const struct combine_input *input, size_t first, size_t n, float *x)
{
    float weight = (float)input->weight;

    combine_read_floats(input, first, n, x);
    for (size_t k = 0; k < COMBINE_BLOCK_ITEMS; k++)
        x[k] *= weight;
    round_floats(input->dtype, x);
}

static void combine_floats(const struct combine_call *call, void *out, size_t first, size_t n)
{
    const struct combine_input *inputs = call->inputs;
    float sum[COMBINE_BLOCK_ITEMS], x[COMBINE_BLOCK_ITEMS];

    multiply_floats(&inputs[0], first, n, sum);
    for (size_t i = 1; i < call->n_inputs; i++) {
        multiply_floats(&inputs[i], first, n, x);
        blocks_add_scaled(x, 1, sum);
        round_floats(inputs[0].dtype, sum);
    }
    combine_write_floats(call->out->dtype, sum, out, first, n);
}

/* ---- with others: in double ---- */

/* torch computes in double for F64 and in float for all else. We compute in double throughout: the
 * product of two floats is exact there, and rounding their sum to double first, then to float,
 * gives the float sum (53 >= 2 * 24 + 2 bits). Then comes what torch stores in a tensor of
 * `dtype`: what is not F64 has passed through float. */
static void round_as_torch(enum dtype dtype, double *x, size_t n)
{
    unsigned char items[COMBINE_BLOCK_ITEMS * sizeof(double)];

    if (dtype == DTYPE_F64)
        return;
    for (size_t i = 0; i < n; i++)
        x[i] = (float)x[i];
    dtype_from_double(dtype, x, items, n);
    dtype_to_double(dtype, items, x, n);
}

static void multiply_as_torch(enum dtype dtype, double weight, double *x, size_t n)
{
    if (dtype != DTYPE_F64)
        weight = (float)weight;
    for (size_t i = 0; i < n; i++)
        x[i] *= weight;
    round_as_torch(dtype, x, n);
}

static void combine_doubles(const struct combine_call *call, void *out, size_t first, size_t n)
{
    const struct combine_input *inputs = call->inputs;
    double sum[COMBINE_BLOCK_ITEMS], x[COMBINE_BLOCK_ITEMS];
    enum dtype sum_dtype = inputs[0].dtype, out_dtype = call->out->dtype;

    combine_read(&inputs[0], first, sum, n);
    multiply_as_torch(sum_dtype, inputs[0].weight, sum, n);
    for (size_t i = 1; i < call->n_inputs; i++) {
        combine_read(&inputs[i], first, x, n);
        multiply_as_torch(inputs[i].dtype, inputs[i].weight, x, n);
        for (size_t k = 0; k < n; k++)
            sum[k] += x[k];
        round_as_torch(sum_dtype, sum, n);
    }
    round_as_torch(out_dtype, sum, n);
    combine_write(out_dtype, sum, out, first, n);
}

static void lm_cocktail(const struct combine_call *call, void *out)
{
    bool has_floats = has_only_floats(call);

    for (size_t first = 0; first < call->n; first += COMBINE_BLOCK_ITEMS) {
        size_t left = call->n - first, n = left < COMBINE_BLOCK_ITEMS ? left : COMBINE_BLOCK_ITEMS;

        (has_floats ? combine_floats : combine_doubles)(call, out, first, n);
    }
}

static const struct combine_parameter parameters[] = {
    {"weight", COMBINE_WEIGHT, COMBINE_NUMBER, .is_required = true,
     .meaning = "how much of the model goes in"},
};

const struct combine_method combine_lm_cocktail = {
    .name = "lm-cocktail",
    .summary = "the weighted sum, rounded step by step as LM_Cocktail does",
    .combine = lm_cocktail,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_INPUT,
    .min_inputs = 1,
    .sum = COMBINE_SUM_AS_GIVEN,
};
