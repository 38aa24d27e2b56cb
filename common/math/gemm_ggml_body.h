/* gemm_ggml_body.h - loaders of ggml's blocks (gemm_kernels.h) for one width of lanes.h: weights as
 * ggml_decode gives them, bit for bit, that never see memory as floats. Layouts: docs/formats.md,
 * "Blocks of GGUF". gemm_ggml_plain.c, gemm_ggml_avx2.c and gemm_ggml_avx512.c include it.
 *
 * Where a vector holds sixteen floats a nibble is looked up in the sixteen values that it can have. */
#ifndef COCKTAIL_GEMM_GGML_BODY_H
#define COCKTAIL_GEMM_GGML_BODY_H

#include "math/gemm_ggml.h"
#include "math/gemm_ggml_parts.h"
#include "math/gemm_matrix.h"

/* ---- nibbles: what they stand for ---- */

/* (i - zero) * scale; i * scale + shift; levels[i] * scale */
enum kind { SCALED, SHIFTED, LEVELS };

struct values { /* `kind` and `zero` are constant in every use */
    enum kind kind;
    int zero;
    lanes scale, shift; /* the same in all lanes */
#if LANES == 16
    lanes items; /* all of them */
#else
    lanes levels[SIXTEEN]; /* where there are levels: times the scale */
#endif
};

/* x * scale + shift; the product is exact, of 11, 6 and 5 bits. */
LANES_INLINE lanes scale_and_shift(lanes x, lanes scale, lanes shift)
{
#if LANES > 4
    return lanes_multiply_add(x, scale, shift);
#else
    return x * scale + shift;
#endif
}

/* Of `x` that is no level. */
LANES_INLINE lanes compute(const struct values *values, lanes_integers x)
{
    if (values->kind == SHIFTED)
        return scale_and_shift(to_floats(x), values->scale, values->shift);
    return to_floats(x - values->zero) * values->scale;
}

LANES_INLINE struct values values_new(enum kind kind, int zero, lanes scale, lanes shift)
{
    struct values values = {.kind = kind, .zero = zero, .scale = scale, .shift = shift};

#if LANES == 16
    lanes_integers count = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

    lanes numbers = to_floats(count - zero);

    /* in a register, not read from memory every time: loads are what runs out */
    __asm__("" : "+v"(numbers));
    /* the product is exact: two operations, each of which reads from memory what all lanes share, which
     * one that is fused cannot do for both, and to spread a number out takes as long as to multiply */
    values.items = kind == SHIFTED ? numbers * scale + shift : numbers * scale;
#endif
    return values;
}

LANES_INLINE struct values values_of_levels(const int8_t levels[16], lanes scale)
{
    struct values values = {.kind = LEVELS, .scale = scale};

#if LANES == 16
    lanes numbers = to_floats(load_signed_bytes((const char *)levels));

    __asm__("" : "+v"(numbers));
    values.items = numbers * scale;
#else
    for (int v = 0; v < SIXTEEN; v++)
        values.levels[v] = to_floats(load_signed_bytes((const char *)levels + v * LANES)) * scale;
#endif
    return values;
}

#if LANES < 16
LANES_INLINE lanes look_up_level(const struct values *values, lanes_integers x)
{
#if LANES == 8
    __m256 low = _mm256_permutevar8x32_ps((__m256)values->levels[0], (__m256i)x);
    __m256 high = _mm256_permutevar8x32_ps((__m256)values->levels[1], (__m256i)x);

    return (lanes)_mm256_blendv_ps(low, high, (__m256)(x << 28));
#else
    lanes y = {0};

    for (int i = 0; i < LANES; i++)
        y[i] = values->levels[(x[i] & 15) / LANES][x[i] % LANES];
    return y;
#endif
}
#endif

/* Of the low four bits. */
LANES_INLINE lanes look_up(const struct values *values, lanes_integers x)
{
#if LANES == 16
    return (lanes)_mm512_permutexvar_ps((__m512i)x, (__m512)values->items);
#else
    return values->kind == LEVELS ? look_up_level(values, x) : compute(values, x & 15);
#endif
}

/* n bytes: w [n / LANES] of the low halves, then as many of the high ones. */
LANES_INLINE void split(const char *bytes, size_t n, const struct values *low,
                        const struct values *high, lanes *w)
{
    LANES_UNROLL
    for (size_t v = 0; v < n / LANES; v++) {
        lanes_integers x = load_bytes(bytes + v * LANES);

        w[v] = look_up(low, x);
        w[n / LANES + v] = look_up(high, x >> 4);
    }
}

/* ---- formats ---- */

LANES_INLINE void tile_q8_0(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 34;
    lanes scale = halves_at(block);

    LANES_UNROLL
    for (size_t v = 0; v < 2 * SIXTEEN; v++)
        w[v] = to_floats(load_signed_bytes(block + 2 + v * LANES)) * scale;
}

LANES_INLINE void tile_q4_0(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 18;
    struct values values = values_new(SCALED, 8, halves_at(block), lanes_set(0));

    split(block + 2, 16, &values, &values, w);
}

#if LANES == 16
/* Looked up among the values without the fifth bit, and those with it. */
LANES_INLINE void tile_q5_0(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 22;
    lanes scale = halves_at(block);
    struct values without = values_new(SCALED, 16, scale, lanes_set(0));
    struct values with = values_new(SCALED, 0, scale, lanes_set(0));
    __m512i x = (__m512i)load_bytes(block + 6);
    uint32_t fifth;

    memcpy(&fifth, block + 2, sizeof fifth);
    LANES_UNROLL
    for (size_t v = 0; v < 2; v++) {
        __m512i places = _mm512_and_si512(v ? _mm512_srli_epi32(x, 4) : x, _mm512_set1_epi32(15));

        places = _mm512_mask_or_epi32(places, (__mmask16)(fifth >> 16 * v), places,
                                      _mm512_set1_epi32(16));
        w[v] = (lanes)_mm512_permutex2var_ps((__m512)without.items, places, (__m512)with.items);
    }
}
#else
LANES_INLINE void tile_q5_0(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 22;
    lanes scale = halves_at(block);
    uint32_t fifth;
    int8_t q[32];

    memcpy(&fifth, block + 2, sizeof fifth);
    q5_0_bytes(block + 6, fifth, q);
    LANES_UNROLL
    for (size_t v = 0; v < 2 * SIXTEEN; v++)
        w[v] = to_floats(load_signed_bytes((const char *)q + v * LANES)) * scale;
}
#endif

LANES_INLINE void tile_iq4_nl(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 18;
    struct values values = values_of_levels(iq4_levels, halves_at(block));

    split(block + 2, 16, &values, &values, w);
}

LANES_INLINE void tile_mxfp4(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 17;
    struct values values = values_of_levels(mxfp4_levels, lanes_set(mxfp4_scale(block)));

    split(block + 1, 16, &values, &values, w);
}

LANES_INLINE void begin_q4_k(const char *row, size_t in, struct groups *groups)
{
    begin_groups(row + in / 256 * 144, groups);
}

LANES_INLINE struct values values_of_group(const struct groups *groups, size_t group)
{
    return values_new(SHIFTED, 0, lanes_set(groups->scales[group]),
                      lanes_set(groups->shifts[group]));
}

LANES_INLINE void tile_q4_k(const struct groups *groups, size_t in, lanes *w)
{
    size_t pair = in / 64 % 4;
    struct values low = values_of_group(groups, 2 * pair);
    struct values high = values_of_group(groups, 2 * pair + 1);

    split(groups->block + 16 + 32 * pair, 32, &low, &high, w);
}

LANES_INLINE void begin_q5_k(const char *row, size_t in, struct groups *groups)
{
    const char *block = row + in / 256 * 176;

    begin_groups(block, groups);
    q5_k_bytes(block + 48, block + 16, groups->q);
}

LANES_INLINE void tile_q5_k(const struct groups *groups, size_t in, lanes *w)
{
    size_t group = in / 32 % 8;
    const char *q = (const char *)groups->q + 32 * group;

    LANES_UNROLL
    for (size_t v = 0; v < 2 * SIXTEEN; v++)
        w[v] = scale_and_shift(to_floats(load_bytes(q + v * LANES)),
                               lanes_set(groups->scales[group]),
                               lanes_set(groups->shifts[group]));
}

/* Of a block: eight groups, with a byte each that the block's scale multiplies. */
struct half_q6_k {
    float scales[8];
    int8_t q[128];
};

LANES_INLINE void begin_q6_k(const char *row, size_t in, struct half_q6_k *half)
{
    const char *block = row + in / 256 * 210;
    size_t side = in / 128 % 2;
    const char *scales = block + 192 + side * 8;

    q6_k_bytes(block + side * 64, block + 128 + side * 32, half->q);
#if LANES >= 8
    scale_eight(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)scales)), halves_at(block + 208),
                half->scales);
#else
    for (size_t i = 0; i < 8; i++)
        half->scales[i] = half_at(block + 208) * (float)(int8_t)scales[i];
#endif
}

LANES_INLINE void tile_q6_k(const struct half_q6_k *half, size_t in, lanes *w)
{
    size_t first = in % 128;

    LANES_UNROLL
    for (size_t v = 0; v < 2 * SIXTEEN; v++)
        w[v] = to_floats(load_signed_bytes((const char *)half->q + first + v * LANES)) *
               lanes_set(half->scales[first / 16 + v / SIXTEEN]);
}

#define LOADER q8_0
#define LOADER_IN 32
#define LOADER_BYTES 34
#define LOADER_TILE tile_q8_0
#define LOADER_ROW(matrix, out) gemm_ggml_row_of(matrix, out, 32, 34)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER q4_0
#define LOADER_IN 32
#define LOADER_BYTES 18
#define LOADER_TILE tile_q4_0
#define LOADER_ROW(matrix, out) gemm_ggml_row_of(matrix, out, 32, 18)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER q5_0
#define LOADER_IN 32
#define LOADER_BYTES 22
#define LOADER_TILE tile_q5_0
#define LOADER_ROW(matrix, out) gemm_ggml_row_of(matrix, out, 32, 22)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER iq4_nl
#define LOADER_IN 32
#define LOADER_BYTES 18
#define LOADER_TILE tile_iq4_nl
#define LOADER_ROW(matrix, out) gemm_ggml_row_of(matrix, out, 32, 18)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER mxfp4
#define LOADER_IN 32
#define LOADER_BYTES 17
#define LOADER_TILE tile_mxfp4
#define LOADER_ROW(matrix, out) gemm_ggml_row_of(matrix, out, 32, 17)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER q4_k
#define LOADER_IN 64
#define LOADER_BYTES 144
#define LOADER_BLOCK struct groups
#define LOADER_BLOCK_IN 256
#define LOADER_BEGIN begin_q4_k
#define LOADER_TILE tile_q4_k
#define LOADER_ROW(matrix, out) gemm_ggml_row_of(matrix, out, 256, 144)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER q5_k
#define LOADER_IN 32
#define LOADER_BYTES 176
#define LOADER_BLOCK struct groups
#define LOADER_BLOCK_IN 256
#define LOADER_BEGIN begin_q5_k
#define LOADER_TILE tile_q5_k
#define LOADER_ROW(matrix, out) gemm_ggml_row_of(matrix, out, 256, 176)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER q6_k
#define LOADER_IN 32
#define LOADER_BYTES 105
#define LOADER_BLOCK struct half_q6_k
#define LOADER_BLOCK_IN 128
#define LOADER_BEGIN begin_q6_k
#define LOADER_TILE tile_q6_k
#define LOADER_ROW(matrix, out) gemm_ggml_row_of(matrix, out, 256, 210)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#endif
