/* combine.c - the mixing methods in plain C, and which version of linear runs.
 *
 * Everything passes through blocks of doubles that stay in the first-level cache. */
#include "combine.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "mix/combine_linear.h"

enum { BLOCK_ITEMS = 512, SCAN_BYTES = 4096 };

static size_t item_bytes(enum dtype dtype)
{
    return dtype_info(dtype)->n_bits / 8;
}

static void read_items(const struct combine_input *input, size_t first, double *out, size_t n)
{
    const char *values = input->values;

    dtype_to_double(input->dtype, values + first * item_bytes(input->dtype), out, n);
}

static void write_items(enum dtype dtype, const double *in, void *out, size_t first, size_t n)
{
    dtype_from_double(dtype, in, (char *)out + first * item_bytes(dtype), n);
}

void combine_linear_plain(const struct combine_input *inputs, size_t n_inputs, size_t first,
                          size_t n, enum dtype out_dtype, void *out)
{
    double sum[BLOCK_ITEMS], x[BLOCK_ITEMS];

    for (; first < n; first += BLOCK_ITEMS) {
        size_t n_items = n - first < BLOCK_ITEMS ? n - first : BLOCK_ITEMS;

        for (size_t i = 0; i < n_inputs; i++) {
            read_items(&inputs[i], first, x, n_items);
            for (size_t k = 0; k < n_items; k++)
                sum[k] = i == 0 ? inputs[i].weight * x[k] : fma(inputs[i].weight, x[k], sum[k]);
        }
        write_items(out_dtype, sum, out, first, n_items);
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
    /* The second also needs F16C, which no processor with AVX2 and FMA lacks and which clang 14
     * cannot ask for. */
    bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");

    *n_versions = !has_avx2 ? 1 : !__builtin_cpu_supports("avx512f") ? 2 : 3;
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

static void linear(const struct combine_call *call, void *out)
{
    size_t n_versions;
    const struct combine_version *best = combine_versions(&n_versions) + n_versions - 1;
    const struct combine_input *inputs = call->inputs;
    enum dtype dtype = call->out->dtype;

    if (call->n_inputs == 1 && inputs[0].weight == 1 && inputs[0].dtype == dtype)
        memcpy(out, inputs[0].values, call->n * item_bytes(dtype)); /* keeps NaN payloads too */
    else
        best->linear(inputs, call->n_inputs, call->n, dtype, out);
}

/* torch computes in double for F64 and in float for all else. We compute in double throughout: the
 * product of two floats is exact there, and rounding their sum to double first, then to float,
 * gives the float sum (53 >= 2 * 24 + 2 bits). Then comes what torch stores in a tensor of
 * `dtype`: what is not F64 has passed through float. */
static void round_as_torch(enum dtype dtype, double *x, size_t n)
{
    unsigned char items[BLOCK_ITEMS * sizeof(double)];

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
    double sum[BLOCK_ITEMS], x[BLOCK_ITEMS];
    enum dtype sum_dtype = inputs[0].dtype, out_dtype = call->out->dtype;

    for (size_t first = 0; first < call->n; first += BLOCK_ITEMS) {
        size_t n_items = call->n - first < BLOCK_ITEMS ? call->n - first : BLOCK_ITEMS;

        read_items(&inputs[0], first, sum, n_items);
        multiply_as_torch(sum_dtype, inputs[0].weight, sum, n_items);
        for (size_t i = 1; i < call->n_inputs; i++) {
            read_items(&inputs[i], first, x, n_items);
            multiply_as_torch(inputs[i].dtype, inputs[i].weight, x, n_items);
            for (size_t k = 0; k < n_items; k++)
                sum[k] += x[k];
            round_as_torch(sum_dtype, sum, n_items);
        }
        round_as_torch(out_dtype, sum, n_items);
        write_items(out_dtype, sum, out, first, n_items);
    }
}

const struct combine_method combine_linear = {.name = "linear", .combine = linear,
                                               .skips_zero_weights = true};
const struct combine_method combine_lm_cocktail = {.name = "lm-cocktail",
                                                    .combine = lm_cocktail};

/* Items of an IEEE-like dtype are special when their magnitude reaches that of Inf (of NaN, in
 * F8_E4M3, which has no Inf). */
struct special {
    uint64_t sign, infinity; /* bits of one item */
    bool has_infinity;
};

static struct special special_of(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_F64: return (struct special){(uint64_t)1 << 63, 0x7FF0000000000000, true};
    case DTYPE_F32: return (struct special){0x80000000, 0x7F800000, true};
    case DTYPE_F16: return (struct special){0x8000, 0x7C00, true};
    case DTYPE_BF16: return (struct special){0x8000, 0x7F80, true};
    case DTYPE_F8_E5M2: return (struct special){0x80, 0x7C, true};
    default: return (struct special){0x80, 0x7F, false};
    }
}

static void count_each(struct special special, const char *values, size_t size, size_t n,
                       size_t *n_nan, size_t *n_inf)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = 0;

        memcpy(&bits, values + i * size, size);
        bits &= special.sign - 1;
        if (bits == special.infinity && special.has_infinity)
            (*n_inf)++;
        else if (bits >= special.infinity)
            (*n_nan)++;
    }
}

/* Whether one of the items in SCAN_BYTES bytes is special. What must be added to Inf to reach the
 * sign bit carries every larger magnitude there too, and no carry leaves an item: so the items are
 * summed by the word, whatever their size. */
static bool has_special(struct special special, const char *values, size_t size)
{
    typedef uint64_t words __attribute__((vector_size(16)));
    uint64_t ones = size == 8 ? 1 : ~(uint64_t)0 / ((special.sign << 1) - 1); /* 1 in each item */
    uint64_t signs = special.sign * ones, step = (special.sign - special.infinity) * ones;
    words some, all = {0};

    for (size_t i = 0; i < SCAN_BYTES; i += sizeof some) {
        memcpy(&some, values + i, sizeof some);
        all |= (some & ~signs) + step;
    }
    return (all[0] | all[1]) & signs;
}

void combine_count_special(enum dtype dtype, const void *values, size_t n, size_t *n_nan,
                           size_t *n_inf)
{
    struct special special = special_of(dtype);
    size_t size = item_bytes(dtype), block = SCAN_BYTES / size;
    const char *bytes = values;

    *n_nan = *n_inf = 0;
    for (; n >= block; n -= block, bytes += block * size)
        if (has_special(special, bytes, size))
            count_each(special, bytes, size, block, n_nan, n_inf);
    count_each(special, bytes, size, n, n_nan, n_inf);
}
