/* vector.h - what happens between matrix products: norms, activations, softmax.
 *
 * All in float. Sums run in sixteen lanes that are added in one fixed order, so that every version
 * (plain C, AVX2, AVX-512) gives the same bits. Functions are within 4 units in the last place of
 * the exact ones, GELU within 5, also where they vanish; there GELU_TANH and GELU_QUICK lose more,
 * 4 units times the magnitude of the exponent (2 for the latter). Where a factor is subnormal
 * another 1e-42 may be missing. The limits at -INFINITY and INFINITY are right. x and y may be the
 * same array. NaN in gives NaN out. */
#ifndef COCKTAIL_VECTOR_H
#define COCKTAIL_VECTOR_H

#include <stddef.h>

#include "tensor/dtype.h"

enum activation {
    ACTIVATION_SILU,      /* x sigmoid(x) */
    ACTIVATION_GELU,      /* exact: 0.5 x (1 + erf(x / sqrt 2)) */
    ACTIVATION_GELU_TANH, /* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
    ACTIVATION_GELU_QUICK, /* x sigmoid(1.702 x) */
    ACTIVATION_RELU,
    ACTIVATION_RELU_SQUARED,
    ACTIVATION_TANH,
    ACTIVATION_SIGMOID,
    ACTIVATION_IDENTITY,
    N_ACTIVATIONS,
};

/* y = x / sqrt(mean(x^2) + eps) * (weight + offset); offset is 1 for Gemma, else 0. */
void vector_rms_norm(const float *x, const float *weight, float offset, float eps, size_t n,
                     float *y);
/* y = (x - mean) / sqrt(variance + eps) * weight + bias; bias may be NULL. */
void vector_layer_norm(const float *x, const float *weight, const float *bias, float eps, size_t n,
                       float *y);

/* y = f(x) */
void vector_activate(enum activation activation, const float *x, size_t n, float *y);
/* y = f(gate) * up */
void vector_gate(enum activation activation, const float *gate, const float *up, size_t n,
                 float *y);

/* y = x + y */
void vector_add(const float *x, size_t n, float *y);
/* y = factor * x */
void vector_scale(const float *x, float factor, size_t n, float *y);
/* y = cap * tanh(x / cap) */
void vector_soft_cap(const float *x, float cap, size_t n, float *y);

/* The largest of x; -INFINITY for n = 0, NaN if there is one. */
float vector_max(const float *x, size_t n);
/* y = exp(x - max), the difference rounded; 0 for x = -INFINITY; returns the sum. */
float vector_exp(const float *x, float max, size_t n, float *y);
/* log(sum(exp(x))) without overflow, in double; -INFINITY for n = 0. */
double vector_log_sum_exp(const float *x, size_t n);

/* Rotates `n_pairs` pairs (x[i], x[i + n_pairs]) by angles with these cosines and sines. */
void vector_rotate(float *x, const float *cosines, const float *sines, size_t n_pairs);

/* y = the values of n items of F32, F16 or BF16; `x` need not be aligned. */
void vector_widen(enum dtype dtype, const void *x, size_t n, float *y);

#endif
