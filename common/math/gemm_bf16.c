/* gemm_bf16.c - tiles of six rows by four outputs, each sum in a register. A block of inputs of some
 * outputs is laid out so that its rows do not meet in the caches; where there are few rows, W in bf16
 * is used where it lies, four outputs at a time: one sum alone would wait for itself longer than for
 * memory. */
#include "math/gemm_bf16.h"

bool gemm_bf16_takes(const struct gemm_matrix *w)
{
    return w->n_in > GEMM_BF16_SHORT &&
           (w->format == &matrix_bf16 || w->format == &matrix_f32 || w->format == &matrix_f16);
}

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#include "math/lanes.h"

#define BF16_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define BF16_INLINE BF16_TARGET static inline __attribute__((always_inline))

enum {
    STEP_IN = 32, /* inputs of a vector */
    TILE_ROWS = 6,
    TILE_OUT = 4,
    FEW_ROWS = 2, /* wait for weights, which are read along outputs as far as can be */
    SOME_ROWS = 64, /* the most that go with weights in bf16 where these lie, four outputs at a time */
    PANEL_STRIDE = GEMM_BF16_BLOCK + STEP_IN,
    PAGE_STEPS = 64, APART_STEPS = 9, /* steps of a page, each a line, and between rows there */
};
_Static_assert(GEMM_BF16_OUT * PANEL_STRIDE / 2 + GEMM_BF16_BLOCK <= GEMM_FAST_SCRATCH,
               "a panel, and one output of a block as floats");
_Static_assert(GEMM_BF16_MANY_PANEL + (17 * GEMM_BF16_BLOCK) / 2 + GEMM_BF16_BLOCK <= GEMM_FAST_SCRATCH,
               "a turned one, and what is laid out for it");

struct numbers { /* bf16 [.., n_in], rows `stride` apart */
    const uint16_t *items;
    size_t stride;
};

/* Of a packed row: whole steps, and some more, so that rows do not meet in the caches: each begins at
 * another place of a page, some lines away. */
static size_t row_items(size_t n_in)
{
    size_t n_steps = (n_in + STEP_IN - 1) / STEP_IN, at = n_steps % PAGE_STEPS;

    if (at < APART_STEPS)
        n_steps += APART_STEPS - at;
    else if (at > PAGE_STEPS - APART_STEPS)
        n_steps += PAGE_STEPS - at + APART_STEPS;
    return n_steps * STEP_IN;
}

static size_t row_bytes(size_t n_in)
{
    return row_items(n_in) * sizeof(uint16_t);
}

static __mmask16 mask_of(size_t n)
{
    return n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1);
}

/* bf16 = x [n], and zeros up to a whole step. */
BF16_TARGET static void round_row(const float *x, size_t n, uint16_t *bf16)
{
    for (size_t in = 0; in < n; in += STEP_IN) {
        size_t more = n - in > 16 ? n - in - 16 : 0;
        __m512 a = _mm512_maskz_loadu_ps(mask_of(n - in), x + in);
        __m512 b = _mm512_maskz_loadu_ps(mask_of(more), x + in + (more ? 16 : 0));

        _mm512_storeu_si512(bf16 + in, (__m512i)_mm512_cvtne2ps_pbh(b, a));
    }
}

static void pack(const struct gemm_matrix *w, size_t n_rows, const float *x, size_t x_stride,
                 char *packed)
{
    for (size_t row = 0; row < n_rows; row++)
        round_row(x + row * x_stride, w->n_in,
                  (uint16_t *)(void *)(packed + row * row_bytes(w->n_in)));
}

/* ---- sums ---- */

BF16_INLINE __m512 add_products(__m512 sum, __m512i x, __m512i w)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)w);
}

BF16_INLINE float sum_of(__m512 sums)
{
    __m128 low = _mm_add_ps(_mm512_castps512_ps128(sums), _mm512_extractf32x4_ps(sums, 1));
    __m128 s = _mm_add_ps(low, _mm_add_ps(_mm512_extractf32x4_ps(sums, 2),
                                          _mm512_extractf32x4_ps(sums, 3)));

    s = _mm_add_ps(s, _mm_permute_ps(s, 0xB1));
    return _mm_cvtss_f32(_mm_add_ps(s, _mm_permute_ps(s, 0x4E)));
}

/* As sum_of, of four at once. */
BF16_INLINE __m128 sums_of(const __m512 sums[TILE_OUT])
{
    __m512 a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    const __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    a = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
    c = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x88), _mm512_shuffle_f32x4(c, d, 0xDD));
    a = _mm512_add_ps(_mm512_shuffle_f32x4(a, c, 0x88), _mm512_shuffle_f32x4(a, c, 0xDD));
    a = _mm512_add_ps(a, _mm512_permute_ps(a, 0xB1));
    a = _mm512_add_ps(a, _mm512_permute_ps(a, 0x4E));
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, a));
}

/* A block of n_in inputs; n_rows and n_out (1 or TILE_OUT) are constant in every call. ahead: items of
 * w to those that come next, which the memory is asked for; 0: for none. */
BF16_INLINE void multiply_tile(size_t n_rows, size_t n_out, size_t n_in, struct numbers x,
                               struct numbers w, size_t ahead, float factor, bool adds, float *y,
                               size_t y_stride)
{
    __m512 sums[TILE_ROWS][TILE_OUT];
    size_t in = 0;

    LANES_UNROLL
    for (size_t i = 0; i < n_rows * n_out; i++)
        sums[i / n_out][i % n_out] = _mm512_setzero_ps();
    for (; in < n_in; in += STEP_IN) {
        __mmask32 mask = n_in - in >= STEP_IN ? 0xffffffff : (1u << (n_in - in)) - 1;
        __m512i items[TILE_OUT];

        if (n_out > 1 && ahead) {
            LANES_UNROLL
            for (size_t out = 0; out < n_out; out++)
                __builtin_prefetch(w.items + ahead + out * w.stride + in, 0, 2);
        }
        LANES_UNROLL
        for (size_t out = 0; out < n_out; out++)
            items[out] = n_out == 1 ? _mm512_maskz_loadu_epi16(mask, w.items + in)
                                    : _mm512_loadu_si512(w.items + out * w.stride + in);
        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++) {
            __m512i step = _mm512_loadu_si512(x.items + row * x.stride + in);

            LANES_UNROLL
            for (size_t out = 0; out < n_out; out++)
                sums[row][out] = add_products(sums[row][out], step, items[out]);
        }
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++, y += y_stride) {
        __m128 value, before;

        if (n_out == 1) {
            float one = sum_of(sums[row][0]) * factor;

            *y = adds ? *y + one : one;
            continue;
        }
        value = _mm_mul_ps(sums_of(sums[row]), _mm_set1_ps(factor));
        before = adds ? _mm_loadu_ps(y) : value;
        _mm_storeu_ps(y, adds ? _mm_add_ps(before, value) : value);
    }
}

#define ROWS(n)                                                                                   \
    case n:                                                                                       \
        if (n_out == 1)                                                                           \
            multiply_tile(n, 1, n_in, x, w, 0, factor, adds, y, y_stride);                        \
        else                                                                                      \
            multiply_tile(n, TILE_OUT, n_in, x, w, ahead, factor, adds, y, y_stride);             \
        return;

BF16_TARGET static void multiply_some(size_t n_rows, size_t n_out, size_t n_in, struct numbers x,
                                      struct numbers w, size_t ahead, float factor, bool adds,
                                      float *y, size_t y_stride)
{
    switch (n_rows) {
        ROWS(1)
        ROWS(2)
        ROWS(3)
        ROWS(4)
        ROWS(5)
        ROWS(6)
    }
}
#undef ROWS

/* ---- rows and outputs ---- */

static const uint16_t *bf16_of(const struct gemm_matrix *w, size_t out, size_t in)
{
    return (const uint16_t *)w->data + (w->first_out + out) * w->stride + in;
}

/* One output's block of inputs, with zeros up to a whole step. */
static void lay_out(const struct gemm_matrix *w, size_t out, size_t in, size_t n_in, float *widened,
                    uint16_t *to)
{
    if (w->format == &matrix_bf16) {
        memcpy(to, bf16_of(w, out, in), n_in * sizeof *to);
        memset(to + n_in, 0, (0 - n_in) % STEP_IN * sizeof *to);
        return;
    }
    gemm_matrix_widen(w, out, 1, in, n_in, widened);
    round_row(widened, n_in, to);
}

struct block { /* of inputs */
    size_t in, n_in;
    float factor;
    bool adds;
};

static void multiply_rows(const struct block *block, size_t n_rows, size_t n_out, struct numbers x,
                          struct numbers w, size_t ahead, float *y, size_t y_stride)
{
    size_t n_groups = (n_rows + TILE_ROWS - 1) / TILE_ROWS, n;

    for (size_t g = 0; g < n_groups; g++) {
        size_t row = n_rows * g / n_groups, n_some = n_rows * (g + 1) / n_groups - row;
        struct numbers rows = {x.items + row * x.stride + block->in, x.stride};

        for (size_t out = 0; out < n_out; out += n) {
            struct numbers some = {w.items + out * w.stride, w.stride};

            n = n_out - out < TILE_OUT ? 1 : TILE_OUT;
            multiply_some(n_some, n, block->n_in, rows, some, g == 0 ? ahead : 0, block->factor,
                          block->adds, y + row * y_stride + out, y_stride);
        }
    }
}

/* Some rows, with weights where they lie. */
static void multiply_in_place(const struct gemm_matrix *w, size_t n_rows, struct numbers x,
                              float factor, bool adds, float *y, size_t y_stride)
{
    for (size_t out = 0; out < w->n_out; out += TILE_OUT)
        for (size_t in = 0; in < w->n_in; in += GEMM_BF16_BLOCK) {
            size_t n_out = w->n_out - out < TILE_OUT ? w->n_out - out : TILE_OUT;
            size_t n_in = w->n_in - in < GEMM_BF16_BLOCK ? w->n_in - in : GEMM_BF16_BLOCK;
            struct block block = {in, n_in, factor, adds || in > 0};
            struct numbers weights = {bf16_of(w, out, in), w->stride};

            multiply_rows(&block, n_rows, n_out, x, weights, TILE_OUT * w->stride, y + out, y_stride);
        }
}

static bool can_be_in_place(const struct gemm_matrix *w, size_t n_rows)
{
    return w->format == &matrix_bf16 && n_rows <= SOME_ROWS && w->n_in % STEP_IN == 0;
}

static void multiply(const struct gemm_matrix *w, size_t n_rows, const char *packed, float factor,
                     bool adds, float *y, size_t y_stride, float *scratch)
{
    struct numbers x = {(const uint16_t *)(const void *)packed, row_items(w->n_in)};
    struct numbers panel = {(uint16_t *)(void *)(scratch + GEMM_BF16_BLOCK), PANEL_STRIDE};
    size_t n_panel = n_rows <= FEW_ROWS ? TILE_OUT : GEMM_BF16_OUT;

    if (can_be_in_place(w, n_rows)) {
        multiply_in_place(w, n_rows, x, factor, adds, y, y_stride);
        return;
    }
    if (n_rows >= GEMM_BF16_MANY_ROWS) {
        gemm_bf16_many(w, n_rows, x.items, x.stride, factor, adds, y, y_stride, lay_out, scratch);
        return;
    }
    for (size_t out = 0; out < w->n_out; out += n_panel)
        for (size_t in = 0; in < w->n_in; in += GEMM_BF16_BLOCK) {
            size_t n_out = w->n_out - out < n_panel ? w->n_out - out : n_panel;
            size_t n_in = w->n_in - in < GEMM_BF16_BLOCK ? w->n_in - in : GEMM_BF16_BLOCK;
            struct block block = {in, n_in, factor, adds || in > 0};

            for (size_t i = 0; i < n_out; i++)
                lay_out(w, out + i, in, n_in, scratch, (uint16_t *)panel.items + i * PANEL_STRIDE);
            multiply_rows(&block, n_rows, n_out, x, panel, 0, y + out, y_stride);
        }
}

const struct gemm_fast gemm_bf16 = {"bf16", row_bytes, pack, multiply};
#endif
