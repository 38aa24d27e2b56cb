/* vector_body.h - the functions of vector.h for one width of lanes.h; vector_plain.c,
 * vector_avx2.c and vector_avx512.c include it.
 *
 * What must hold, so that all widths give the same bits: no fused operations but those of
 * lanes_multiply_add, sums in sixteen lanes whatever the width, and the items behind the last full
 * vector computed as one more vector, padded with what adds nothing. */
#ifndef COCKTAIL_VECTOR_BODY_H
#define COCKTAIL_VECTOR_BODY_H

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "math/lanes.h"
#include "math/vector_kernels.h"

enum {
    SUM_LANES = 16,
    PARTS = SUM_LANES / LANES,
    SUM_BLOCK = 1024, /* items added up before their sum is added to the rest: smaller errors */
};

/* -- functions of one vector -- */

LANES_INLINE lanes absolute(lanes x)
{
    return (lanes)((lanes_bits)x & 0x7FFFFFFF);
}

/* NaN stays. */
LANES_INLINE lanes at_most(lanes x, float limit)
{
    return lanes_at_most(x, lanes_set(limit));
}

LANES_INLINE lanes at_least(lanes x, float limit)
{
    return lanes_at_least(x, lanes_set(limit));
}

LANES_INLINE lanes_mask is_below(lanes x, float limit)
{
    return lanes_less(x, lanes_set(limit));
}

#if LANES == 16
/* p 2^n for integers n, rounded once. */
LANES_INLINE lanes scaled(lanes p, lanes n)
{
    return (lanes)_mm512_scalef_ps((__m512)p, (__m512)n);
}
#else
/* 2^n, n in -126 … 127. */
LANES_INLINE lanes power_of_two(lanes_bits n)
{
    return (lanes)((n + 127) << 23);
}

/* In two steps: 2^n alone may be out of range where the product is not. Only the second rounds, as p
 * is near 1. */
LANES_INLINE lanes scaled(lanes p, lanes n)
{
    const lanes to_integer = lanes_set(0x1.8p23f);
    lanes_bits exponent = (lanes_bits)(n + to_integer) - (lanes_bits)to_integer;
    lanes_bits half = (lanes_bits)((lanes_integers)exponent >> 1);

    return p * power_of_two(half) * power_of_two(exponent - half);
}
#endif

/* a b + c, rounded once */
LANES_INLINE lanes fused(lanes a, lanes b, float c)
{
    return lanes_multiply_add(a, b, lanes_set(c));
}

/* exp(x + low), where low is what a float cannot hold of x's last bits. With n the nearest integer
 * to x / ln 2 and r = x - n ln 2, that is 2^n (1 + r + r^2 p(r)). */
LANES_INLINE lanes exponential(lanes x, lanes low)
{
    const float to_integer = 0x1.8p23f; /* added, it leaves no bits for fractions */
    lanes n, r, p;

    x = at_least(at_most(x, 89), -104); /* beyond, it is infinite or 0 */
    n = fused(x, lanes_set(1.44269504f), to_integer) - to_integer;
    r = lanes_multiply_add(n, lanes_set(-0.693359375f), x); /* exact: 9 bits of ln 2, then the others */
    r = lanes_multiply_add(n, lanes_set(2.12194440e-4f), r) + low;
    p = fused(r, lanes_set(0.00139506289f), 0.00836896989f);
    p = fused(p, r, 0.0416662022f);
    p = fused(p, r, 0.166665182f);
    p = fused(p, r, 0.5f);
    p = lanes_multiply_add(p, r * r, r) + 1.0f;
    return scaled(p, n);
}

LANES_INLINE lanes sigmoid(lanes x)
{
    lanes e = exponential(-absolute(x), lanes_set(0));

    return lanes_choose(is_below(x, 0), e, lanes_set(1)) / (e + 1);
}

LANES_INLINE lanes hyperbolic_tangent(lanes x)
{
    lanes size = absolute(x), square = size * size, small, large, p;

    p = fused(square, lanes_set(-0.00571703631f), 0.0206505787f);
    p = fused(p, square, -0.0537434965f);
    p = fused(p, square, 0.133314908f);
    p = fused(p, square, -0.333332837f);
    small = lanes_multiply_add(size, square * p, size);
    large = 1 - 2 / (exponential(size + size, lanes_set(0)) + 1);
    size = lanes_choose(is_below(size, 0.625f), small, large);
    return (lanes)((lanes_bits)size | ((lanes_bits)x & 0x80000000));
}

/* Normal distribution: the part below -a is exp(-a^2 / 2) p(q) / (a + 2), with q = (a - 2) / (a + 2).
 * So nothing cancels for negative x, as it does in 1 + erf(x / sqrt 2). */
LANES_INLINE lanes normal_distribution(lanes x)
{
    lanes a = at_most(absolute(x), 15), r = 1 / (a + 2), q = (a - 2) * r, p, high, low;

    p = fused(q, lanes_set(-7.91776765e-05f), 2.66726111e-05f);
    p = fused(p, q, 0.000726800237f);
    p = fused(p, q, 0.0008892513f);
    p = fused(p, q, -0.00189119985f);
    p = fused(p, q, -0.00675365282f);
    p = fused(p, q, -0.000483238575f);
    p = fused(p, q, 0.036721915f);
    p = fused(p, q, 0.0287984088f);
    p = fused(p, q, -0.331404567f);
    p = fused(p, q, 0.672407985f);
    /* a^2 in two parts: 12 bits squared are exact, and the rest is small. */
    high = (lanes)((lanes_bits)a & 0xFFFFF000);
    low = (a + high) * (a - high);
    p = exponential(high * high * -0.5f, low * -0.5f) * (p * r);
    return lanes_choose(is_below(x, 0), p, 1 - p);
}

/* Products with a factor that vanishes for x = -INFINITY: the limit is -0, not NaN. */
LANES_INLINE lanes finite_below(lanes x)
{
    return at_least(x, -FLT_MAX);
}

LANES_INLINE lanes activation(enum activation activation, lanes x)
{
    switch (activation) {
    case ACTIVATION_SILU: return finite_below(x) * sigmoid(x);
    case ACTIVATION_GELU: return finite_below(x) * normal_distribution(x);
    /* 1 + tanh(u) = 2 sigmoid(2 u) */
    case ACTIVATION_GELU_TANH:
        return finite_below(x) * sigmoid(x * (x * x * 0.0713548128f + 1.59576912f));
    case ACTIVATION_GELU_QUICK: return finite_below(x) * sigmoid(x * 1.702f);
    case ACTIVATION_RELU: return at_least(x, 0);
    case ACTIVATION_RELU_SQUARED: return at_least(x, 0) * at_least(x, 0);
    case ACTIVATION_TANH: return hyperbolic_tangent(x);
    case ACTIVATION_SIGMOID: return sigmoid(x);
    default: return x;
    }
}

/* -- functions of arrays, item by item -- */

enum operation {
    RMS_NORM = N_ACTIVATIONS, /* x b (u + a); below are the activations */
    LAYER_NORM,               /* (x - a) b u + v */
    SHIFT_NORM,               /* (x - a) b u */
    ADD,                      /* x + u */
    SCALE,                    /* x a */
    SOFT_CAP,                 /* a tanh(x / a) */
};

LANES_INLINE lanes apply(int operation, lanes x, lanes u, lanes v, float a, float b)
{
    switch (operation) {
    case RMS_NORM: return x * b * (u + a);
    case LAYER_NORM: return (x - a) * b * u + v;
    case SHIFT_NORM: return (x - a) * b * u;
    case ADD: return x + u;
    case SCALE: return x * a;
    case SOFT_CAP: return hyperbolic_tangent(x / a) * a;
    default: return activation((enum activation)operation, x);
    }
}

/* y = apply(x, u, v); u and v may be NULL. Activations are multiplied by u where it is there.
 * `operation` is constant in every call, so each becomes a loop without branches. */
LANES_INLINE void map(int operation, const float *x, const float *u, const float *v, float a,
                      float b, size_t n, float *y)
{
    bool is_gate = operation < N_ACTIVATIONS && u;
    lanes zero = {0}, result;
    size_t i = 0;

    for (; n - i >= LANES; i += LANES) {
        lanes up = u ? lanes_load(u + i) : zero;

        result = apply(operation, lanes_load(x + i), up, v ? lanes_load(v + i) : zero, a, b);
        lanes_store(is_gate ? result * up : result, y + i);
    }
    if (i < n) {
        lanes up = u ? lanes_load_some(u + i, n - i, 0) : zero;

        result = apply(operation, lanes_load_some(x + i, n - i, 0), up,
                       v ? lanes_load_some(v + i, n - i, 0) : zero, a, b);
        lanes_store_some(is_gate ? result * up : result, n - i, y + i);
    }
}

LANES_INLINE void activate_or_gate(enum activation activation, const float *gate,
                                   const float *up, size_t n, float *y)
{
#define MAP(name) case name: map(name, gate, up, NULL, 0, 0, n, y); break
    switch (activation) {
    MAP(ACTIVATION_SILU);
    MAP(ACTIVATION_GELU);
    MAP(ACTIVATION_GELU_TANH);
    MAP(ACTIVATION_GELU_QUICK);
    MAP(ACTIVATION_RELU);
    MAP(ACTIVATION_RELU_SQUARED);
    MAP(ACTIVATION_TANH);
    MAP(ACTIVATION_SIGMOID);
    default: map(ACTIVATION_IDENTITY, gate, up, NULL, 0, 0, n, y);
    }
#undef MAP
}

LANES_TARGET static void activate(enum activation activation, const float *x, size_t n, float *y)
{
    activate_or_gate(activation, x, NULL, n, y);
}

LANES_TARGET static void gate(enum activation activation, const float *gate, const float *up,
                              size_t n, float *y)
{
    activate_or_gate(activation, gate, up, n, y);
}

LANES_TARGET static void add(const float *x, size_t n, float *y)
{
    map(ADD, x, y, NULL, 0, 0, n, y);
}

LANES_TARGET static void scale(const float *x, float factor, size_t n, float *y)
{
    map(SCALE, x, NULL, NULL, factor, 0, n, y);
}

LANES_TARGET static void soft_cap(const float *x, float cap, size_t n, float *y)
{
    map(SOFT_CAP, x, NULL, NULL, cap, 0, n, y);
}

LANES_TARGET static void rotate(float *x, const float *cosines, const float *sines,
                                size_t n_pairs)
{
    float *y = x + n_pairs;
    size_t i = 0;

    for (; n_pairs - i >= LANES; i += LANES) {
        lanes a = lanes_load(x + i), b = lanes_load(y + i);
        lanes cosine = lanes_load(cosines + i), sine = lanes_load(sines + i);

        lanes_store(a * cosine - b * sine, x + i);
        lanes_store(b * cosine + a * sine, y + i);
    }
    for (; i < n_pairs; i++) {
        float a = x[i], b = y[i];

        x[i] = a * cosines[i] - b * sines[i];
        y[i] = b * cosines[i] + a * sines[i];
    }
}

LANES_INLINE lanes load_16_bits(enum dtype dtype, const char *bytes)
{
    return dtype == DTYPE_F16 ? lanes_load_f16(bytes) : lanes_load_bf16(bytes);
}

LANES_INLINE void widen_16_bits(enum dtype dtype, const char *bytes, size_t n, float *y)
{
    size_t i = 0;

    for (; n - i >= LANES; i += LANES)
        lanes_store(load_16_bits(dtype, bytes + i * 2), y + i);
    if (i < n) {
        char items[LANES * 2] = {0};
        lanes x;

        memcpy(items, bytes + i * 2, (n - i) * 2);
        x = load_16_bits(dtype, items);
        memcpy(y + i, &x, (n - i) * sizeof *y);
    }
}

LANES_TARGET static void widen(enum dtype dtype, const void *x, size_t n, float *y)
{
    if (dtype == DTYPE_F16)
        widen_16_bits(DTYPE_F16, x, n, y);
    else if (dtype == DTYPE_BF16)
        widen_16_bits(DTYPE_BF16, x, n, y);
    else if (n > 0)
        memcpy(y, x, n * sizeof *y);
}

/* -- sums -- */

/* In pairs: the same order for all widths. */
LANES_INLINE float add_lanes(const lanes *sums)
{
    float __attribute__((vector_size(16))) fours[SUM_LANES / 4];

    memcpy(fours, sums, sizeof fours);
    fours[0] = (fours[0] + fours[2]) + (fours[1] + fours[3]);
    return (fours[0][0] + fours[0][2]) + (fours[0][1] + fours[0][3]);
}

enum term { VALUE, SQUARE, PRODUCT };

LANES_INLINE lanes term_of(enum term term, lanes x, lanes y, float shift)
{
    switch (term) {
    case VALUE: return x;
    case SQUARE: return (x - shift) * (x - shift);
    default: return x * y;
    }
}

/* Adds the terms of n items, a multiple of SUM_LANES. */
LANES_INLINE void add_terms(enum term term, const float *x, const float *y, float shift, size_t n,
                            lanes *sums)
{
    lanes some[PARTS] = {0};

    for (size_t i = 0; i < n; i += SUM_LANES) {
        LANES_UNROLL
        for (size_t part = 0; part < PARTS; part++) {
            size_t at = i + part * LANES;

            some[part] += term_of(term, lanes_load(x + at), lanes_load(y + at), shift);
        }
    }
    for (size_t part = 0; part < PARTS; part++)
        sums[part] += some[part];
}

/* The sum of x, of (x - shift)^2, or of x y; without another factor y is x. */
LANES_INLINE float sum(enum term term, const float *x, const float *y, float shift, size_t n)
{
    size_t n_full = n / SUM_LANES * SUM_LANES;
    lanes sums[PARTS] = {0};

    for (size_t i = 0; i < n_full; i += SUM_BLOCK) {
        size_t n_items = n_full - i < SUM_BLOCK ? n_full - i : SUM_BLOCK;

        add_terms(term, x + i, y + i, shift, n_items, sums);
    }
    if (n_full < n) {
        float last_x[SUM_LANES], last_y[SUM_LANES] = {0};

        for (size_t i = 0; i < SUM_LANES; i++)
            last_x[i] = n_full + i < n ? x[n_full + i] : shift;
        memcpy(last_y, y + n_full, (n - n_full) * sizeof *y);
        add_terms(term, last_x, last_y, shift, SUM_LANES, sums);
    }
    return add_lanes(sums);
}

LANES_TARGET static void rms_norm(const float *x, const float *weight, float offset, float eps,
                                  size_t n, float *y)
{
    float mean = sum(SQUARE, x, x, 0, n) / (float)n;

    map(RMS_NORM, x, weight, NULL, offset, 1 / sqrtf(mean + eps), n, y);
}

LANES_TARGET static void layer_norm(const float *x, const float *weight, const float *bias,
                                    float eps, size_t n, float *y)
{
    float mean = sum(VALUE, x, x, 0, n) / (float)n;
    float variance = sum(SQUARE, x, x, mean, n) / (float)n;
    float factor = 1 / sqrtf(variance + eps);

    if (bias)
        map(LAYER_NORM, x, weight, bias, mean, factor, n, y);
    else
        map(SHIFT_NORM, x, weight, NULL, mean, factor, n, y);
}

/* -- softmax -- */

LANES_TARGET static float max(const float *x, size_t n)
{
    lanes largest = lanes_set(-INFINITY);
    lanes_mask is_nan = lanes_is_nan(largest);
    float each[LANES];

    for (size_t i = 0; i < n; i += LANES) {
        lanes all = n - i >= LANES ? lanes_load(x + i) : lanes_load_some(x + i, n - i, -INFINITY);

        largest = lanes_at_least(largest, all);
        is_nan |= lanes_is_nan(all);
    }
    memcpy(each, &largest, sizeof each);
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t k = 0; k < half; k++)
            each[k] = each[k + half] > each[k] ? each[k + half] : each[k];
    return lanes_any(is_nan) ? NAN : each[0] + 0.0f; /* one zero, whichever came first */
}

LANES_INLINE lanes exp_below(lanes x, float max)
{
    lanes_mask is_nothing = is_below(x, -FLT_MAX); /* also where max is -INFINITY */

    return lanes_choose(is_nothing, lanes_set(0), exponential(x - max, lanes_set(0)));
}

LANES_INLINE void exp_block(const float *x, float max, float *y, lanes *sums)
{
    LANES_UNROLL
    for (size_t part = 0; part < PARTS; part++) {
        lanes e = exp_below(lanes_load(x + part * LANES), max);

        sums[part] += e;
        lanes_store(e, y + part * LANES);
    }
}

LANES_TARGET static float exp_and_sum(const float *x, float max, size_t n, float *y)
{
    size_t n_full = n / SUM_LANES * SUM_LANES;
    lanes sums[PARTS] = {0};

    for (size_t first = 0; first < n_full; first += SUM_BLOCK) {
        size_t end = n_full - first < SUM_BLOCK ? n_full : first + SUM_BLOCK;
        lanes some[PARTS] = {0};

        for (size_t i = first; i < end; i += SUM_LANES)
            exp_block(x + i, max, y + i, some);
        for (size_t part = 0; part < PARTS; part++)
            sums[part] += some[part];
    }
    for (size_t part = 0; part < PARTS && n_full < n; part++, n_full += LANES) {
        size_t n_some = n - n_full < LANES ? n - n_full : LANES;
        lanes e = exp_below(lanes_load_some(x + n_full, n_some, -INFINITY), max);

        sums[part] += e;
        lanes_store_some(e, n_some, y + n_full);
    }
    return add_lanes(sums);
}

/* exp(x - max), with what the subtraction rounds away. */
LANES_INLINE lanes exp_of_difference(lanes x, float max)
{
    lanes difference = x - max, back = difference - x;
    lanes low = (x - (difference - back)) - (max + back);

    low = lanes_choose(lanes_less(lanes_set(-104), difference), low, lanes_set(0));
    return exponential(difference, low);
}

LANES_TARGET static double log_sum_exp(const float *x, size_t n)
{
    float largest = max(x, n);
    double sums[SUM_LANES] = {0}, total = 0;

    if (!isfinite(largest))
        return largest;
    for (size_t first = 0; first < n; first += SUM_LANES) {
        float each[SUM_LANES];
        size_t n_items = n - first < SUM_LANES ? n - first : SUM_LANES;

        for (size_t i = n_items; i < SUM_LANES; i++)
            each[i] = -INFINITY;
        memcpy(each, x + first, n_items * sizeof *x);
        for (size_t i = 0; i < SUM_LANES; i += LANES)
            lanes_store(exp_of_difference(lanes_load(each + i), largest), each + i);
        for (size_t i = 0; i < SUM_LANES; i++)
            sums[i] += each[i];
    }
    for (size_t i = 0; i < SUM_LANES; i++)
        total += sums[i];
    return largest + log(total);
}

const struct vector_version LANES_NAME(vector) = {
    .name = LANES_VERSION,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .activate = activate,
    .gate = gate,
    .add = add,
    .scale = scale,
    .soft_cap = soft_cap,
    .max = max,
    .exp = exp_and_sum,
    .log_sum_exp = log_sum_exp,
    .rotate = rotate,
    .widen = widen,
};

#endif
