/* lanes.h - vectors of floats, as wide as the processor's: for kernels that are written once and
 * compiled three times.
 *
 * A file sets LANES to 16 (AVX-512) or 8 (AVX2) before it includes this, or leaves it at 4, which
 * is plain C as far as gcc and clang go: their vector types. Arithmetic on them is written as usual
 * and rounds in every lane as a float does, lanes_multiply_add() once: so results do not depend on
 * the width. */
#ifndef COCKTAIL_LANES_H
#define COCKTAIL_LANES_H

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

LANES_INLINE lanes lanes_load_bf16(const void *bytes)
{
    lanes_short items;

    memcpy(&items, bytes, sizeof items);
    return (lanes)(__builtin_convertvector(items, lanes_bits) << 16);
}

LANES_INLINE lanes lanes_set(float x)
{
    return x - (lanes){0};
}

/* Where the mask is set, a, else b. */
LANES_INLINE lanes lanes_select(lanes_bits mask, lanes a, lanes b)
{
    return (lanes)((mask & (lanes_bits)a) | (~mask & (lanes_bits)b));
}

#if LANES == 16
LANES_INLINE lanes lanes_load_f16(const void *bytes)
{
    return (lanes)_mm512_cvtph_ps(_mm256_loadu_si256(bytes));
}

LANES_INLINE lanes lanes_multiply_add(lanes a, lanes b, lanes sum)
{
    return (lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
}

LANES_INLINE lanes lanes_low_f16(lanes_bits pairs)
{
    return (lanes)_mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)pairs));
}

/* Blocks of 1, 2, 4 and 8 change places across the diagonal. */
LANES_INLINE void lanes_transpose(lanes_bits rows[LANES])
{
    __m512 a[16], b[16];

    LANES_UNROLL
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps((__m512)rows[i], (__m512)rows[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps((__m512)rows[i], (__m512)rows[i + 1]);
    }
    LANES_UNROLL
    for (int i = 0; i < 16; i += 4) {
        b[i] = _mm512_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], 0xEE);
        b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0xEE);
    }
    LANES_UNROLL
    for (int i = 0; i < 4; i++) {
        a[i] = _mm512_shuffle_f32x4(b[i], b[i + 4], 0x88);
        a[i + 4] = _mm512_shuffle_f32x4(b[i], b[i + 4], 0xDD);
        a[i + 8] = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0x88);
        a[i + 12] = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0xDD);
    }
    LANES_UNROLL
    for (int i = 0; i < 8; i++) {
        rows[i] = (lanes_bits)_mm512_shuffle_f32x4(a[i], a[i + 8], 0x88);
        rows[i + 8] = (lanes_bits)_mm512_shuffle_f32x4(a[i], a[i + 8], 0xDD);
    }
}
#elif LANES == 8
LANES_INLINE lanes lanes_load_f16(const void *bytes)
{
    return (lanes)_mm256_cvtph_ps(_mm_loadu_si128(bytes));
}

LANES_INLINE lanes lanes_multiply_add(lanes a, lanes b, lanes sum)
{
    return (lanes)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
}

LANES_INLINE lanes lanes_low_f16(lanes_bits pairs)
{
    __m128i low = _mm256_castsi256_si128((__m256i)pairs);
    __m128i high = _mm256_extracti128_si256((__m256i)pairs, 1);

    low = _mm_blend_epi16(low, _mm_setzero_si128(), 0xAA);
    high = _mm_blend_epi16(high, _mm_setzero_si128(), 0xAA);
    return (lanes)_mm256_cvtph_ps(_mm_packus_epi32(low, high));
}

LANES_INLINE void lanes_transpose(lanes_bits rows[LANES])
{
    __m256 a[8], b[8];

    LANES_UNROLL
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps((__m256)rows[i], (__m256)rows[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps((__m256)rows[i], (__m256)rows[i + 1]);
    }
    LANES_UNROLL
    for (int i = 0; i < 8; i += 4) {
        b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xEE);
        b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xEE);
    }
    LANES_UNROLL
    for (int i = 0; i < 4; i++) {
        rows[i] = (lanes_bits)_mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        rows[i + 4] = (lanes_bits)_mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}
#else
/* Halves as dtype.c widens them: shifted below a float's exponent, then multiplied to where they
 * belong. */
LANES_INLINE lanes lanes_from_f16(lanes_bits bits)
{
    lanes_bits size = (bits & 0x7FFF) << 13;
    lanes x = (lanes)size * 0x1p112f;

    size = (lanes_bits)x | ((lanes_bits)(size >= 0x7C00 << 13) & 0x7F800000);
    return (lanes)(size | (bits & 0x8000) << 16);
}

LANES_INLINE lanes lanes_load_f16(const void *bytes)
{
    lanes_short items;

    memcpy(&items, bytes, sizeof items);
    return lanes_from_f16(__builtin_convertvector(items, lanes_bits));
}

LANES_INLINE lanes lanes_low_f16(lanes_bits pairs)
{
    return lanes_from_f16(pairs & 0xFFFF);
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
 * correctly rounded sums"). */
LANES_INLINE lanes lanes_multiply_add(lanes a, lanes b, lanes sum)
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

LANES_INLINE void lanes_transpose(lanes_bits rows[LANES])
{
    for (int i = 0; i < LANES; i++)
        for (int k = 0; k < i; k++) {
            uint32_t item = rows[i][k];

            rows[i][k] = rows[k][i];
            rows[k][i] = item;
        }
}
#endif

/* Items 2 i and 2 i + 1 of a row of 16-bit floats lie in its dword i: of each lane, the first and
 * the second of them. */
LANES_INLINE lanes lanes_high_f16(lanes_bits pairs)
{
    return lanes_low_f16(pairs >> 16);
}

LANES_INLINE lanes lanes_low_bf16(lanes_bits pairs)
{
    return (lanes)(pairs << 16);
}

LANES_INLINE lanes lanes_high_bf16(lanes_bits pairs)
{
    return (lanes)(pairs & 0xFFFF0000);
}

#endif
