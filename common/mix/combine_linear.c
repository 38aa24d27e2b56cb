/* combine_linear.c - the weighted sum in plain C, and which version of it runs. */
#include "combine_linear.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/isa.h"
#include "mix/blocks.h"
#include "mix/combine_items.h"

void combine_linear_plain(const struct combine_input *inputs, size_t n_inputs, size_t first,
                          size_t n, enum dtype out_dtype, void *out)
{
    double sum[COMBINE_BLOCK_ITEMS], x[COMBINE_BLOCK_ITEMS];

    for (; first < n; first += COMBINE_BLOCK_ITEMS) {
        size_t n_items = n - first < COMBINE_BLOCK_ITEMS ? n - first : COMBINE_BLOCK_ITEMS;

        for (size_t i = 0; i < n_inputs; i++) {
            combine_read(&inputs[i], first, x, n_items);
            for (size_t k = 0; k < n_items; k++)
                sum[k] = i == 0 ? inputs[i].weight * x[k] : fma(inputs[i].weight, x[k], sum[k]);
        }
        combine_write(out_dtype, sum, out, first, n_items);
    }
}

static void linear_plain(const struct combine_input *inputs, size_t n_inputs, size_t n,
                         enum dtype out_dtype, void *out)
{
    combine_linear_plain(inputs, n_inputs, 0, n, out_dtype, out);
}

static bool is_common(enum dtype dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

bool combine_is_common(const struct combine_input *inputs, size_t n_inputs, enum dtype out_dtype)
{
    for (size_t i = 0; i < n_inputs; i++)
        if (!is_common(inputs[i].dtype))
            return false;
    return is_common(out_dtype);
}

#if defined(__x86_64__)
static const struct combine_version versions[] = {
    {"plain", linear_plain},
    {"avx2", combine_linear_avx2},
    {"avx512", combine_linear_avx512},
};

const struct combine_version *combine_versions(size_t *n_versions)
{
    *n_versions = isa_has(ISA_AVX512) ? 3 : isa_has(ISA_AVX2) ? 2 : 1;
    return versions;
}
#else
static const struct combine_version versions[] = {{"plain", linear_plain}};

const struct combine_version *combine_versions(size_t *n_versions)
{
    *n_versions = 1;
    return versions;
}
#endif

/* Of F32 and weight 1, as adapters give it, to BF16: doubles would give the same bits. Whole blocks; the
 * rest is linear's. */
static void round_alone(const struct combine_input *input, size_t n, combine_kernel *linear, void *out)
{
    struct combine_input rest = *input;
    const float *x = input->values;
    uint16_t *to = out;

    for (; n >= COMBINE_BLOCK_ITEMS; n -= COMBINE_BLOCK_ITEMS) {
        blocks_round_to_bf16(x, to);
        x += COMBINE_BLOCK_ITEMS;
        to += COMBINE_BLOCK_ITEMS;
    }
    rest.values = x;
    linear(&rest, 1, n, DTYPE_BF16, to);
}

static void run_best(const struct combine_input *inputs, size_t n_inputs, size_t n,
                     enum dtype dtype, void *out)
{
    size_t n_versions;
    const struct combine_version *best = combine_versions(&n_versions) + isa_in_use();

    if (n_inputs == 0)
        memset(out, 0, n * combine_item_bytes(dtype));
    else if (n_inputs == 1 && inputs[0].weight == 1 && inputs[0].dtype == dtype)
        memcpy(out, inputs[0].values, n * combine_item_bytes(dtype)); /* keeps NaN payloads too */
    else if (n_inputs == 1 && inputs[0].weight == 1 && inputs[0].dtype == DTYPE_F32 &&
             dtype == DTYPE_BF16 && (uintptr_t)inputs[0].values % _Alignof(float) == 0 &&
             (uintptr_t)out % _Alignof(uint16_t) == 0)
        round_alone(&inputs[0], n, best->linear, out);
    else
        best->linear(inputs, n_inputs, n, dtype, out);
}

void combine_linear_run(struct combine_input *inputs, size_t n_inputs, size_t n, enum dtype dtype,
                        void *out)
{
    size_t n_left = 0;

    for (size_t i = 0; i < n_inputs; i++)
        if (inputs[i].weight != 0)
            inputs[n_left++] = inputs[i];
    run_best(inputs, n_left, n, dtype, out);
}

void combine_linear_weighted(const struct combine_call *call, const double *weights,
                             double base_weight, void *out)
{
    size_t n = 0;

    if (call->base) {
        call->spare[n] = *call->base;
        call->spare[n++].weight = base_weight;
    }
    for (size_t i = 0; i < call->n_inputs; i++) {
        call->spare[n] = call->inputs[i];
        call->spare[n++].weight = weights[i];
    }
    combine_linear_run(call->spare, n, call->n, call->out->dtype, out);
}

enum { NORMALIZE };

/* Divided by their sum here and not at the end: so all is rounded once. */
static void normalized(const struct combine_call *call, void *out)
{
    double sum = 0;

    for (size_t i = 0; i < call->n_inputs; i++)
        sum += call->inputs[i].weight;
    for (size_t i = 0; i < call->n_inputs; i++) {
        call->spare[i] = call->inputs[i];
        call->spare[i].weight /= sum;
    }
    combine_linear_run(call->spare, call->n_inputs, call->n, call->out->dtype, out);
}

static void linear(const struct combine_call *call, void *out)
{
    if (call->settings && call->settings[NORMALIZE] != 0)
        normalized(call, out);
    else
        run_best(call->inputs, call->n_inputs, call->n, call->out->dtype, out);
}

static int check(const struct combine_call *call, struct error *err)
{
    return call->settings && call->settings[NORMALIZE] != 0 ? combine_check_sum(call, err) : 0;
}

static const struct combine_parameter parameters[] = {
    {"weight", COMBINE_WEIGHT, COMBINE_NUMBER, .is_required = true,
     .meaning = "how much of the model goes in"},
    {"normalize", COMBINE_ALL, COMBINE_BOOLEAN, .standard = 1,
     .meaning = "divide the weights by their sum"},
};

/* Without settings weights are used as they are. */
const struct combine_method combine_linear = {
    .name = "linear",
    .summary = "the weighted sum of the models",
    .combine = linear,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_INPUT,
    .min_inputs = 1,
    .skips_zero_weights = true,
    .check = check,
};

const struct combine_method combine_convert = {.name = "convert", .combine = linear};
const struct combine_method combine_moe = {.name = "moe", .combine = linear};
