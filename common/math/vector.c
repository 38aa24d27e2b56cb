/* vector.c - which version runs. */
#include "vector.h"

#include "base/isa.h"
#include "math/vector_kernels.h"

const struct vector_version *vector_version(size_t i)
{
#if defined(__x86_64__)
    if (i == ISA_AVX2 && isa_has(ISA_AVX2))
        return &vector_avx2;
    if (i == ISA_AVX512 && isa_has(ISA_AVX512))
        return &vector_avx512;
#endif
    return i == ISA_PLAIN ? &vector_plain : NULL;
}

static const struct vector_version *best(void)
{
    return vector_version(isa_in_use());
}

void vector_rms_norm(const float *x, const float *weight, float offset, float eps, size_t n,
                     float *y)
{
    best()->rms_norm(x, weight, offset, eps, n, y);
}

void vector_layer_norm(const float *x, const float *weight, const float *bias, float eps, size_t n,
                       float *y)
{
    best()->layer_norm(x, weight, bias, eps, n, y);
}

void vector_activate(enum activation activation, const float *x, size_t n, float *y)
{
    best()->activate(activation, x, n, y);
}

void vector_gate(enum activation activation, const float *gate, const float *up, size_t n,
                 float *y)
{
    best()->gate(activation, gate, up, n, y);
}

void vector_add(const float *x, size_t n, float *y)
{
    best()->add(x, n, y);
}

void vector_scale(const float *x, float factor, size_t n, float *y)
{
    best()->scale(x, factor, n, y);
}

void vector_soft_cap(const float *x, float cap, size_t n, float *y)
{
    best()->soft_cap(x, cap, n, y);
}

float vector_max(const float *x, size_t n)
{
    return best()->max(x, n);
}

float vector_exp(const float *x, float max, size_t n, float *y)
{
    return best()->exp(x, max, n, y);
}

double vector_log_sum_exp(const float *x, size_t n)
{
    return best()->log_sum_exp(x, n);
}

void vector_rotate(float *x, const float *cosines, const float *sines, size_t n_pairs)
{
    best()->rotate(x, cosines, sines, n_pairs);
}

void vector_widen(enum dtype dtype, const void *x, size_t n, float *y)
{
    best()->widen(dtype, x, n, y);
}
