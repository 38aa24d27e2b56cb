/* gemm_ggml_parts.h - what is packed in ggml's blocks, for one width of lanes.h: bytes and scales.
 * Layouts: docs/formats.md, "Blocks of GGUF". */
#ifndef COCKTAIL_GEMM_GGML_PARTS_H
#define COCKTAIL_GEMM_GGML_PARTS_H

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

/* ---- levels ---- */

static const int8_t iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

/* Twice the values of E2M1, times half of 2^(exponent - 127), down to 2^-128. */
static const int8_t mxfp4_levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

LANES_INLINE float mxfp4_scale(const char *block)
{
    uint32_t exponent = (uint8_t)block[0];

    return float_of_bits(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
}

/* ---- integers of five bits and more, and scales ---- */

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

#endif
