/* lanes.h - vectors of floats, as wide as the processor's: for kernels that are written once and
 * compiled three times.
 *
 * A file sets LANES to 16 (AVX-512) or 8 (AVX2) before it includes this, or leaves it at 4, which
 * is plain C as far as gcc and clang go: their vector types. Arithmetic on them is written as usual
 * and rounds in every lane as a float does, lanes_multiply_add() once: so results do not depend on
 * the width. */
#ifndef COCKTAIL_LANES_H
#define COCKTAIL_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef LANES
#define LANES 4
#endif

#if LANES > 4
#include <immintrin.h>
#endif

#if LANES == 16
#define LANES_TARGET __attribute__((target("avx512f")))
#define LANES_NAME(name) name##_avx512
#define LANES_VERSION "avx512"
#define LANES_SUFFIX avx512
#elif LANES == 8
#define LANES_TARGET __attribute__((target("avx2,fma,f16c")))
#define LANES_NAME(name) name##_avx2
#define LANES_VERSION "avx2"
#define LANES_SUFFIX avx2
#else
#define LANES_TARGET
#define LANES_NAME(name) name##_plain
#define LANES_VERSION "plain"
#define LANES_SUFFIX plain
#endif

#define LANES_INLINE LANES_TARGET static inline __attribute__((always_inline))

/* In front of a short loop with constant bounds, so that its arrays become registers. gcc does not
 * unroll all of them at -O2; clang does. */
#if defined(__clang__)
#define LANES_UNROLL
#else
#define LANES_UNROLL _Pragma("GCC unroll 16")
#endif

typedef float lanes __attribute__((vector_size(LANES * 4)));
typedef uint32_t lanes_bits __attribute__((vector_size(LANES * 4)));
typedef int32_t lanes_integers __attribute__((vector_size(LANES * 4)));
typedef uint16_t lanes_short __attribute__((vector_size(LANES * 2)));

/* Bytes, because data in files need not be aligned. */
LANES_INLINE lanes lanes_load(const void *bytes)
{
    lanes x;

    memcpy(&x, bytes, sizeof x);
    return x;
}

LANES_INLINE void lanes_store(lanes x, void *bytes)
{
    memcpy(bytes, &x, sizeof x);
}

LANES_INLINE lanes lanes_set(float x)
{
    return x - (lanes){0};
}

/* The first n <= LANES items, of which alone memory is read or written; the others are `rest`. */
#if LANES == 16
LANES_INLINE lanes lanes_load_some(const float *items, size_t n, float rest)
{
    return (lanes)_mm512_mask_loadu_ps((__m512)lanes_set(rest), (__mmask16)((1u << n) - 1), items);
}

LANES_INLINE void lanes_store_some(lanes x, size_t n, float *items)
{
    _mm512_mask_storeu_ps(items, (__mmask16)((1u << n) - 1), (__m512)x);
}

#elif LANES == 8
LANES_INLINE __m256i lanes_first(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

LANES_INLINE lanes lanes_load_some(const float *items, size_t n, float rest)
{
    __m256i first = lanes_first(n);

    return (lanes)_mm256_blendv_ps((__m256)lanes_set(rest), _mm256_maskload_ps(items, first),
                                   (__m256)first);
}

LANES_INLINE void lanes_store_some(lanes x, size_t n, float *items)
{
    _mm256_maskstore_ps(items, lanes_first(n), (__m256)x);
}

#else
LANES_INLINE lanes lanes_load_some(const float *items, size_t n, float rest)
{
    lanes x;

    for (size_t i = 0; i < LANES; i++)
        x[i] = i < n ? items[i] : rest;
    return x;
}

LANES_INLINE void lanes_store_some(lanes x, size_t n, float *items)
{
    for (size_t i = 0; i < n; i++)
        items[i] = x[i];
}
#endif

/* Where the mask is set, a, else b. */
LANES_INLINE lanes lanes_select(lanes_bits mask, lanes a, lanes b)
{
    return (lanes)((mask & (lanes_bits)a) | (~mask & (lanes_bits)b));
}

/* What a comparison gives, as the processor has it; false where one of the two is NaN. At most and at
 * least leave NaN in x as it is, and -0 where the limit is 0. */
#if LANES == 16
typedef __mmask16 lanes_mask;

LANES_INLINE lanes_mask lanes_less(lanes a, lanes b)
{
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ);
}

LANES_INLINE lanes_mask lanes_is_nan(lanes x)
{
    return _mm512_cmp_ps_mask((__m512)x, (__m512)x, _CMP_UNORD_Q);
}

LANES_INLINE lanes lanes_choose(lanes_mask mask, lanes a, lanes b)
{
    return (lanes)_mm512_mask_blend_ps(mask, (__m512)b, (__m512)a);
}

LANES_INLINE bool lanes_any(lanes_mask mask)
{
    return mask != 0;
}

LANES_INLINE lanes lanes_at_most(lanes x, lanes limit)
{
    return (lanes)_mm512_min_ps((__m512)limit, (__m512)x);
}

LANES_INLINE lanes lanes_at_least(lanes x, lanes limit)
{
    return (lanes)_mm512_max_ps((__m512)limit, (__m512)x);
}

#else
typedef lanes_bits lanes_mask;

LANES_INLINE lanes_mask lanes_less(lanes a, lanes b)
{
    return (lanes_bits)(a < b);
}

LANES_INLINE lanes_mask lanes_is_nan(lanes x)
{
    return (lanes_bits)(x != x);
}

LANES_INLINE bool lanes_any(lanes_mask mask)
{
    bool is_any = false;

    for (int i = 0; i < LANES; i++)
        is_any |= mask[i] != 0;
    return is_any;
}

#if LANES == 8
LANES_INLINE lanes lanes_choose(lanes_mask mask, lanes a, lanes b)
{
    return (lanes)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
}

LANES_INLINE lanes lanes_at_most(lanes x, lanes limit)
{
    return (lanes)_mm256_min_ps((__m256)limit, (__m256)x);
}

LANES_INLINE lanes lanes_at_least(lanes x, lanes limit)
{
    return (lanes)_mm256_max_ps((__m256)limit, (__m256)x);
}

#else
LANES_INLINE lanes lanes_choose(lanes_mask mask, lanes a, lanes b)
{
    return lanes_select(mask, a, b);
}

LANES_INLINE lanes lanes_at_most(lanes x, lanes limit)
{
    return lanes_select((lanes_bits)(x > limit), limit, x);
}

LANES_INLINE lanes lanes_at_least(lanes x, lanes limit)
{
    return lanes_select((lanes_bits)(x < limit), limit, x);
}
#endif
#endif

#if LANES == 16
LANES_INLINE lanes lanes_load_bf16(const void *bytes)
{
    return (lanes)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(bytes)), 16);
}

LANES_INLINE lanes lanes_load_f16(const void *bytes)
{
    return (lanes)_mm512_cvtph_ps(_mm256_loadu_si256(bytes));
}

LANES_INLINE lanes lanes_multiply_add(lanes a, lanes b, lanes sum)
{
    return (lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
}

#elif LANES == 8
LANES_INLINE lanes lanes_load_bf16(const void *bytes)
{
    return (lanes)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(bytes)), 16);
}

LANES_INLINE lanes lanes_load_f16(const void *bytes)
{
    return (lanes)_mm256_cvtph_ps(_mm_loadu_si128(bytes));
}

LANES_INLINE lanes lanes_multiply_add(lanes a, lanes b, lanes sum)
{
    return (lanes)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
}

#else
LANES_INLINE lanes lanes_load_bf16(const void *bytes)
{
    lanes_short items;

    memcpy(&items, bytes, sizeof items);
    return (lanes)(__builtin_convertvector(items, lanes_bits) << 16);
}

/* As dtype.c does it: shifted below a float's exponent, then multiplied to where it belongs. */
LANES_INLINE lanes lanes_load_f16(const void *bytes)
{
    lanes_short items;
    lanes_bits bits, size;
    lanes x;

    memcpy(&items, bytes, sizeof items);
    bits = __builtin_convertvector(items, lanes_bits);
    size = (bits & 0x7FFF) << 13;
    x = (lanes)size * 0x1p112f;
    size = (lanes_bits)x | ((lanes_bits)(size >= 0x7C00 << 13) & 0x7F800000);
    return (lanes)(size | (bits & 0x8000) << 16);
}

#if defined(__FP_FAST_FMAF)
LANES_INLINE lanes lanes_multiply_add(lanes a, lanes b, lanes sum)
{
    lanes y;

    for (int i = 0; i < LANES; i++)
        y[i] = __builtin_fmaf(a[i], b[i], sum[i]);
    return y;
}
#else
typedef double lanes_double __attribute__((vector_size(LANES * 8)));
typedef int64_t lanes_long __attribute__((vector_size(LANES * 8)));

/* In double, where the product is exact; the sum is rounded to an odd last bit, so that rounding it
 * once more to float is as if it had been exact (Boldo and Melquiond, "Emulation of FMA and
 * correctly rounded sums"). Some fifty instructions: not inlined. */
__attribute__((noinline, unused)) static lanes lanes_multiply_add(lanes a, lanes b, lanes sum)
{
    lanes_double product = __builtin_convertvector(a, lanes_double) *
                           __builtin_convertvector(b, lanes_double);
    lanes_double addend = __builtin_convertvector(sum, lanes_double), y = product + addend;
    lanes_double part = y - product, rest = (product - (y - part)) + (addend - part);
    lanes_long bits = (lanes_long)y, is_even = ((bits & 1) - 1);
    /* -1 where the rest points away from 0, 1 where it points towards it */
    lanes_long outward = ((rest > 0) & (y > 0)) | ((rest < 0) & (y < 0));
    lanes_long inward = ((rest < 0) & (y > 0)) | ((rest > 0) & (y < 0));

    bits += is_even & (inward - outward);
    return __builtin_convertvector((lanes_double)bits, lanes);
}
#endif
#endif

#endif
