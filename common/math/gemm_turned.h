/* gemm_turned.h - kernels for few inputs where W lies in rows of outputs, for one width of lanes.h;
 * gemm_body.h includes it.
 *
 * The lanes of gemm_kernels.h are summed one after the other, with outputs side by side in vectors: so
 * they are added up without anything being moved within a vector. Lanes come in the order in which
 * they meet; what waits for its partner is kept as the ones of a binary counter are. */
#ifndef COCKTAIL_GEMM_TURNED_H
#define COCKTAIL_GEMM_TURNED_H

#include "math/gemm_parts.h"

enum {
    LEVELS = 4, /* of the tree that adds up the lanes */
    SHORT_ROWS = LANES == 16 ? 4 : 1,
};

/* ---- laying out ---- */

/* The lane at a place, and the place of a lane: bits in reverse. */
LANES_INLINE size_t lane_at(size_t place)
{
    return (place & 1) << 3 | (place & 2) << 1 | (place & 4) >> 1 | place >> 3;
}

/* turned[i] = item number i of each row */
LANES_INLINE void turn_step(const float *const rows[LANES], size_t at, lanes turned[GEMM_STEP])
{
#if LANES == 16
    const __m512i low = _mm512_setr_epi32(0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(4));
    __m512 a[8];

    LANES_UNROLL
    for (size_t i = 0; i < 4; i++) { /* four rows: items 0 to 3, and 4 to 7 */
        __m512 first = _mm512_castps256_ps512(_mm256_loadu_ps(rows[4 * i] + at));
        __m512 second = _mm512_castps256_ps512(_mm256_loadu_ps(rows[4 * i + 2] + at));

        first = _mm512_castpd_ps(_mm512_insertf64x4(
            _mm512_castps_pd(first), _mm256_castps_pd(_mm256_loadu_ps(rows[4 * i + 1] + at)), 1));
        second = _mm512_castpd_ps(_mm512_insertf64x4(
            _mm512_castps_pd(second), _mm256_castps_pd(_mm256_loadu_ps(rows[4 * i + 3] + at)), 1));
        a[i] = _mm512_permutex2var_ps(first, low, second);
        a[4 + i] = _mm512_permutex2var_ps(first, high, second);
    }
    LANES_UNROLL
    for (size_t i = 0; i < 8; i += 4) {
        __m512 p = _mm512_shuffle_f32x4(a[i], a[i + 1], 0x44);
        __m512 q = _mm512_shuffle_f32x4(a[i], a[i + 1], 0xEE);
        __m512 r = _mm512_shuffle_f32x4(a[i + 2], a[i + 3], 0x44);
        __m512 s = _mm512_shuffle_f32x4(a[i + 2], a[i + 3], 0xEE);

        turned[i] = (lanes)_mm512_shuffle_f32x4(p, r, 0x88);
        turned[i + 1] = (lanes)_mm512_shuffle_f32x4(p, r, 0xDD);
        turned[i + 2] = (lanes)_mm512_shuffle_f32x4(q, s, 0x88);
        turned[i + 3] = (lanes)_mm512_shuffle_f32x4(q, s, 0xDD);
    }
#elif LANES == 8
    __m256 a[8];

    LANES_UNROLL
    for (size_t i = 0; i < 8; i += 4) { /* four rows: items 0 and 4, 1 and 5 … */
        __m256 first = _mm256_loadu_ps(rows[i] + at), second = _mm256_loadu_ps(rows[i + 1] + at);
        __m256 third = _mm256_loadu_ps(rows[i + 2] + at);
        __m256 fourth = _mm256_loadu_ps(rows[i + 3] + at);
        __m256 p = _mm256_unpacklo_ps(first, second), q = _mm256_unpackhi_ps(first, second);
        __m256 r = _mm256_unpacklo_ps(third, fourth), s = _mm256_unpackhi_ps(third, fourth);

        a[i] = _mm256_shuffle_ps(p, r, 0x44);
        a[i + 1] = _mm256_shuffle_ps(p, r, 0xEE);
        a[i + 2] = _mm256_shuffle_ps(q, s, 0x44);
        a[i + 3] = _mm256_shuffle_ps(q, s, 0xEE);
    }
    LANES_UNROLL
    for (size_t i = 0; i < 4; i++) {
        turned[i] = (lanes)_mm256_permute2f128_ps(a[i], a[4 + i], 0x20);
        turned[4 + i] = (lanes)_mm256_permute2f128_ps(a[i], a[4 + i], 0x31);
    }
#else
    for (size_t row = 0; row < LANES; row++)
        for (size_t i = 0; i < GEMM_STEP; i++)
            turned[i][row] = rows[row][at + i];
#endif
}

LANES_TARGET static void turn(size_t n_out, size_t n_times, const float *from, size_t out_stride,
                              size_t step_stride, float *panel)
{
    for (size_t first = 0; first < n_out; first += LANES) {
        size_t last = n_out - first < LANES ? n_out - first - 1 : LANES - 1;
        const float *rows[LANES];

        for (size_t row = 0; row < LANES; row++)
            rows[row] = from + (first + (row < last ? row : last)) * out_stride;
        for (size_t step = 0; step < 2 * n_times; step++) {
            lanes turned[GEMM_STEP];

            turn_step(rows, step * step_stride, turned);
            LANES_UNROLL
            for (size_t i = 0; i < GEMM_STEP; i++)
                lanes_store(turned[i],
                            panel + (lane_at(step % 2 * GEMM_STEP + i) * n_times + step / 2) * PANEL_OUT +
                                first);
        }
    }
}

/* ---- sums ---- */

/* What is kept stays in registers. n_rows and n_times are constant in every call. */
LANES_INLINE void short_rows(size_t n_rows, size_t n_times, const float *x, size_t x_stride,
                             const float *panel, lanes sums[SHORT_ROWS][2])
{
    lanes kept[LEVELS][SHORT_ROWS][2];

    LANES_UNROLL
    for (size_t place = 0; place < GEMM_LANES; place++) {
        const float *at = panel + place * n_times * PANEL_OUT;

        LANES_UNROLL
        for (size_t i = 0; i < n_rows * 2; i++)
            sums[i / 2][i % 2] = lanes_set(0);
        LANES_UNROLL
        for (size_t time = 0; time < n_times; time++) {
            lanes a = lanes_load(at + time * PANEL_OUT);
            lanes b = lanes_load(at + time * PANEL_OUT + LANES);

            LANES_UNROLL
            for (size_t row = 0; row < n_rows; row++) {
                lanes factor = lanes_set(x[row * x_stride + time * GEMM_LANES + lane_at(place)]);

                sums[row][0] = lanes_multiply_add(factor, a, sums[row][0]);
                sums[row][1] = lanes_multiply_add(factor, b, sums[row][1]);
            }
        }
        LANES_UNROLL
        for (size_t level = 0; level < LEVELS; level++) {
            size_t ones = (2u << level) - 1; /* all of them: a sum of this level is whole */

            LANES_UNROLL
            for (size_t i = 0; i < n_rows * 2; i++) {
                if ((place & ones) == ones)
                    sums[i / 2][i % 2] = kept[level][i / 2][i % 2] + sums[i / 2][i % 2];
                else if ((place & ones) == ones >> 1)
                    kept[level][i / 2][i % 2] = sums[i / 2][i % 2];
            }
        }
    }
}

LANES_INLINE void short_products(size_t n_rows, size_t n_out, size_t n_times, const float *x,
                                 size_t x_stride, const float *panel, float factor, bool adds,
                                 float *y, size_t y_stride)
{
    lanes sums[SHORT_ROWS][2];
    size_t n_first = n_out < LANES ? n_out : LANES;

    short_rows(n_rows, n_times, x, x_stride, panel, sums);
    for (size_t row = 0; row < n_rows; row++, y += y_stride) {
        finish(sums[row][0], factor, adds, n_first, y);
        if (n_out > LANES)
            finish(sums[row][1], factor, adds, n_out - LANES, y + LANES);
    }
}

LANES_INLINE void short_times(size_t n_rows, size_t n_out, size_t n_times, const float *x,
                              size_t x_stride, const float *panel, float factor, bool adds, float *y,
                              size_t y_stride)
{
    size_t row = 0;

    for (; n_rows - row >= SHORT_ROWS; row += SHORT_ROWS)
        short_products(SHORT_ROWS, n_out, n_times, x + row * x_stride, x_stride, panel, factor, adds,
                       y + row * y_stride, y_stride);
    for (; row < n_rows; row++)
        short_products(1, n_out, n_times, x + row * x_stride, x_stride, panel, factor, adds,
                       y + row * y_stride, y_stride);
}

LANES_TARGET static void multiply_short(size_t n_rows, size_t n_out, size_t n_times, const float *x,
                                        size_t x_stride, const float *panel, float factor, bool adds,
                                        float *y, size_t y_stride)
{
    switch (n_times) {
    case 2: short_times(n_rows, n_out, 2, x, x_stride, panel, factor, adds, y, y_stride); break;
    case 4: short_times(n_rows, n_out, 4, x, x_stride, panel, factor, adds, y, y_stride); break;
    case 8: short_times(n_rows, n_out, 8, x, x_stride, panel, factor, adds, y, y_stride); break;
    }
}

#endif
