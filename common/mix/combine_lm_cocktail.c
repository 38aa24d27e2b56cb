/* combine_lm_cocktail.c - `sum += weight * x` as torch computes it on a CPU in LM_Cocktail's merge_param.
 *
 * The product is rounded to the input's dtype, each sum to the first input's, the result to the
 * output's. F64 is computed in double, all else in float; what torch refuses (the F8 dtypes)
 * follows the same rule. NaN is canonical here too, so its bits are not torch's. */
#include "mix/combine_items.h"

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

static void lm_cocktail(const struct combine_call *call, void *out)
{
    const struct combine_input *inputs = call->inputs;
    double sum[COMBINE_BLOCK_ITEMS], x[COMBINE_BLOCK_ITEMS];
    enum dtype sum_dtype = inputs[0].dtype, out_dtype = call->out->dtype;

    for (size_t first = 0; first < call->n; first += COMBINE_BLOCK_ITEMS) {
        size_t n_items = call->n - first < COMBINE_BLOCK_ITEMS ? call->n - first : COMBINE_BLOCK_ITEMS;

        combine_read(&inputs[0], first, sum, n_items);
        multiply_as_torch(sum_dtype, inputs[0].weight, sum, n_items);
        for (size_t i = 1; i < call->n_inputs; i++) {
            combine_read(&inputs[i], first, x, n_items);
            multiply_as_torch(inputs[i].dtype, inputs[i].weight, x, n_items);
            for (size_t k = 0; k < n_items; k++)
                sum[k] += x[k];
            round_as_torch(sum_dtype, sum, n_items);
        }
        round_as_torch(out_dtype, sum, n_items);
        combine_write(out_dtype, sum, out, first, n_items);
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
