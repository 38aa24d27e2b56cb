/* gemm_ggml_body.h - loaders of ggml's blocks (gemm_kernels.h) for one width of lanes.h: weights as
 * ggml_decode gives them, bit for bit, that never see memory as floats. Layouts: docs/formats.md,
 * "Blocks of GGUF". gemm_ggml_plain.c, gemm_ggml_avx2.c and gemm_ggml_avx512.c include it.
 *
 * Where a vector holds sixteen floats a nibble is looked up in the sixteen values that it can have. */
#ifndef COCKTAIL_GEMM_GGML_BODY_H
#define COCKTAIL_GEMM_GGML_BODY_H

#include "math/gemm_ggml.h"
#include "math/gemm_matrix.h"
#include "math/gemm_parts.h"

enum { SIXTEEN = 16 / LANES }; /* vectors of 16 items */

/* ---- parts of blocks ---- */

LANES_INLINE lanes_integers load_bytes(const char *bytes)
{
#if LANES == 16
    return (lanes_integers)_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)bytes));
#elif LANES == 8
    return (lanes_integers)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)bytes));
#else
    return (lanes_integers){(uint8_t)bytes[0], (uint8_t)bytes[1], (uint8_t)bytes[2],
                            (uint8_t)bytes[3]};
#endif
}

LANES_INLINE lanes_integers load_signed_bytes(const char *bytes)
{
#if LANES == 16
    return (lanes_integers)_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)bytes));
#elif LANES == 8
    return (lanes_integers)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)bytes));
#else
    return (lanes_integers){(int8_t)bytes[0], (int8_t)bytes[1], (int8_t)bytes[2],
                            (int8_t)bytes[3]};
#endif
}

LANES_INLINE lanes to_floats(lanes_integers x)
{
    return __builtin_convertvector(x, lanes);
}

LANES_INLINE float float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* As lanes_load_f16 does it, without a vector's way through memory. */
LANES_INLINE float half_at(const char *bytes)
{
    uint16_t bits;
    uint32_t size, found;
    float value;

    memcpy(&bits, bytes, sizeof bits);
    size = (uint32_t)(bits & 0x7FFF) << 13;
    value = float_of_bits(size) * 0x1p112f;
    memcpy(&found, &value, sizeof found);
    return float_of_bits(found | (size >= 0x7C00u << 13 ? 0x7F800000 : 0) |
                         (uint32_t)(bits & 0x8000) << 16);
}

/* ---- nibbles, and five bits: what they stand for ---- */

enum kind { SCALED, LESS, LEVELS }; /* (i - zero) * scale; i * scale - min; levels[i] * scale */

struct values { /* `kind` and `zero` are constant in every use */
    enum kind kind;
    int zero;
    float scale, min;
#if LANES == 16
    lanes items, more; /* all of them; behind 15, in `more` */
#else
    lanes levels[SIXTEEN]; /* where there are levels: times the scale */
#endif
};

/* Of `x` that is no level. */
LANES_INLINE lanes compute(const struct values *values, lanes_integers x)
{
    if (values->kind == LESS)
        return to_floats(x) * values->scale - values->min;
    return to_floats(x - values->zero) * values->scale;
}

LANES_INLINE struct values values_new(enum kind kind, int zero, float scale, float min)
{
    struct values values = {.kind = kind, .zero = zero, .scale = scale, .min = min};

#if LANES == 16
    const lanes_integers count = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

    values.items = compute(&values, count);
    values.more = compute(&values, count + 16);
#endif
    return values;
}

LANES_INLINE struct values values_of_levels(const int8_t levels[16], float scale)
{
    struct values values = {.kind = LEVELS, .scale = scale};

#if LANES == 16
    values.items = to_floats(load_signed_bytes((const char *)levels)) * scale;
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

/* Of five bits, with none above them; no levels. */
LANES_INLINE lanes look_up_five(const struct values *values, lanes_integers x)
{
#if LANES == 16
    return (lanes)_mm512_permutex2var_ps((__m512)values->items, (__m512i)x, (__m512)values->more);
#else
    return compute(values, x);
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

/* Bit `first` + i of the bits, as 16 or 0. */
LANES_INLINE lanes_integers sixteens(uint32_t bits, size_t first)
{
    lanes_integers x = {0};

    for (int i = 0; i < LANES; i++)
        x[i] = 1 << i;
    return ((((lanes_integers){0} + (int32_t)(bits >> first)) & x) != 0) & 16;
}

/* ---- formats ---- */

LANES_INLINE void tile_q8_0(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 34;
    float scale = half_at(block);

    LANES_UNROLL
    for (size_t v = 0; v < 2 * SIXTEEN; v++)
        w[v] = to_floats(load_signed_bytes(block + 2 + v * LANES)) * scale;
}

LANES_INLINE void tile_q4_0(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 18;
    struct values values = values_new(SCALED, 8, half_at(block), 0);

    split(block + 2, 16, &values, &values, w);
}

LANES_INLINE void tile_q5_0(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 22;
    struct values values = values_new(SCALED, 16, half_at(block), 0);
    uint32_t high;

    memcpy(&high, block + 2, sizeof high);
    LANES_UNROLL
    for (size_t v = 0; v < SIXTEEN; v++) {
        lanes_integers x = load_bytes(block + 6 + v * LANES);

        w[v] = look_up_five(&values, (x & 15) | sixteens(high, v * LANES));
        w[SIXTEEN + v] = look_up_five(&values, (x >> 4) | sixteens(high, 16 + v * LANES));
    }
}

static const int8_t iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

LANES_INLINE void tile_iq4_nl(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 18;
    struct values values = values_of_levels(iq4_levels, half_at(block));

    split(block + 2, 16, &values, &values, w);
}

/* Twice the values of E2M1, times half of 2^(exponent - 127), down to 2^-128. */
LANES_INLINE void tile_mxfp4(const char *row, size_t in, lanes *w)
{
    static const int8_t levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    const char *block = row + in / 32 * 17;
    uint32_t exponent = (uint8_t)block[0];
    uint32_t bits = exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23;
    struct values values = values_of_levels(levels, float_of_bits(bits));

    split(block + 1, 16, &values, &values, w);
}

enum { K_PAIRS = LANES == 16 ? 4 : 1 }; /* of groups in a tile: as many as registers hold */

struct groups { /* of a block of Q4_K or Q5_K */
    float scales[8], mins[8];
};

/* out [8] = factor * the bytes of two words; not through memory, where what was just written in parts
 * is slow to read. */
LANES_INLINE void scale_bytes(uint32_t first, uint32_t second, float factor, float *out)
{
#if LANES >= 8
    __m128i bytes = _mm_cvtsi64_si128((long long)(first | (uint64_t)second << 32));
    __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));

    _mm256_storeu_ps(out, _mm256_mul_ps(values, _mm256_set1_ps(factor)));
#else
    for (int i = 0; i < 8; i++)
        out[i] = factor * (float)((i < 4 ? first : second) >> i % 4 * 8 & 255);
#endif
}

/* Six bits each of a scale and a minimum, which the block's multiply. */
LANES_INLINE struct groups groups_of(const char *block)
{
    struct groups groups = {{0}, {0}};
    uint32_t words[3];

    memcpy(words, block + 4, sizeof words);
    scale_bytes(words[0] & 0x3F3F3F3F, (words[2] & 0x0F0F0F0F) | (words[0] >> 2 & 0x30303030),
                half_at(block), groups.scales);
    scale_bytes(words[1] & 0x3F3F3F3F, (words[2] >> 4 & 0x0F0F0F0F) | (words[1] >> 2 & 0x30303030),
                half_at(block + 2), groups.mins);
    return groups;
}

LANES_INLINE struct values values_of_group(const struct groups *groups, size_t group)
{
    return values_new(LESS, 0, groups->scales[group], groups->mins[group]);
}

LANES_INLINE void tile_q4_k(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 256 * 144;
    struct groups groups = groups_of(block);

    LANES_UNROLL
    for (size_t i = 0; i < K_PAIRS; i++) {
        size_t pair = in / 64 % 4 + i;
        struct values low = values_of_group(&groups, 2 * pair);
        struct values high = values_of_group(&groups, 2 * pair + 1);

        split(block + 16 + 32 * pair, 32, &low, &high, w + 4 * SIXTEEN * i);
    }
}

LANES_INLINE void tile_q5_k(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 256 * 176;
    struct groups groups = groups_of(block);

    LANES_UNROLL
    for (size_t i = 0; i < K_PAIRS; i++, w += 4 * SIXTEEN) {
        size_t pair = in / 64 % 4 + i;
        struct values low = values_of_group(&groups, 2 * pair);
        struct values high = values_of_group(&groups, 2 * pair + 1);

        LANES_UNROLL
        for (size_t v = 0; v < 2 * SIXTEEN; v++) {
            lanes_integers x = load_bytes(block + 48 + 32 * pair + v * LANES);
            lanes_integers fifth = load_bytes(block + 16 + v * LANES) >> (int)(2 * pair);

            w[v] = look_up_five(&low, (x & 15) | (fifth << 4 & 16));
            w[2 * SIXTEEN + v] = look_up_five(&high, (x >> 4) | (fifth << 3 & 16));
        }
    }
}

/* A quarter of a half of a block: 32 items. */
LANES_INLINE void tile_q6_k(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 256 * 210;
    size_t side = in / 128 % 2, quarter = in / 32 % 4;
    const char *low = block + side * 64 + quarter % 2 * 32, *high = block + 128 + side * 32;
    const int8_t *scales = (const int8_t *)block + 192 + side * 8 + quarter * 2;
    float scale = half_at(block + 208);

    LANES_UNROLL
    for (size_t v = 0; v < 2 * SIXTEEN; v++) {
        lanes_integers x = load_bytes(low + v * LANES) >> (int)(quarter / 2 * 4) & 15;
        lanes_integers two = load_bytes(high + v * LANES) >> (int)(2 * quarter) & 3;

        w[v] = to_floats((x | two << 4) - 32) * (scale * (float)scales[v / SIXTEEN]);
    }
}

#define LOADER q8_0
#define LOADER_IN 32
#define LOADER_BYTES 34
#define LOADER_TILE tile_q8_0
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#include "math/gemm_rows.h"

#define LOADER q4_0
#define LOADER_IN 32
#define LOADER_BYTES 18
#define LOADER_TILE tile_q4_0
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#include "math/gemm_rows.h"

#define LOADER q5_0
#define LOADER_IN 32
#define LOADER_BYTES 22
#define LOADER_TILE tile_q5_0
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#include "math/gemm_rows.h"

#define LOADER iq4_nl
#define LOADER_IN 32
#define LOADER_BYTES 18
#define LOADER_TILE tile_iq4_nl
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#include "math/gemm_rows.h"

#define LOADER mxfp4
#define LOADER_IN 32
#define LOADER_BYTES 17
#define LOADER_TILE tile_mxfp4
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#include "math/gemm_rows.h"

#define LOADER q4_k
#define LOADER_IN (K_PAIRS * 64)
#define LOADER_BYTES (K_PAIRS * 36)
#define LOADER_TILE tile_q4_k
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#include "math/gemm_rows.h"

#define LOADER q5_k
#define LOADER_IN (K_PAIRS * 64)
#define LOADER_BYTES (K_PAIRS * 44)
#define LOADER_TILE tile_q5_k
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#include "math/gemm_rows.h"

#define LOADER q6_k
#define LOADER_IN 32
#define LOADER_BYTES 26
#define LOADER_TILE tile_q6_k
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#include "math/gemm_rows.h"

#endif
