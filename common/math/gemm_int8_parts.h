/* gemm_int8_parts.h - what both ways of gemm_int8.h share, in plain C, or, with LANES 8, for AVX2, or
 * with INT8_VNNI for AVX512_VNNI: rounding x, and what is done with eight sums. */
#ifndef COCKTAIL_GEMM_INT8_PARTS_H
#define COCKTAIL_GEMM_INT8_PARTS_H

#include <math.h>

#include "math/gemm_ggml.h"
#include "math/gemm_ggml_parts.h"
#include "math/gemm_int8.h"
#include "math/gemm_matrix.h"

#if defined(INT8_VNNI)
#define INT8_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,fma,f16c")))
#define INT8_SUFFIX vnni
#elif LANES == 8
#define INT8_TARGET LANES_TARGET
#define INT8_SUFFIX avx2
#else
#define INT8_TARGET
#define INT8_SUFFIX plain
#endif
#define INT8_INLINE INT8_TARGET static inline __attribute__((always_inline))

enum {
    INT8_ROWS = 4, /* of a tile */
    INT8_OUTS = 4,
    INT8_BLOCK = 256,
};

static enum ggml_format int8_format(const struct gemm_matrix *w)
{
    return (enum ggml_format)(w->format - matrix_ggml);
}

static size_t int8_filled(size_t n_in)
{
    return (n_in + INT8_BLOCK - 1) / INT8_BLOCK * INT8_BLOCK;
}

/* ---- x ---- */

/* q [n] = x / scale, n a multiple of 32; returns the scale. */
INT8_INLINE float round_slowly(const float *x, size_t n, int8_t *q)
{
    float most = 0, scale, inverse;
    bool is_finite = true;

    for (size_t i = 0; i < n; i++) {
        float size = fabsf(x[i]);

        is_finite = is_finite && size <= __FLT_MAX__;
        most = size > most ? size : most;
    }
    scale = is_finite ? most / 127 : NAN;
    inverse = is_finite && most > 0 ? 127 / most : 0;
    /* of a subnormal the inverse is infinite */
    if (!(inverse <= __FLT_MAX__))
        inverse = scale = 0;
    for (size_t i = 0; i < n; i++)
        q[i] = is_finite ? (int8_t)lrintf(x[i] * inverse) : 0;
    return scale;
}

#if LANES == 8
INT8_INLINE float largest(__m256 a)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/* 32 items */
INT8_INLINE __m256i round_items(const float *x, __m256 inverse)
{
    __m256i y[4], low, high;

    LANES_UNROLL
    for (int i = 0; i < 4; i++)
        y[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), inverse));
    low = _mm256_packs_epi32(y[0], y[1]);
    high = _mm256_packs_epi32(y[2], y[3]);
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high),
                                       _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* The same where all is finite and not too small. */
INT8_INLINE float round_inputs(const float *x, size_t n, int8_t *q)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 most[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()}, any[2] = {most[0], most[0]};
    float size, scale;

    for (size_t i = 0; i < n; i += 8) {
        __m256 items = _mm256_loadu_ps(x + i);

        most[i / 8 % 2] = _mm256_max_ps(most[i / 8 % 2], _mm256_andnot_ps(sign, items));
        /* not a number: that of the sum, whatever order has been compared in */
        any[i / 8 % 2] = _mm256_add_ps(any[i / 8 % 2], items);
    }
    size = largest(_mm256_max_ps(most[0], most[1]));
    scale = size / 127;
    any[0] = _mm256_add_ps(any[0], any[1]);
    if (!(size <= 1e35f && size >= 1e-30f) ||
        _mm256_movemask_ps(_mm256_cmp_ps(any[0], any[0], _CMP_UNORD_Q)))
        return round_slowly(x, n, q);
    for (size_t i = 0; i < n; i += 32)
        _mm256_storeu_si256((void *)(q + i), round_items(x + i, _mm256_set1_ps(127 / size)));
    return scale;
}
#else
#define round_inputs round_slowly
#endif

/* ---- eight sums ---- */

enum { EIGHT = 8 / LANES };

struct eight {
    lanes v[EIGHT];
};

INT8_INLINE struct eight eight_of(float x)
{
    struct eight y;

    for (int v = 0; v < EIGHT; v++)
        y.v[v] = lanes_set(x);
    return y;
}

/* sum += a * b */
INT8_INLINE void add_product(struct eight *sum, struct eight a, struct eight b)
{
    for (int v = 0; v < EIGHT; v++)
        sum->v[v] = lanes_multiply_add(a.v[v], b.v[v], sum->v[v]);
}

#if LANES == 8
typedef __m256i int8_sums; /* of 32 bits */

INT8_INLINE struct eight floats_of(int8_sums sums)
{
    return (struct eight){{(lanes)_mm256_cvtepi32_ps(sums)}};
}
#else
typedef struct {
    int32_t at[8];
} int8_sums;

INT8_INLINE struct eight floats_of(int8_sums sums)
{
    struct eight y;

    for (int j = 0; j < 8; j++)
        y.v[j / LANES][j % LANES] = (float)sums.at[j];
    return y;
}
#endif

/* y = factor * the eight added up, or y += it. */
INT8_INLINE void finish_eight(const struct eight *sums, float factor, bool adds, float *y)
{
    float value = sum_of_eight((const float *)sums) * factor;

    *y = adds ? *y + value : value;
}

#endif
