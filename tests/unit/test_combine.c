#include "mix/combine.h"

#include <math.h>
#include <stdint.h>

#include "mix/combine_linear.h"
#include "test.h"

static const enum dtype mixable[] = {DTYPE_F32,     DTYPE_F16,     DTYPE_BF16,
                                     DTYPE_F8_E4M3, DTYPE_F8_E5M2, DTYPE_F64};
enum { N_MIXABLE = sizeof mixable / sizeof *mixable, N_COMMON = 3, N_16_BITS = 1 << 16 };

static size_t item_bytes(enum dtype dtype)
{
    return dtype_info(dtype)->n_bits / 8;
}

/* splitmix64, so that every run sees the same numbers. */
static uint64_t random_bits(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static bool is_nan(enum dtype dtype, const void *item)
{
    double value;

    dtype_to_double(dtype, item, &value, 1);
    return isnan(value);
}

/* The same bits, or both NaN. */
static bool same_items(enum dtype dtype, const void *a, const void *b, size_t n)
{
    size_t size = item_bytes(dtype);
    const char *x = a, *y = b;

    for (size_t i = 0; i < n; i++)
        if (memcmp(x + i * size, y + i * size, size) != 0 &&
            !(is_nan(dtype, x + i * size) && is_nan(dtype, y + i * size)))
            return false;
    return true;
}

/* 70 items behind up to 7 bytes of offset. */
enum { N_MAX = 70, BYTES_MAX = N_MAX * 8 + 8 };

/* Fills with random bits, half of the items with magnitudes near one another, so that sums meet
 * halfway cases and cancel, and some special or subnormal. */
static void fill(enum dtype dtype, unsigned char *bytes, size_t n, uint64_t *state)
{
    for (size_t i = 0; i < n; i++, bytes += item_bytes(dtype)) {
        uint64_t bits = random_bits(state);
        double value;

        switch (random_bits(state) % 8) {
        case 0: value = 0; break;
        case 1: value = INFINITY; break;
        case 2: value = ldexp((double)(bits >> 32), -32 - 126); break;
        case 3: value = ldexp((double)(bits >> 32), -32 - 14); break;
        case 4:
        case 5: value = 1 + (double)(bits >> 56) / 128; break;
        default: memcpy(bytes, &bits, item_bytes(dtype)); continue;
        }
        if (bits & 1)
            value = -value;
        dtype_from_double(dtype, &value, bytes, 1);
    }
}

static void combine(const struct combine_method *method, const struct combine_input *inputs,
                    size_t n_inputs, size_t n, enum dtype dtype, void *out)
{
    struct output_tensor tensor = {.name = "w", .dtype = dtype, .n_items = n};

    method->combine(&(struct combine_call){.out = &tensor, .inputs = inputs, .n_inputs = n_inputs,
                                           .n = n}, out);
}

/* All versions, on all lengths and some offsets, against plain, to the last byte around `out`. */
static void check_versions(struct combine_input *inputs, size_t n_inputs, enum dtype out_dtype,
                           uint64_t *state)
{
    static unsigned char values[3][BYTES_MAX], expected[BYTES_MAX], found[BYTES_MAX];
    size_t n_versions;
    const struct combine_version *versions = combine_versions(&n_versions);

    for (size_t n = 0; n <= N_MAX; n++) {
        size_t offset = random_bits(state) % 8, out_offset = random_bits(state) % 8;

        for (size_t i = 0; i < n_inputs; i++) {
            fill(inputs[i].dtype, values[i] + offset, n, state);
            inputs[i].values = values[i] + offset;
        }
        memset(expected, 0xA5, sizeof expected);
        versions[0].linear(inputs, n_inputs, n, out_dtype, expected + out_offset);
        for (size_t v = 1; v < n_versions; v++) {
            memset(found, 0xA5, sizeof found);
            versions[v].linear(inputs, n_inputs, n, out_dtype, found + out_offset);
            if (memcmp(expected, found, sizeof found) != 0) {
                printf("# %s, %zu items, %zu inputs, to %s\n", versions[v].name, n, n_inputs,
                       dtype_info(out_dtype)->name);
                CHECK(false);
            }
        }
    }
}

static void all_versions_give_the_same_bytes(void)
{
    static const double weights[][3] = {
        {0.5, 0.5, 0.5}, {0.3, 0.7, 1e-9},       {1.5, -0.5, 0x1p-40},
        {1, 1, 1},       {1e300, 1e-300, -1e300}};
    uint64_t state = 3;

    for (size_t w = 0; w < sizeof weights / sizeof *weights; w++)
        for (size_t o = 0; o < N_COMMON; o++)
            for (size_t a = 0; a < N_COMMON; a++)
                for (size_t b = 0; b < N_COMMON; b++)
                    for (size_t c = 0; c < N_COMMON; c++) {
                        struct combine_input inputs[] = {{NULL, mixable[a], weights[w][0], NULL},
                                                         {NULL, mixable[b], weights[w][1], NULL},
                                                         {NULL, mixable[c], weights[w][2], NULL}};

                        check_versions(inputs, 1 + (a + b + c) % 3, mixable[o], &state);
                        check_versions(inputs, 3, mixable[o], &state);
                    }
}

/* What the fast versions leave to the plain one. */
static void all_versions_take_all_dtypes(void)
{
    uint64_t state = 4;

    for (size_t o = 0; o < N_MIXABLE; o++)
        for (size_t a = 0; a < N_MIXABLE; a++)
            for (size_t b = 0; b < N_MIXABLE; b++) {
                struct combine_input inputs[] = {{NULL, mixable[a], 0.25, NULL},
                                                 {NULL, mixable[b], 0.75, NULL}};

                check_versions(inputs, 2, mixable[o], &state);
            }
}

/* Every finite double between two values of a 16-bit dtype must round alike everywhere: all
 * midpoints, and what lies just beside them, by a weight on a second input. */
static void all_versions_round_alike_at_every_midpoint(void)
{
    static uint16_t lower[N_16_BITS], upper[N_16_BITS], expected[N_16_BITS], found[N_16_BITS];
    static float one[N_16_BITS];
    static const double beside[] = {0, 0x1p-200, -0x1p-200, 0x1p-60, -0x1p-60, 0x1p-30, -0x1p-30};
    size_t n_versions;
    const struct combine_version *versions = combine_versions(&n_versions);

    for (unsigned i = 0; i < N_16_BITS; i++) {
        lower[i] = (uint16_t)i;
        upper[i] = (uint16_t)(i + 1);
        one[i] = i % 2 ? 1 : 0x1p-100f;
    }
    for (size_t d = 1; d < N_COMMON; d++)
        for (size_t w = 0; w < sizeof beside / sizeof *beside; w++) {
            struct combine_input inputs[] = {
                {lower, mixable[d], 0.5, NULL}, {upper, mixable[d], 0.5, NULL},
                {one, DTYPE_F32, beside[w], NULL}};

            versions[0].linear(inputs, 3, N_16_BITS, mixable[d], expected);
            for (size_t v = 1; v < n_versions; v++) {
                versions[v].linear(inputs, 3, N_16_BITS, mixable[d], found);
                CHECK(memcmp(expected, found, sizeof found) == 0);
            }
        }
}

static const struct {
    size_t n;
    double weights[10];
} mixtures[] = {
    {2, {0.3, 0.7}},
    {2, {0.5, 0.5}},
    {3, {1.0 / 3, 1.0 / 3, 1.0 / 3}},
    {10, {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}},
    {4, {0.999, 0.0004, 0.0003, 0.0003}},
};

/* The mixture of n copies of `values` is `values`, a NaN some NaN, with all versions. */
static void check_idempotence(enum dtype dtype, const void *values, size_t n, void *scratch)
{
    size_t n_versions;
    const struct combine_version *versions = combine_versions(&n_versions);

    for (size_t m = 0; m < sizeof mixtures / sizeof *mixtures; m++)
        for (size_t v = 0; v < n_versions; v++) {
            struct combine_input inputs[10];

            for (size_t i = 0; i < mixtures[m].n; i++)
                inputs[i] = (struct combine_input){values, dtype, mixtures[m].weights[i], NULL};
            versions[v].linear(inputs, mixtures[m].n, n, dtype, scratch);
            CHECK(same_items(dtype, values, scratch, n));
        }
}

static void a_mixed_with_itself_is_a(void)
{
    static uint16_t all_16_bits[N_16_BITS], mixed_16_bits[N_16_BITS];
    static uint32_t some_32_bits[N_16_BITS], mixed_32_bits[N_16_BITS];
    unsigned char all_8_bits[256], mixed_8_bits[256];
    uint64_t state = 5;

    for (unsigned i = 0; i < N_16_BITS; i++) {
        all_16_bits[i] = (uint16_t)i;
        /* One in eight is subnormal. */
        some_32_bits[i] = (uint32_t)random_bits(&state) & (i % 8 ? 0xFFFFFFFF : 0x807FFFFF);
        all_8_bits[i % 256] = (unsigned char)i;
    }
    check_idempotence(DTYPE_BF16, all_16_bits, N_16_BITS, mixed_16_bits);
    check_idempotence(DTYPE_F16, all_16_bits, N_16_BITS, mixed_16_bits);
    check_idempotence(DTYPE_F32, some_32_bits, N_16_BITS, mixed_32_bits);
    check_idempotence(DTYPE_F8_E4M3, all_8_bits, 256, mixed_8_bits);
    check_idempotence(DTYPE_F8_E5M2, all_8_bits, 256, mixed_8_bits);
}

static void weight_one_keeps_every_byte(void)
{
    static uint16_t values[N_16_BITS], mixed[N_16_BITS];
    static const enum dtype dtypes[] = {DTYPE_F64,  DTYPE_F32,     DTYPE_F16,
                                        DTYPE_BF16, DTYPE_F8_E4M3, DTYPE_F8_E5M2};

    for (unsigned i = 0; i < N_16_BITS; i++)
        values[i] = (uint16_t)i;
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
        struct combine_input input = {values, dtypes[d], 1, NULL};
        size_t n_versions;
        const struct combine_version *versions = combine_versions(&n_versions);
        size_t n = sizeof values / item_bytes(dtypes[d]);

        memset(mixed, 0, sizeof mixed);
        combine(&combine_linear, &input, 1, n, dtypes[d], mixed); /* payloads of NaN too */
        CHECK(memcmp(values, mixed, sizeof mixed) == 0);
        for (size_t v = 0; v < n_versions; v++) {
            versions[v].linear(&input, 1, n, dtypes[d], mixed);
            CHECK(same_items(dtypes[d], values, mixed, n));
        }
    }
}

/* F32 alone, which is rounded without doubles: the bytes of the plain version, of all lengths, at any place. */
static void weight_one_is_rounded_as_a_sum(void)
{
    enum { N = 3000 };
    unsigned char values[N * 4 + 8], found[N * 2 + 8], expected[N * 2 + 8];
    uint64_t state = 9;
    size_t n_versions;
    const struct combine_version *versions = combine_versions(&n_versions);

    for (size_t n = 0; n < N; n = n * 3 / 2 + 1)
        for (size_t offset = 0; offset < 6; offset++) {
            struct combine_input input = {values + offset, DTYPE_F32, 1, NULL};

            fill(DTYPE_F32, values + offset, n, &state);
            memset(found, 0x5A, sizeof found);
            memset(expected, 0x5A, sizeof expected);
            combine(&combine_linear, &input, 1, n, DTYPE_BF16, found + offset / 2);
            versions[0].linear(&input, 1, n, DTYPE_BF16, expected + offset / 2);
            CHECK(memcmp(found, expected, sizeof found) == 0);
        }
}

/* 1/2 * 1 + 1/2 * (1 + 2^-7) lies halfway between two BF16, and goes to the even one, 1. A third
 * model adds 2^-40 of 1, which float32 would lose: then the upper one is nearest. */
static void a_sum_is_rounded_once(void)
{
    size_t n_versions;
    const struct combine_version *versions = combine_versions(&n_versions);

    for (size_t v = 0; v < n_versions; v++) {
        uint16_t a[16], b[16], out[16];
        struct combine_input inputs[] = {
            {a, DTYPE_BF16, 0.5, NULL}, {b, DTYPE_BF16, 0.5, NULL},
            {a, DTYPE_BF16, 0x1p-40, NULL}};

        for (size_t i = 0; i < 16; i++) {
            a[i] = 0x3F80;
            b[i] = 0x3F81;
        }
        versions[v].linear(inputs, 2, 16, DTYPE_BF16, out);
        CHECK(out[0] == 0x3F80 && out[15] == 0x3F80);
        versions[v].linear(inputs, 3, 16, DTYPE_BF16, out);
        CHECK(out[0] == 0x3F81 && out[15] == 0x3F81);
    }
}

/* fma(0.7, b, 0.3 * a), worked out with Python's fractions; two products and a sum would give
 * 0x1.3333333333332p+1 and 0x1.f99999999999ap+1. */
static void the_first_is_a_product_the_others_are_fused(void)
{
    double a[] = {1, 1.5}, b[] = {3, 5}, out[2];
    struct combine_input inputs[] = {{a, DTYPE_F64, 0.3, NULL}, {b, DTYPE_F64, 0.7, NULL}};

    combine(&combine_linear, inputs, 2, 2, DTYPE_F64, out);
    CHECK(out[0] == 0x1.3333333333333p+1);
    CHECK(out[1] == 0x1.f999999999999p+1);
}

static void nan_and_inf_propagate(void)
{
    size_t n_versions;
    const struct combine_version *versions = combine_versions(&n_versions);
    /* NaN with a payload, Inf, Inf - Inf, an overflow, -0 and -0. */
    float a[16] = {0, INFINITY, INFINITY, 3e38f, -0.0f}, b[16] = {1, 1, -INFINITY, 3e38f, -0.0f};
    uint32_t nan = 0xFFABCDEF;

    memcpy(a, &nan, sizeof nan);
    for (size_t v = 0; v < n_versions; v++) {
        struct combine_input inputs[] = {{a, DTYPE_F32, 0.75, NULL}, {b, DTYPE_F32, 0.75, NULL}};
        uint16_t out[16];
        uint32_t wide[16];

        versions[v].linear(inputs, 2, 16, DTYPE_BF16, out);
        CHECK(out[0] == 0x7FC0 && out[1] == 0x7F80 && out[2] == 0x7FC0);
        CHECK(out[3] == 0x7F80 && out[4] == 0x8000);
        versions[v].linear(inputs, 2, 16, DTYPE_F16, out);
        CHECK(out[0] == 0x7E00 && out[1] == 0x7C00 && out[2] == 0x7E00);
        CHECK(out[3] == 0x7C00 && out[4] == 0x8000);
        versions[v].linear(inputs, 2, 16, DTYPE_F32, wide);
        CHECK(wide[0] == 0x7FC00000 && wide[1] == 0x7F800000 && wide[2] == 0x7FC00000);
        CHECK(wide[3] == 0x7F800000 && wide[4] == 0x80000000);
    }
}

enum { N_GOLDEN = 4 };

/* Reads "DTYPE" and the bits of four values; *is_nan where the text says "nan". */
static enum dtype read_items(char **rest, unsigned char *bytes, double *weight, bool *is_nan)
{
    const char *name = strtok_r(NULL, " \n", rest);
    enum dtype dtype = DTYPE_BOOL;

    CHECK(name && !dtype_find(name, strlen(name), &dtype));
    if (weight)
        *weight = strtod(strtok_r(NULL, " \n", rest), NULL);
    for (size_t i = 0; i < N_GOLDEN; i++) {
        const char *text = strtok_r(NULL, " \n", rest);
        uint64_t bits = text ? strtoull(text, NULL, 16) : 0;

        CHECK(text);
        memcpy(bytes + i * item_bytes(dtype), &bits, item_bytes(dtype));
        if (is_nan)
            is_nan[i] = text && strcmp(text, "nan") == 0;
    }
    return dtype;
}

static void lm_cocktail_computes_as_torch(void)
{
    FILE *file = fopen("fixtures/combine_lm_cocktail.txt", "r");
    char line[1024];
    size_t n_cases = 0;

    CHECK(file);
    while (file && fgets(line, sizeof line, file)) {
        unsigned char values[4][N_GOLDEN * 8], expected[N_GOLDEN * 8], found[N_GOLDEN * 8];
        struct combine_input inputs[4];
        bool expects_nan[N_GOLDEN];
        char *rest;
        size_t n_inputs = strtoull(strtok_r(line, " \n", &rest), NULL, 10), size;
        enum dtype dtype;

        if (line[0] == '#')
            continue;
        for (size_t i = 0; i < n_inputs; i++) {
            inputs[i].dtype = read_items(&rest, values[i], &inputs[i].weight, NULL);
            inputs[i].values = values[i];
        }
        dtype = read_items(&rest, expected, NULL, expects_nan);
        combine(&combine_lm_cocktail, inputs, n_inputs, N_GOLDEN, dtype, found);
        size = item_bytes(dtype);
        for (size_t i = 0; i < N_GOLDEN; i++)
            if (expects_nan[i])
                CHECK(is_nan(dtype, found + i * size));
            else
                CHECK(memcmp(expected + i * size, found + i * size, size) == 0);
        n_cases++;
    }
    CHECK(n_cases >= 30);
    if (file)
        fclose(file);
}

/* Longer than one block, and the same as item by item. */
static void lm_cocktail_does_not_depend_on_the_length(void)
{
    enum { N = 1500 };
    static unsigned char a[N * 2], b[N * 4], whole[N * 2], single[N * 2];
    uint64_t state = 6;
    struct combine_input inputs[] = {{a, DTYPE_F16, 0.4, NULL}, {b, DTYPE_F32, 0.6, NULL}};

    fill(DTYPE_F16, a, N, &state);
    fill(DTYPE_F32, b, N, &state);
    combine(&combine_lm_cocktail, inputs, 2, N, DTYPE_BF16, whole);
    for (size_t i = 0; i < N; i++) {
        inputs[0].values = a + i * 2;
        inputs[1].values = b + i * 4;
        combine(&combine_lm_cocktail, inputs, 2, 1, DTYPE_BF16, single + i * 2);
    }
    CHECK(memcmp(whole, single, sizeof whole) == 0);
}

static void methods_are_found_by_name(void)
{
    size_t n_methods;
    const struct combine_method *const *methods = combine_methods(&n_methods);

    CHECK(combine_method_find("linear") == &combine_linear);
    CHECK(combine_method_find("lm-cocktail") == &combine_lm_cocktail);
    CHECK(!combine_method_find("") && !combine_method_find("linea"));
    CHECK(n_methods >= 2 && methods[0] == &combine_linear);
    for (size_t i = 0; i < n_methods; i++) {
        CHECK(combine_method_find(methods[i]->name) == methods[i]); /* no name occurs twice */
        CHECK(methods[i]->combine != NULL);
    }
    CHECK(combine_lm_cocktail.sum == COMBINE_SUM_AS_GIVEN && combine_linear.sum == COMBINE_SUM_ONE);
}

TESTS(TEST(all_versions_give_the_same_bytes), TEST(all_versions_take_all_dtypes),
      TEST(all_versions_round_alike_at_every_midpoint), TEST(a_mixed_with_itself_is_a),
      TEST(weight_one_keeps_every_byte), TEST(weight_one_is_rounded_as_a_sum),
      TEST(a_sum_is_rounded_once),
      TEST(the_first_is_a_product_the_others_are_fused), TEST(nan_and_inf_propagate),
      TEST(lm_cocktail_computes_as_torch), TEST(lm_cocktail_does_not_depend_on_the_length),
      TEST(methods_are_found_by_name))
