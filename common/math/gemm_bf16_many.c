/* gemm_bf16_many.c - the sixteen sums of a block of inputs are made one after the other, with outputs
 * side by side in vectors. They come in the order in which they meet; what waits for its partner is
 * kept as the ones of a binary counter are. For this W is turned, a block of some outputs at a time,
 * while the second-level cache is filled with what is turned next. */
#include "math/gemm_bf16_many.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "math/lanes.h"

#define BF16_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define BF16_INLINE BF16_TARGET static inline __attribute__((always_inline))

enum {
    STEP_IN = 32, /* inputs of a vector */
    ROWS = 6,
    VECTORS = GEMM_BF16_MANY_OUT / 16,
    PAIRS = STEP_IN / 2, /* of neighbouring inputs: that many sums */
    LEVELS = 4,          /* of the tree that adds them up */
    PAIR_STRIDE = GEMM_BF16_BLOCK / STEP_IN * GEMM_BF16_MANY_OUT + 16, /* not at the same place of a page */
    ROW_STRIDE = GEMM_BF16_BLOCK + STEP_IN,
    LINE_BYTES = 64,
};
_Static_assert(PAIRS * PAIR_STRIDE == GEMM_BF16_MANY_PANEL, "a panel is what the header says");

/* The pair at a place, and the place of a pair: four quarters meet, then what they make. */
static inline size_t pair_at(size_t place)
{
    return place % 4 * 4 + place / 4;
}

/* ---- laying out ---- */

/* Four pairs of rows from `low` on, then of `high`, which are 32 bytes. */
BF16_INLINE __m512 load_halves(const uint16_t *low, const uint16_t *high)
{
    return _mm512_castsi512_ps(_mm512_inserti64x4(
        _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)low)),
        _mm256_loadu_si256((const __m256i *)(const void *)high), 1));
}

/* turned[i] = pair number i of eight, of each of 16 rows */
BF16_INLINE void turn_eight(const uint16_t *const rows[16], size_t in, __m512 turned[8])
{
    __m512 a[8];

    LANES_UNROLL
    for (size_t i = 0; i < 4; i++) {
        a[i] = load_halves(rows[i] + in, rows[i + 4] + in);
        a[i + 4] = load_halves(rows[i + 8] + in, rows[i + 12] + in);
    }
    LANES_UNROLL
    for (size_t i = 0; i < 8; i += 4) { /* of four rows, pairs 0 and 4, 1 and 5 … */
        __m512 p = _mm512_unpacklo_ps(a[i], a[i + 1]), q = _mm512_unpackhi_ps(a[i], a[i + 1]);
        __m512 r = _mm512_unpacklo_ps(a[i + 2], a[i + 3]), s = _mm512_unpackhi_ps(a[i + 2], a[i + 3]);

        a[i] = _mm512_shuffle_ps(p, r, 0x44);
        a[i + 1] = _mm512_shuffle_ps(p, r, 0xEE);
        a[i + 2] = _mm512_shuffle_ps(q, s, 0x44);
        a[i + 3] = _mm512_shuffle_ps(q, s, 0xEE);
    }
    LANES_UNROLL
    for (size_t i = 0; i < 4; i++) {
        turned[i] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
        turned[i + 4] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xDD);
    }
}

/* panel [PAIRS, PAIR_STRIDE]: of each place [steps, GEMM_BF16_MANY_OUT] = the pairs of 16 rows, which
 * are outputs; of whole steps. */
BF16_TARGET static void turn_rows(const uint16_t *const rows[16], size_t n_in, float *panel)
{
    for (size_t in = 0; in < n_in; in += STEP_IN, panel += GEMM_BF16_MANY_OUT)
        for (size_t half = 0; half < 2; half++) {
            __m512 turned[PAIRS / 2];

            turn_eight(rows, in + half * STEP_IN / 2, turned);
            LANES_UNROLL
            for (size_t i = 0; i < PAIRS / 2; i++)
                _mm512_storeu_ps(panel + pair_at(half * PAIRS / 2 + i) * PAIR_STRIDE, turned[i]);
        }
}

static const uint16_t *bf16_of(const struct gemm_matrix *w, size_t out, size_t in)
{
    return (const uint16_t *)w->data + (w->first_out + out) * w->stride + in;
}

static bool is_in_place(const struct gemm_matrix *w)
{
    return w->format == &matrix_bf16 && w->n_in % STEP_IN == 0;
}

struct block { /* some outputs and inputs */
    const struct gemm_matrix *w;
    size_t out, n_out, in, n_in;
    float *panel;
    float factor;
    bool adds;
};

static void turn_block(const struct block *block, gemm_bf16_lay_out *lay_out)
{
    uint16_t *laid = (uint16_t *)(void *)(block->panel + GEMM_BF16_MANY_PANEL);
    float *widened = (float *)(void *)(laid + 16 * ROW_STRIDE);

    for (size_t first = 0; first < block->n_out; first += 16) {
        size_t n = block->n_out - first < 16 ? block->n_out - first : 16;
        const uint16_t *rows[16];

        for (size_t i = 0; i < 16; i++) {
            size_t row = i < n ? i : 0, out = block->out + first + row;

            rows[i] = is_in_place(block->w) ? bf16_of(block->w, out, block->in) : laid + row * ROW_STRIDE;
            if (!is_in_place(block->w) && i < n)
                lay_out(block->w, out, block->in, block->n_in, widened, laid + row * ROW_STRIDE);
        }
        turn_rows(rows, block->n_in, block->panel + first);
    }
}

/* Asks for outputs `first` to `end` - 1 of a block. */
static void look_ahead(const struct block *block, size_t first, size_t end)
{
    for (size_t out = first; out < end; out++) {
        const char *bytes = (const char *)bf16_of(block->w, block->out + out, block->in);

        for (size_t at = 0; at < block->n_in * sizeof(uint16_t); at += LINE_BYTES)
            __builtin_prefetch(bytes + at, 0, 2);
    }
}

/* ---- sums ---- */

struct rows {
    const uint16_t *x;
    size_t x_stride;
    float *y;
    size_t y_stride;
};

/* n_rows and n_vectors are constant in every call, here and below. */
BF16_INLINE void add_steps(size_t n_rows, size_t n_vectors, size_t n_in, const uint16_t *x,
                           size_t x_stride, const float *panel, __m512 sums[ROWS][VECTORS])
{
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        LANES_UNROLL
        for (size_t v = 0; v < n_vectors; v++)
            sums[row][v] = _mm512_setzero_ps();
    }
    for (size_t in = 0; in < n_in; in += STEP_IN, panel += GEMM_BF16_MANY_OUT) {
        __m512bh w[VECTORS];

        LANES_UNROLL
        for (size_t v = 0; v < n_vectors; v++)
            w[v] = (__m512bh)_mm512_loadu_ps(panel + v * 16);
        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++) {
            int32_t pair;

            memcpy(&pair, x + row * x_stride + in, sizeof pair);
            LANES_UNROLL
            for (size_t v = 0; v < n_vectors; v++)
                sums[row][v] = _mm512_dpbf16_ps(sums[row][v], (__m512bh)_mm512_set1_epi32(pair), w[v]);
        }
    }
}

/* y = factor * sums, or y += it, of n_out outputs. */
BF16_INLINE void finish(size_t n_rows, size_t n_vectors, const struct block *block, size_t n_out,
                        __m512 sums[ROWS][VECTORS], float *y, size_t y_stride)
{
    __m512 factor = _mm512_set1_ps(block->factor);

    LANES_UNROLL
    for (size_t v = 0; v < n_vectors; v++) {
        size_t n = n_out - v * 16;
        __mmask16 mask = n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1);

        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++) {
            float *at = y + row * y_stride + v * 16;
            __m512 value = _mm512_mul_ps(sums[row][v], factor);

            if (block->adds)
                value = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, at), value);
            _mm512_mask_storeu_ps(at, mask, value);
        }
    }
}

/* Outputs from `first` on. */
BF16_INLINE void multiply_tile(size_t n_rows, size_t n_vectors, const struct block *block,
                               size_t first, const struct rows *rows)
{
    __m512 sums[ROWS][VECTORS], kept[LEVELS + 1][ROWS][VECTORS];

    for (size_t place = 0; place < PAIRS; place++) {
        size_t level = 0;

        add_steps(n_rows, n_vectors, block->n_in, rows->x + block->in + 2 * pair_at(place),
                  rows->x_stride, block->panel + place * PAIR_STRIDE + first, sums);
        for (; place >> level & 1; level++) {
            LANES_UNROLL
            for (size_t row = 0; row < n_rows; row++) {
                LANES_UNROLL
                for (size_t v = 0; v < n_vectors; v++)
                    sums[row][v] = _mm512_add_ps(kept[level][row][v], sums[row][v]);
            }
        }
        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++) {
            LANES_UNROLL
            for (size_t v = 0; v < n_vectors; v++)
                kept[level][row][v] = sums[row][v];
        }
    }
    finish(n_rows, n_vectors, block, block->n_out - first, kept[LEVELS], rows->y + block->out + first,
           rows->y_stride);
}

#define CASE(n)                                                                                   \
    case n:                                                                                       \
        if (n_vectors == VECTORS)                                                                 \
            multiply_tile(n, VECTORS, block, first, rows);                                        \
        else                                                                                      \
            multiply_tile(n, 1, block, first, rows);                                              \
        return;

BF16_TARGET static void multiply_some(size_t n_rows, size_t n_vectors, const struct block *block,
                                      size_t first, const struct rows *rows)
{
    switch (n_rows) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
    }
}
#undef CASE

/* `next`: the block that comes behind this one, or NULL. */
static void multiply_block(const struct block *block, const struct block *next, size_t n_rows,
                           const struct rows *all)
{
    size_t n_groups = (n_rows + ROWS - 1) / ROWS;

    for (size_t g = 0; g < n_groups; g++) {
        size_t row = n_rows * g / n_groups, n = n_rows * (g + 1) / n_groups - row;
        struct rows rows = {all->x + row * all->x_stride, all->x_stride, all->y + row * all->y_stride,
                            all->y_stride};

        if (next)
            look_ahead(next, next->n_out * g / n_groups, next->n_out * (g + 1) / n_groups);
        if (block->n_out > GEMM_BF16_MANY_OUT - 16)
            multiply_some(n, VECTORS, block, 0, &rows);
        else
            for (size_t first = 0; first < block->n_out; first += 16)
                multiply_some(n, 1, block, first, &rows);
    }
}

/* The block of inputs behind this one, or the first of the next outputs; false: there is none. */
static bool go_on(struct block *block, bool adds)
{
    const struct gemm_matrix *w = block->w;

    block->in += block->n_in;
    if (block->in >= w->n_in) {
        block->in = 0;
        block->out += block->n_out;
    }
    if (block->out >= w->n_out)
        return false;
    block->n_out = w->n_out - block->out < GEMM_BF16_MANY_OUT ? w->n_out - block->out : GEMM_BF16_MANY_OUT;
    block->n_in = w->n_in - block->in < GEMM_BF16_BLOCK ? w->n_in - block->in : GEMM_BF16_BLOCK;
    block->adds = adds || block->in > 0;
    return true;
}

void gemm_bf16_many(const struct gemm_matrix *w, size_t n_rows, const uint16_t *x, size_t x_stride,
                    float factor, bool adds, float *y, size_t y_stride, gemm_bf16_lay_out *lay_out,
                    float *scratch)
{
    struct block block = {.w = w, .panel = scratch, .factor = factor}, next;
    struct rows rows = {x, x_stride, y, y_stride};

    for (bool goes_on = go_on(&block, adds); goes_on; block = next) {
        next = block;
        goes_on = go_on(&next, adds);
        turn_block(&block, lay_out);
        multiply_block(&block, goes_on && is_in_place(w) ? &next : NULL, n_rows, &rows);
    }
}
#endif
