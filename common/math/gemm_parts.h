/* gemm_parts.h - what kernels of matrix products share, for one width of lanes.h. */
#ifndef COCKTAIL_GEMM_PARTS_H
#define COCKTAIL_GEMM_PARTS_H

#include <stdbool.h>

#include "math/gemm_kernels.h"
#include "math/lanes.h"

enum {
    PANEL_OUT = 2 * LANES, /* outputs of a panel of W */
    GROUP_ROWS = LANES == 16 ? 14 : LANES == 8 ? 6 : 4, /* of x that go through with it */
    COLUMNS = 1024, /* outputs of a transposed W whose sums stay in the first-level cache */
    COLUMN_INPUTS = LANES == 16 ? 16 : 8, /* whose products with a vector of outputs are added to them at once */
};

/* A case for each number of rows of a group. */
#if LANES == 16
#define EACH_GROUP_ROWS(ROWS)                                                                     \
    ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) ROWS(9) ROWS(10) ROWS(11)     \
    ROWS(12) ROWS(13) ROWS(14)
#elif LANES == 8
#define EACH_GROUP_ROWS(ROWS) ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#else
#define EACH_GROUP_ROWS(ROWS) ROWS(1) ROWS(2) ROWS(3) ROWS(4)
#endif

/* The first n items, and zeros. */
LANES_INLINE lanes load_some(const void *items, size_t n)
{
    return lanes_load_some(items, n, 0);
}

/* y [n <= LANES] = factor * sum, or y += it. */
LANES_INLINE void finish(lanes sum, float factor, bool adds, size_t n, float *y)
{
    lanes value = sum * factor;

    if (n == LANES) {
        lanes_store(adds ? lanes_load(y) + value : value, y);
        return;
    }
    if (adds)
        value += load_some(y, n);
    lanes_store_some(value, n, y);
}

typedef float four __attribute__((vector_size(16)));

/* The eight sums that are left, as gemm_kernels.h adds them. */
LANES_INLINE float sum_of_eight(const float s[8])
{
    four low, high;

    memcpy(&low, s, sizeof low);
    memcpy(&high, s + 4, sizeof high);
    low += high;
    return (low[0] + low[2]) + (low[1] + low[3]);
}

enum { SUMS = GEMM_LANES / LANES }; /* vectors */

LANES_INLINE float sum_of_sums(const lanes sums[SUMS])
{
#if LANES == 16
    __m512 all = (__m512)sums[0];
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(all),
                                 _mm512_castps512_ps256(_mm512_shuffle_f32x4(all, all, 0x4E)));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));

    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
#else
    float eight[GEMM_STEP];

    LANES_UNROLL
    for (size_t v = 0; v < SUMS / 2; v++)
        lanes_store(sums[v] + sums[v + SUMS / 2], eight + v * LANES);
    return sum_of_eight(eight);
#endif
}

/* sum_of_sums of each. */
LANES_INLINE four sums_of_four(const lanes a[SUMS], const lanes b[SUMS], const lanes c[SUMS],
                               const lanes d[SUMS])
{
#if LANES == 16
    const __m512i places = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    __m512 p = (__m512)a[0], q = (__m512)b[0], r = (__m512)c[0], s = (__m512)d[0];

    p = _mm512_add_ps(_mm512_shuffle_f32x4(p, q, 0x44), _mm512_shuffle_f32x4(p, q, 0xEE));
    r = _mm512_add_ps(_mm512_shuffle_f32x4(r, s, 0x44), _mm512_shuffle_f32x4(r, s, 0xEE));
    p = _mm512_add_ps(_mm512_shuffle_f32x4(p, r, 0x88), _mm512_shuffle_f32x4(p, r, 0xDD));
    p = _mm512_add_ps(p, _mm512_permute_ps(p, 0x4E));
    p = _mm512_add_ps(p, _mm512_movehdup_ps(p));
    return (four)_mm512_castps512_ps128(_mm512_permutexvar_ps(places, p));
#else
    return (four){sum_of_sums(a), sum_of_sums(b), sum_of_sums(c), sum_of_sums(d)};
#endif
}

#endif
