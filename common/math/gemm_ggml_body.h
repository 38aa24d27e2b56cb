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

LANES_INLINE lanes halves_at(const char *bytes)
{
#if LANES == 16
    uint16_t bits;

    memcpy(&bits, bytes, sizeof bits);
    return (lanes)_mm512_cvtph_ps(_mm256_set1_epi16((short)bits));
#elif LANES == 8
    uint16_t bits;

    memcpy(&bits, bytes, sizeof bits);
    return (lanes)_mm256_cvtph_ps(_mm_set1_epi16((short)bits));
#else
    return lanes_set(half_at(bytes));
#endif
}

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
    const lanes_integers count = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

    values.items = compute(&values, count);
#endif
    return values;
}

LANES_INLINE struct values values_of_levels(const int8_t levels[16], lanes scale)
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

/* Nibbles, the low ones of 16 bytes first, with a fifth bit of each: less 16. */
LANES_INLINE void q5_0_bytes(const char *nibbles, uint32_t fifth, int8_t q[32])
{
#if LANES >= 8
    const __m256i bytes = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
                                           2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i others = _mm256_set1_epi64x(0x7FBFDFEFF7FBFDFE);
    __m128i pairs = _mm_loadu_si128((const void *)nibbles);
    __m256i x = _mm256_inserti128_si256(_mm256_castsi128_si256(pairs), _mm_srli_epi16(pairs, 4), 1);
    __m256i bits = _mm256_shuffle_epi8(_mm256_set1_epi32((int)fifth), bytes);
    __m256i is_set = _mm256_cmpeq_epi8(_mm256_or_si256(bits, others), _mm256_set1_epi8(-1));

    x = _mm256_and_si256(x, _mm256_set1_epi8(15));
    x = _mm256_or_si256(x, _mm256_andnot_si256(is_set, _mm256_set1_epi8(-16)));
    _mm256_storeu_si256((void *)q, x);
#else
    for (int i = 0; i < 32; i++)
        q[i] = (int8_t)(((uint8_t)nibbles[i % 16] >> i / 16 * 4 & 15) +
                        (int)(fifth >> i & 1) * 16 - 16);
#endif
}

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

static const int8_t iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

LANES_INLINE void tile_iq4_nl(const char *row, size_t in, lanes *w)
{
    const char *block = row + in / 32 * 18;
    struct values values = values_of_levels(iq4_levels, halves_at(block));

    split(block + 2, 16, &values, &values, w);
}

/* Twice the values of E2M1, times half of 2^(exponent - 127), down to 2^-128. */
LANES_INLINE void tile_mxfp4(const char *row, size_t in, lanes *w)
{
    static const int8_t levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    const char *block = row + in / 32 * 17;
    uint32_t exponent = (uint8_t)block[0];
    uint32_t bits = exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23;
    struct values values = values_of_levels(levels, lanes_set(float_of_bits(bits)));

    split(block + 1, 16, &values, &values, w);
}

struct groups { /* of a block of Q4_K or Q5_K */
    const char *block;
    float scales[8], shifts[8]; /* less the minimum */
    int8_t q[256]; /* Q5_K */
};

#if LANES >= 8
/* out [8] = factor * x; not lane by lane through memory, where what was just written in parts is
 * slow to read. */
LANES_INLINE void scale_eight(__m256i x, lanes factor, float *out)
{
    __m256 factors;

    memcpy(&factors, &factor, sizeof factors);
    _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_cvtepi32_ps(x), factors));
}
#endif

/* Of the twelve bytes behind the block's two halves, six bits each for eight scales, then for eight
 * minima, which these halves multiply. */
LANES_INLINE void begin_groups(const char *block, struct groups *groups)
{
#if LANES >= 8
    const __m128i words = _mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m128i pairs = _mm_setr_epi8(-1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, 11);
    __m128i bytes = _mm_loadu_si128((const void *)block), low, high;

    low = _mm_srlv_epi32(_mm_shuffle_epi8(bytes, words), _mm_setr_epi32(0, 0, 0, 4));
    low = _mm_and_si128(low, _mm_setr_epi32(0x3F3F3F3F, 0x0F0F0F0F, 0x3F3F3F3F, 0x0F0F0F0F));
    high = _mm_and_si128(_mm_srli_epi32(_mm_shuffle_epi8(bytes, pairs), 2), _mm_set1_epi8(0x30));
    low = _mm_or_si128(low, high);
    scale_eight(_mm256_cvtepu8_epi32(low), halves_at(block), groups->scales);
    scale_eight(_mm256_cvtepu8_epi32(_mm_srli_si128(low, 8)), -halves_at(block + 2),
                groups->shifts);
#else
    uint8_t bytes[16];

    memcpy(bytes, block + 4, 12);
    for (int i = 0; i < 4; i++) {
        int last = bytes[8 + i];

        bytes[8 + i] = (uint8_t)((last & 15) | (bytes[i] >> 2 & 48));
        bytes[12 + i] = (uint8_t)((last >> 4) | (bytes[4 + i] >> 2 & 48));
    }
    for (int i = 0; i < 8; i++) {
        int place = i < 4 ? i : i + 4;

        groups->scales[i] = half_at(block) * (float)(bytes[place] & 63);
        groups->shifts[i] = -half_at(block + 2) * (float)(bytes[place + 4] & 63);
    }
#endif
    groups->block = block;
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

/* Nibbles, low ones of 32 bytes first, and bit number `group` of 32 bytes as the fifth. */
LANES_INLINE void q5_k_bytes(const char *nibbles, const char *fifths, int8_t q[256])
{
#if LANES >= 8
    const __m256i four = _mm256_set1_epi8(15), one = _mm256_set1_epi8(16);
    __m256i h = _mm256_loadu_si256((const void *)fifths);

    LANES_UNROLL
    for (int pair = 0; pair < 4; pair++) {
        __m256i x = _mm256_loadu_si256((const void *)(nibbles + 32 * pair));
        __m256i low = _mm256_slli_epi16(_mm256_srli_epi16(h, 2 * pair), 4);
        __m256i high = _mm256_slli_epi16(_mm256_srli_epi16(h, 2 * pair + 1), 4);

        low = _mm256_or_si256(_mm256_and_si256(x, four), _mm256_and_si256(low, one));
        high = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(x, 4), four),
                               _mm256_and_si256(high, one));
        _mm256_storeu_si256((void *)(q + 64 * pair), low);
        _mm256_storeu_si256((void *)(q + 64 * pair + 32), high);
    }
#else
    for (int i = 0; i < 256; i++)
        q[i] = (int8_t)(((uint8_t)nibbles[i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15) |
                        ((uint8_t)fifths[i % 32] >> i / 32 & 1) << 4);
#endif
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

/* The six bits of half a block, less 32: quarter by quarter. */
LANES_INLINE void q6_k_bytes(const char *low, const char *high, int8_t q[128])
{
#if LANES >= 8
    const __m256i four = _mm256_set1_epi8(15), two = _mm256_set1_epi8(48);
    const __m256i middle = _mm256_set1_epi8(32);
    __m256i a = _mm256_loadu_si256((const void *)low);
    __m256i b = _mm256_loadu_si256((const void *)(low + 32));
    __m256i h = _mm256_loadu_si256((const void *)high);
    __m256i lows[] = {a, b, _mm256_srli_epi16(a, 4), _mm256_srli_epi16(b, 4)};
    __m256i highs[] = {_mm256_slli_epi16(h, 4), _mm256_slli_epi16(h, 2), h,
                       _mm256_srli_epi16(h, 2)};

    LANES_UNROLL
    for (int i = 0; i < 4; i++) {
        __m256i x = _mm256_or_si256(_mm256_and_si256(lows[i], four),
                                    _mm256_and_si256(highs[i], two));

        _mm256_storeu_si256((void *)(q + 32 * i), _mm256_sub_epi8(x, middle));
    }
#else
    for (int i = 0; i < 128; i++) {
        int four = (uint8_t)low[i % 64] >> i / 64 * 4 & 15;

        q[i] = (int8_t)((four | ((uint8_t)high[i % 32] >> i / 32 * 2 & 3) << 4) - 32);
    }
#endif
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
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER q4_0
#define LOADER_IN 32
#define LOADER_BYTES 18
#define LOADER_TILE tile_q4_0
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER q5_0
#define LOADER_IN 32
#define LOADER_BYTES 22
#define LOADER_TILE tile_q5_0
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER iq4_nl
#define LOADER_IN 32
#define LOADER_BYTES 18
#define LOADER_TILE tile_iq4_nl
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER mxfp4
#define LOADER_IN 32
#define LOADER_BYTES 17
#define LOADER_TILE tile_mxfp4
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER q4_k
#define LOADER_IN 64
#define LOADER_BYTES 144
#define LOADER_BLOCK struct groups
#define LOADER_BLOCK_IN 256
#define LOADER_BEGIN begin_q4_k
#define LOADER_TILE tile_q4_k
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER q5_k
#define LOADER_IN 32
#define LOADER_BYTES 176
#define LOADER_BLOCK struct groups
#define LOADER_BLOCK_IN 256
#define LOADER_BEGIN begin_q5_k
#define LOADER_TILE tile_q5_k
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#define LOADER q6_k
#define LOADER_IN 32
#define LOADER_BYTES 105
#define LOADER_BLOCK struct half_q6_k
#define LOADER_BLOCK_IN 128
#define LOADER_BEGIN begin_q6_k
#define LOADER_TILE tile_q6_k
#define LOADER_ROW(matrix, out) gemm_ggml_row(matrix, out)
#define LOADER_OUTS 4
#include "math/gemm_rows.h"

#endif
