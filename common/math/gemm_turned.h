/* gemm_turned.h - kernels for few inputs, and for many rows, where W lies in rows of outputs, for one
 * width of lanes.h; gemm_body.h includes it.
 *
 * The lanes of gemm_kernels.h are summed one after the other, with outputs side by side in vectors: so
 * they are added up without anything being moved within a vector. Lanes come in the order in which
 * they meet; what waits for its partner is kept as the ones of a binary counter are. */
#ifndef COCKTAIL_GEMM_TURNED_H
#define COCKTAIL_GEMM_TURNED_H

#include "math/gemm_parts.h"

enum {
    LEVELS = 4, /* of the tree that adds up the lanes */
    SHORT_ROWS = LANES == 16 ? 2 : 1,
};

/* ---- laying out ---- */

/* The lane at a place, and the place of a lane: bits in reverse. */
LANES_INLINE size_t lane_at(size_t place)
{
    return (place & 1) << 3 | (place & 2) << 1 | (place & 4) >> 1 | place >> 3;
}

/* Of F32, F16 or BF16; dtype is constant in every call. */
LANES_INLINE lanes load_items(enum dtype dtype, const char *bytes)
{
    return dtype == DTYPE_BF16 ? lanes_load_bf16(bytes)
           : dtype == DTYPE_F16 ? lanes_load_f16(bytes)
                                : lanes_load(bytes);
}

/* turned[i] = item number i of each row, from byte `at` on */
#if LANES == 16
LANES_INLINE void turn_lanes(enum dtype dtype, const char *const rows[LANES], size_t at,
                             lanes turned[GEMM_LANES])
{
    __m512 a[16], b[16];

    LANES_UNROLL
    for (size_t i = 0; i < 16; i += 4) { /* items 0 4 8 12 of four rows, 1 5 9 13 … */
        __m512 first = (__m512)load_items(dtype, rows[i] + at);
        __m512 second = (__m512)load_items(dtype, rows[i + 1] + at);
        __m512 third = (__m512)load_items(dtype, rows[i + 2] + at);
        __m512 fourth = (__m512)load_items(dtype, rows[i + 3] + at);
        __m512 p = _mm512_unpacklo_ps(first, second), q = _mm512_unpackhi_ps(first, second);
        __m512 r = _mm512_unpacklo_ps(third, fourth), s = _mm512_unpackhi_ps(third, fourth);

        a[i] = _mm512_shuffle_ps(p, r, 0x44);
        a[i + 1] = _mm512_shuffle_ps(p, r, 0xEE);
        a[i + 2] = _mm512_shuffle_ps(q, s, 0x44);
        a[i + 3] = _mm512_shuffle_ps(q, s, 0xEE);
    }
    LANES_UNROLL
    for (size_t i = 0; i < 4; i++) {
        b[i] = _mm512_shuffle_f32x4(a[i], a[4 + i], 0x88);
        b[4 + i] = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0x88);
        b[8 + i] = _mm512_shuffle_f32x4(a[i], a[4 + i], 0xDD);
        b[12 + i] = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0xDD);
    }
    LANES_UNROLL
    for (size_t i = 0; i < 4; i++) {
        turned[i] = (lanes)_mm512_shuffle_f32x4(b[i], b[4 + i], 0x88);
        turned[8 + i] = (lanes)_mm512_shuffle_f32x4(b[i], b[4 + i], 0xDD);
        turned[4 + i] = (lanes)_mm512_shuffle_f32x4(b[8 + i], b[12 + i], 0x88);
        turned[12 + i] = (lanes)_mm512_shuffle_f32x4(b[8 + i], b[12 + i], 0xDD);
    }
}
#elif LANES == 8
LANES_INLINE void turn_lanes(enum dtype dtype, const char *const rows[LANES], size_t at,
                             lanes turned[GEMM_LANES])
{
    size_t half_bytes = LANES * (dtype == DTYPE_F32 ? 4 : 2);

    for (size_t half = 0; half < 2; half++, at += half_bytes, turned += LANES) {
        __m256 a[8];

        LANES_UNROLL
        for (size_t i = 0; i < 8; i += 4) { /* four rows: items 0 and 4, 1 and 5 … */
            __m256 first = (__m256)load_items(dtype, rows[i] + at);
            __m256 second = (__m256)load_items(dtype, rows[i + 1] + at);
            __m256 third = (__m256)load_items(dtype, rows[i + 2] + at);
            __m256 fourth = (__m256)load_items(dtype, rows[i + 3] + at);
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
    }
}
#else
LANES_INLINE void turn_lanes(enum dtype dtype, const char *const rows[LANES], size_t at,
                             lanes turned[GEMM_LANES])
{
    size_t bytes = dtype == DTYPE_F32 ? 4 : 2;

    for (size_t row = 0; row < LANES; row++)
        for (size_t i = 0; i < GEMM_LANES; i++)
            turned[i][row] = load_items(dtype, rows[row] + at + i / LANES * LANES * bytes)[i % LANES];
}
#endif

LANES_INLINE void turn_rows(enum dtype dtype, size_t n_out, size_t n_times, const char *from,
                            size_t out_stride, size_t panel_out, float *panel)
{
    size_t stride = GEMM_TURNED_STRIDE(n_times, panel_out), bytes = dtype == DTYPE_F32 ? 4 : 2;

    for (size_t first = 0; first < n_out; first += LANES) {
        size_t last = n_out - first < LANES ? n_out - first - 1 : LANES - 1;
        const char *rows[LANES];

        for (size_t row = 0; row < LANES; row++)
            rows[row] = from + (first + (row < last ? row : last)) * out_stride * bytes;
        for (size_t time = 0; time < n_times; time++) {
            lanes turned[GEMM_LANES];

            turn_lanes(dtype, rows, time * GEMM_LANES * bytes, turned);
            LANES_UNROLL
            for (size_t i = 0; i < GEMM_LANES; i++)
                lanes_store(turned[i], panel + lane_at(i) * stride + time * panel_out + first);
        }
    }
}

LANES_TARGET static void turn(enum dtype dtype, size_t n_out, size_t n_times, const void *from,
                              size_t out_stride, size_t panel_out, float *panel)
{
    switch (dtype) {
    case DTYPE_BF16: turn_rows(DTYPE_BF16, n_out, n_times, from, out_stride, panel_out, panel); break;
    case DTYPE_F16: turn_rows(DTYPE_F16, n_out, n_times, from, out_stride, panel_out, panel); break;
    default: turn_rows(DTYPE_F32, n_out, n_times, from, out_stride, panel_out, panel); break;
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
        const float *at = panel + place * GEMM_TURNED_STRIDE(n_times, PANEL_OUT);

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

/* ---- many rows ---- */

enum { HALF_ROWS = GROUP_ROWS / 2, PAIRS = GEMM_AHEAD_OUT };

/* sums = those of two lanes, added up; their inputs are x_stride and panel_stride apart. `asks`: for
 * those of the next two, and for pieces that are ahead. n_rows and asks are constant in every call. */
LANES_INLINE void add_pair(size_t n_rows, bool asks, size_t n_times, const float *x, size_t x_stride,
                           const float *panel, size_t panel_stride, const char *ahead, size_t piece,
                           lanes sums[HALF_ROWS][2])
{
    lanes pair[2][HALF_ROWS][2];

    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++)
        pair[0][row][0] = pair[0][row][1] = pair[1][row][0] = pair[1][row][1] = lanes_set(0);
    for (size_t time = 0; time < n_times; time++, x += LANES, panel += PANEL_OUT, ahead += piece) {
        if (asks)
            __builtin_prefetch(ahead, 0, 2);
        LANES_UNROLL
        for (size_t lane = 0; lane < 2; lane++) {
            lanes a = lanes_load(panel + lane * panel_stride);
            lanes b = lanes_load(panel + lane * panel_stride + LANES);

            if (asks) {
                __builtin_prefetch(x + (lane + 2) * x_stride);
                __builtin_prefetch(panel + (lane + 2) * panel_stride);
                __builtin_prefetch(panel + (lane + 2) * panel_stride + LANES);
            }
            LANES_UNROLL
            for (size_t row = 0; row < n_rows; row++) {
                lanes factors = lanes_set(x[lane * x_stride + row]);

                pair[lane][row][0] = lanes_multiply_add(factors, a, pair[lane][row][0]);
                pair[lane][row][1] = lanes_multiply_add(factors, b, pair[lane][row][1]);
            }
        }
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        sums[row][0] = pair[0][row][0] + pair[1][row][0];
        sums[row][1] = pair[0][row][1] + pair[1][row][1];
    }
}

/* Sums of a pair meet those that wait for them, and then wait, or are the last. */
LANES_INLINE void meet(size_t n_rows, size_t pair, lanes kept[][GROUP_ROWS][2],
                       size_t first, lanes sums[HALF_ROWS][2])
{
    size_t level = 0;

    for (; pair >> level & 1; level++) {
        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++) {
            sums[row][0] = kept[level][first + row][0] + sums[row][0];
            sums[row][1] = kept[level][first + row][1] + sums[row][1];
        }
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        kept[level][first + row][0] = sums[row][0];
        kept[level][first + row][1] = sums[row][1];
    }
}

/* n_rows is constant in every call. */
LANES_INLINE void turned_products(size_t n_rows, size_t n_out, size_t n_times, const float *x,
                                  const float *panel, float factor, bool adds, float *y,
                                  size_t y_stride, struct gemm_ahead ahead)
{
    size_t x_stride = GEMM_TURNED_STRIDE(n_times, LANES), n_first = n_out < LANES ? n_out : LANES;
    size_t panel_stride = GEMM_TURNED_STRIDE(n_times, PANEL_OUT), half = (n_rows + 1) / 2;
    lanes kept[LEVELS][GROUP_ROWS][2];

    for (size_t row = 0; row < n_rows; row++) { /* y is far away as a rule */
        __builtin_prefetch(y + row * y_stride, 1);
        __builtin_prefetch(y + row * y_stride + n_out - 1, 1);
    }
    for (size_t pair = 0; pair < PAIRS; pair++, x += 2 * x_stride, panel += 2 * panel_stride) {
        lanes sums[HALF_ROWS][2];

        add_pair(half, true, n_times, x, x_stride, panel, panel_stride, ahead.bytes + pair * ahead.step,
                 ahead.piece, sums);
        meet(half, pair, kept, 0, sums);
        if (n_rows == 1)
            continue;
        add_pair(n_rows - half, false, n_times, x + half, x_stride, panel, panel_stride, NULL, 0, sums);
        meet(n_rows - half, pair, kept, half, sums);
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++, y += y_stride) {
        finish(kept[LEVELS - 1][row][0], factor, adds, n_first, y);
        if (n_out > LANES)
            finish(kept[LEVELS - 1][row][1], factor, adds, n_out - LANES, y + LANES);
    }
}

#define ROWS(n)                                                                                   \
    case n:                                                                                       \
        turned_products(n, n_out, n_times, x, panel, factor, adds, y, y_stride, ahead);           \
        return;

LANES_TARGET static void multiply_turned(size_t n_rows, size_t n_out, size_t n_times, const float *x,
                                         const float *panel, float factor, bool adds, float *y,
                                         size_t y_stride, struct gemm_ahead ahead)
{
    switch (n_rows) {
        EACH_GROUP_ROWS(ROWS)
    }
}
#undef ROWS

#endif
