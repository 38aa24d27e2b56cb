#include "math/vector.h"

#include <float.h>
#include <math.h>
#include <stdint.h>

#include "math/random.h"
#include "math/vector_kernels.h"
#include "test.h"

static float float_of_bits(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of_float(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static bool is_same(float a, float b)
{
    return bits_of_float(a) == bits_of_float(b) || (isnan(a) && isnan(b));
}

static bool are_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_same(a[i], b[i]))
            return false;
    return true;
}

/* The distance of y from the exact result in units of the last place of a float near it. */
static double ulps(float y, double exact)
{
    int exponent;

    if (isnan(exact) || isnan(y))
        return isnan(exact) && isnan(y) ? 0 : INFINITY;
    if ((float)exact == y)
        return 0;
    if (isinf(y) && fabs(exact) < FLT_MAX)
        return INFINITY;
    if (isinf(exact))
        return INFINITY;
    frexp(exact, &exponent);
    exponent = exponent < -125 ? -125 : exponent > 128 ? 128 : exponent;
    return fabs((isinf(y) ? copysign(0x1p128, y) : (double)y) - exact) / ldexp(1, exponent - 24);
}

/* All floats but for the lowest bits: each exponent with 2^6 mantissas, both signs; Inf and NaN. */
enum { N_GRID = 1 << 15, STEP_BITS = 17 };

static void fill_grid(float *x)
{
    for (size_t i = 0; i < N_GRID; i++)
        x[i] = float_of_bits((uint32_t)i << STEP_BITS | ((uint32_t)i * 2654435761u >> 15));
    x[0] = 0;
    x[1] = -0.0f;
    x[2] = INFINITY;
    x[3] = -INFINITY;
    x[4] = NAN;
    x[5] = FLT_MAX;
    x[6] = -FLT_MAX;
    x[7] = float_of_bits(1);
}

/* Evenly from -110 to 110, where exponentials are neither 0 nor infinite. */
static void fill_line(float *x)
{
    for (size_t i = 0; i < N_GRID; i++)
        x[i] = ((float)i - N_GRID / 2.0f) * (220.0f / N_GRID);
}

static double normal_distribution(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static double exact_activation(enum activation activation, double x)
{
    if (x == -INFINITY && activation <= ACTIVATION_GELU_QUICK)
        return 0;
    switch (activation) {
    case ACTIVATION_SILU: return x * logistic(x);
    case ACTIVATION_GELU: return x * normal_distribution(x);
    case ACTIVATION_GELU_TANH: /* the same as with tanh, and exact for negative x too */
        return x * logistic(2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x));
    case ACTIVATION_GELU_QUICK: return x * logistic(1.702 * x);
    case ACTIVATION_RELU: return x < 0 ? 0 : x;
    case ACTIVATION_RELU_SQUARED: return x < 0 ? 0 : x * x;
    case ACTIVATION_TANH: return tanh(x);
    case ACTIVATION_SIGMOID: return logistic(x);
    default: return x;
    }
}

/* What vector.h promises. */
static double allowed_ulps(enum activation activation, double x)
{
    if (x < 0 && activation == ACTIVATION_GELU_TANH)
        return 4 - 4 * fmax(1.6 * (x + 0.044715 * x * x * x), -110);
    if (x < 0 && activation == ACTIVATION_GELU_QUICK)
        return 4 - 2 * fmax(1.702 * x, -110);
    return activation == ACTIVATION_GELU ? 5 : 4;
}

static void check_activation(enum activation activation, const float *x, const char *name)
{
    static float y[N_GRID];
    double worst_excess = 0;
    float at = 0;

    vector_activate(activation, x, N_GRID, y);
    for (size_t i = 0; i < N_GRID; i++) {
        double exact = exact_activation(activation, x[i]), error = ulps(y[i], exact);

        if (fabs((double)y[i] - exact) < 1e-42)
            continue;
        if (error - allowed_ulps(activation, x[i]) > worst_excess) {
            worst_excess = error - allowed_ulps(activation, x[i]);
            at = x[i];
        }
    }
    if (worst_excess > 0)
        printf("# %s: %g ulp too many at %g\n", name, worst_excess, (double)at);
    CHECK(worst_excess == 0);
}

static void activations_are_close_to_the_exact_ones(void)
{
    static const char *const names[N_ACTIVATIONS] = {"silu", "gelu", "gelu_tanh", "gelu_quick",
                                                     "relu", "tanh", "sigmoid",   "identity"};
    static float x[N_GRID];

    for (int activation = 0; activation < N_ACTIVATIONS; activation++) {
        fill_grid(x);
        check_activation((enum activation)activation, x, names[activation]);
        fill_line(x);
        check_activation((enum activation)activation, x, names[activation]);
        for (size_t i = 0; i < N_GRID; i++)
            x[i] /= 16;
        check_activation((enum activation)activation, x, names[activation]);
    }
}

static void exponentials_are_close_to_the_exact_ones(void)
{
    static float x[N_GRID], y[N_GRID];
    double worst = 0;

    for (int round = 0; round < 2; round++) {
        if (round == 0)
            fill_grid(x);
        else
            fill_line(x);
        vector_exp(x, 0, N_GRID, y);
        for (size_t i = 0; i < N_GRID; i++)
            worst = fmax(worst, ulps(y[i], exp(x[i])));
    }
    CHECK(worst <= 2);
}

static void exponentials_of_minus_infinity_are_0_and_sums_are_right(void)
{
    static float x[5000], y[5000];
    double sum = 0;
    float found;

    for (size_t i = 0; i < 5000; i++)
        x[i] = i % 3 ? (float)(i % 100) / 7 : -INFINITY;
    found = vector_exp(x, 15, 5000, y);
    for (size_t i = 0; i < 5000; i++) {
        CHECK(i % 3 ? y[i] > 0 : y[i] == 0);
        sum += i % 3 ? exp((double)x[i] - 15) : 0;
    }
    CHECK(fabs(found - sum) < 1e-6 * sum);
    CHECK(vector_exp(x, -INFINITY, 1, y) == 0 && y[0] == 0);
    CHECK(vector_exp(x, 0, 0, NULL) == 0);
    x[1] = NAN;
    CHECK(isnan(vector_exp(x, 15, 5, y)) && isnan(y[1]) && !isnan(y[2]));
}

static void soft_cap_is_a_scaled_tanh(void)
{
    static float x[N_GRID], y[N_GRID];
    double worst = 0;

    fill_grid(x);
    vector_soft_cap(x, 30, N_GRID, y);
    for (size_t i = 0; i < N_GRID; i++)
        worst = fmax(worst, fabs(y[i] - 30 * tanh(x[i] / 30.0)) < 1e-42
                                ? 0 : ulps(y[i], 30 * tanh(x[i] / 30.0)));
    CHECK(worst <= 4);
}

enum { N_MAX = 16384 + 5 };

static void fill_random(float *x, size_t n, uint64_t seed, double mean)
{
    struct random random;

    random_init(&random, seed);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(mean + 2 * random_uniform(&random) - 1);
}

static const size_t lengths[] = {1, 2, 15, 16, 17, 31, 64, 100, 384, 1000, 1024, 1025, 4096, N_MAX};
enum { N_LENGTHS = sizeof lengths / sizeof *lengths };

static void norms_are_right_to_1e_6(void)
{
    static float x[N_MAX], weight[N_MAX], bias[N_MAX], y[N_MAX], z[N_MAX], without[N_MAX];

    fill_random(x, N_MAX, 1, 0.3);
    fill_random(weight, N_MAX, 2, 1);
    fill_random(bias, N_MAX, 3, 0);
    for (size_t l = 0; l < N_LENGTHS; l++) {
        size_t n = lengths[l];
        double mean = 0, squares = 0, variance = 0, worst = 0;

        for (size_t i = 0; i < n; i++) {
            mean += x[i] / (double)n;
            squares += (double)x[i] * x[i] / (double)n;
        }
        for (size_t i = 0; i < n; i++)
            variance += (x[i] - mean) * (x[i] - mean) / (double)n;
        vector_rms_norm(x, weight, 1, 1e-5f, n, y);
        vector_layer_norm(x, weight, bias, 1e-5f, n, z);
        vector_layer_norm(x, weight, NULL, 1e-5f, n, without);
        for (size_t i = 0; i < n; i++) {
            double rms = x[i] / sqrt(squares + 1e-5f) * (weight[i] + 1.0);
            double normed = (x[i] - mean) / sqrt(variance + 1e-5f) * weight[i];

            worst = fmax(worst, fabs(y[i] - rms) / (1 + fabs(rms)));
            worst = fmax(worst, fabs(z[i] - normed - bias[i]) / (1 + fabs(normed)));
            worst = fmax(worst, fabs(without[i] - normed) / (1 + fabs(normed)));
        }
        CHECK(worst < 1e-6);
    }
}

static void logarithms_of_sums_are_right(void)
{
    static float x[N_MAX];

    fill_random(x, N_MAX, 4, 0);
    for (size_t l = 0; l < N_LENGTHS; l++) {
        size_t n = lengths[l];
        double sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i]);
        CHECK(fabs(vector_log_sum_exp(x, n) - log(sum)) < 1e-7);
    }
    for (size_t i = 0; i < 100; i++)
        x[i] = 1000.25f - 11 * (float)i;
    CHECK(fabs(vector_log_sum_exp(x, 100) - 1000.25 - log1p(exp(-11) + exp(-22))) < 1e-9);
    CHECK(vector_log_sum_exp(x, 0) == -INFINITY);
    x[7] = -INFINITY;
    CHECK(fabs(vector_log_sum_exp(x, 20) - 1000.25 - log1p(exp(-11) + exp(-22))) < 1e-9);
    CHECK(vector_log_sum_exp(x + 7, 1) == -INFINITY);
    x[8] = INFINITY;
    CHECK(vector_log_sum_exp(x, 20) == INFINITY);
    x[9] = NAN;
    CHECK(isnan(vector_log_sum_exp(x, 20)));
}

static void the_maximum_sees_each_item_and_each_nan(void)
{
    float x[50] = {0};

    CHECK(vector_max(x, 0) == -INFINITY);
    for (size_t n = 1; n <= 50; n++)
        for (size_t at = 0; at < n; at++) {
            for (size_t i = 0; i < n; i++)
                x[i] = -5 - (float)i;
            x[at] = -1;
            CHECK(vector_max(x, n) == -1);
            x[at] = NAN;
            CHECK(isnan(vector_max(x, n)));
        }
}

static void small_operations_are_exact(void)
{
    enum { N = 77 };
    float x[N], y[N], sum[N], scaled[N], rotated[2 * N], gated[N];

    fill_random(x, N, 8, 0);
    fill_random(y, N, 9, 0);
    memcpy(sum, y, sizeof y);
    vector_add(x, N, sum);
    vector_scale(x, 3, N, scaled);
    memcpy(rotated, x, sizeof x);
    memcpy(rotated + N, y, sizeof y);
    vector_rotate(rotated, y, x, N); /* cosines y, sines x */
    vector_gate(ACTIVATION_RELU, x, y, N, gated);
    for (size_t i = 0; i < N; i++) {
        float products[] = {x[i] * y[i], y[i] * x[i], y[i] * y[i], x[i] * x[i]};

        CHECK(sum[i] == x[i] + y[i]);
        CHECK(scaled[i] == 3 * x[i]);
        CHECK(rotated[i] == products[0] - products[1]);
        CHECK(rotated[N + i] == products[2] + products[3]);
        CHECK(gated[i] == (x[i] < 0 ? 0 : x[i]) * y[i]);
    }
}

static void all_numbers_of_16_bits_are_widened(void)
{
    enum { N = 1 << 16 };
    static unsigned char items[N * 4 + 1];
    static float y[N];
    static double expected[N];
    static const enum dtype dtypes[] = {DTYPE_F16, DTYPE_BF16, DTYPE_F32};

    for (size_t v = 0; vector_version(v); v++)
        for (size_t d = 0; d < 3; d++) {
            bool is_right = true;

            for (uint32_t i = 0; i < N; i++) {
                uint32_t bits = dtypes[d] == DTYPE_F32 ? i * 65537 : i;

                memcpy(items + 1 + i * (d == 2 ? 4 : 2), &bits, d == 2 ? 4 : 2);
            }
            dtype_to_double(dtypes[d], items + 1, expected, N);
            vector_version(v)->widen(dtypes[d], items + 1, N, y); /* not aligned */
            for (size_t i = 0; i < N; i++)
                is_right &= is_same(y[i], (float)expected[i]);
            CHECK(is_right);
            for (size_t n = 0; n < 40; n++) {
                for (size_t i = 0; i < 40; i++)
                    y[i] = -77;
                vector_version(v)->widen(dtypes[d], items + 1, n, y);
                for (size_t i = 0; i < n; i++)
                    CHECK(is_same(y[i], (float)expected[i]));
                CHECK(y[n] == -77);
            }
        }
}

/* Everything that one version computes from x and y, n items each, into out. */
enum { N_RESULTS = 16 + 2 * N_ACTIVATIONS, N_SHORT = 1100 };

static void compute_all(const struct vector_version *version, const float *x, const float *y,
                        size_t n, float out[N_RESULTS][N_SHORT])
{
    size_t k = 0;
    double log_sum;

    for (int a = 0; a < N_ACTIVATIONS; a++) {
        version->activate((enum activation)a, x, n, out[k++]);
        version->gate((enum activation)a, x, y, n, out[k++]);
    }
    version->rms_norm(x, y, 1, 1e-6f, n, out[k++]);
    version->layer_norm(x, y, x, 1e-6f, n, out[k++]);
    version->layer_norm(x, y, NULL, 1e-6f, n, out[k++]);
    memcpy(out[k], y, n * sizeof *y);
    version->add(x, n, out[k++]);
    version->scale(x, 0.7f, n, out[k++]);
    version->soft_cap(x, 2, n, out[k++]);
    out[k + 1][0] = version->exp(x, 1, n, out[k]);
    k += 2;
    out[k++][0] = version->max(x, n);
    log_sum = version->log_sum_exp(x, n);
    memcpy(out[k++], &log_sum, sizeof log_sum);
    memcpy(out[k], x, n * sizeof *x);
    version->rotate(out[k++], y, y, n / 2);
    /* x and y the same array */
    memcpy(out[k], x, n * sizeof *x);
    version->activate(ACTIVATION_GELU, out[k], n, out[k]);
    version->layer_norm(out[k], y, x, 1e-6f, n, out[k]);
    version->exp(out[k], 1, n, out[k]);
}

static void all_versions_give_the_same_bits(void)
{
    static float expected[N_RESULTS][N_SHORT], found[N_RESULTS][N_SHORT], x[N_GRID], y[N_GRID];

    for (size_t i = 0; i < N_GRID; i++)
        y[i] = (float)(i % 97) / 9 - 5;
    for (size_t v = 1; vector_version(v); v++)
        for (size_t round = 0; round < 3; round++) {
            if (round == 0)
                fill_line(x);
            else if (round == 1)
                fill_grid(x);
            else
                fill_random(x, N_GRID, 5, 0);
            for (size_t n = 1; n <= N_SHORT; n += n < 70 ? 1 : 103)
                for (size_t first = 0; first + n <= N_GRID; first += 7001) {
                    bool is_right = true;

                    memset(expected, 0, sizeof expected);
                    memset(found, 0, sizeof found);
                    compute_all(vector_version(0), x + first, y + first, n, expected);
                    compute_all(vector_version(v), x + first, y + first, n, found);
                    for (size_t k = 0; k < N_RESULTS; k++)
                        is_right &= are_same(expected[k], found[k], N_SHORT);
                    if (!is_right)
                        printf("# %s, %zu items from %zu\n", vector_version(v)->name, n, first);
                    CHECK(is_right);
                }
        }
}

TESTS(TEST(activations_are_close_to_the_exact_ones),
      TEST(exponentials_are_close_to_the_exact_ones),
      TEST(exponentials_of_minus_infinity_are_0_and_sums_are_right),
      TEST(soft_cap_is_a_scaled_tanh), TEST(norms_are_right_to_1e_6), TEST(logarithms_of_sums_are_right),
      TEST(the_maximum_sees_each_item_and_each_nan), TEST(small_operations_are_exact),
      TEST(all_numbers_of_16_bits_are_widened), TEST(all_versions_give_the_same_bits))
