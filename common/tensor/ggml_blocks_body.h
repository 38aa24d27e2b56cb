/* ggml_blocks_body.h - the decoders of ggml_blocks.h for one width of vectors; ggml_blocks_plain.c,
 * ggml_blocks_avx2.c and ggml_blocks_avx512.c include it.
 *
 * All widths give the same bits: every value is computed as ggml computes it, in the same order
 * (which decides the sign of zeros), without fused operations. What comes from a lattice or a table
 * is unpacked to small integers first, eight in a register of the processor, and then scaled like
 * any other. */
#ifndef COCKTAIL_GGML_BLOCKS_BODY_H
#define COCKTAIL_GGML_BLOCKS_BODY_H

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "tensor/ggml_blocks.h"
#include "tensor/ggml_lattices.h"

#ifndef LANES
#define LANES 4
#endif

#if LANES > 4
#include <immintrin.h>
#endif

#if LANES == 16
#define TARGET __attribute__((target("avx512f")))
#define VERSION ggml_avx512
#define VERSION_NAME "avx512"
#elif LANES == 8
#define TARGET __attribute__((target("avx2")))
#define VERSION ggml_avx2
#define VERSION_NAME "avx2"
#else
#define TARGET
#define VERSION ggml_plain
#define VERSION_NAME "plain"
#endif

#define INLINE TARGET static inline __attribute__((always_inline))

/* In front of a short loop with constant bounds, so that its arrays become registers. gcc does not
 * unroll all of them at -O2; clang does. */
#if defined(__clang__)
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif

typedef float floats __attribute__((vector_size(LANES * 4)));
typedef int32_t ints __attribute__((vector_size(LANES * 4)));
extern const struct ggml_version VERSION;

/* ---- vectors ---- */

#if LANES == 16
INLINE ints load_unsigned(const uint8_t *in)
{
    return (ints)_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)in));
}

INLINE ints load_signed(const int8_t *in)
{
    return (ints)_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)in));
}
#elif LANES == 8
INLINE ints load_unsigned(const uint8_t *in)
{
    return (ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)in));
}

INLINE ints load_signed(const int8_t *in)
{
    return (ints)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)in));
}
#else
INLINE ints load_unsigned(const uint8_t *in)
{
    return (ints){in[0], in[1], in[2], in[3]};
}

INLINE ints load_signed(const int8_t *in)
{
    return (ints){in[0], in[1], in[2], in[3]};
}
#endif

INLINE void store_scaled(ints x, float scale, float *out)
{
    floats values = __builtin_convertvector(x, floats) * scale;

    memcpy(out, &values, sizeof values);
}

INLINE void store_scaled_less(ints x, float scale, float min, float *out)
{
    floats values = __builtin_convertvector(x, floats) * scale - min;

    memcpy(out, &values, sizeof values);
}

/* `value` in the lanes whose bits are set, in the others 0. */
INLINE ints where_set(uint32_t bits, int value)
{
    static const int32_t first_bits[16] = {1,      2,      4,      8,       16,      32,
                                           64,     128,    256,    512,     1024,    2048,
                                           1 << 12, 1 << 13, 1 << 14, 1 << 15};
    ints lane_bits, x = (ints){0} + (int32_t)bits;

    memcpy(&lane_bits, first_bits, sizeof lane_bits);
    return ((x & lane_bits) != 0) & value;
}

/* out [n] = scale * in, n a multiple of 16 here and below. */
INLINE void scale_signed(const int8_t *in, float scale, size_t n, float *out)
{
    for (size_t i = 0; i < n; i += LANES)
        store_scaled(load_signed(in + i), scale, out + i);
}

/* The same of n bytes that lie eight in a word. Not through memory: reading sixteen bytes that were
 * just written as two words is slow. */
INLINE void scale_words(const uint64_t *words, float scale, size_t n, float *out)
{
#if LANES == 16
    UNROLL
    for (size_t i = 0; i < n; i += LANES) {
        __m128i bytes = _mm_set_epi64x((long long)words[i / 8 + 1], (long long)words[i / 8]);

        store_scaled((ints)_mm512_cvtepi8_epi32(bytes), scale, out + i);
    }
#else
    scale_signed((const int8_t *)words, scale, n, out);
#endif
}

/* ---- scalars ---- */

INLINE float float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* As dtype.c does it: shifted below a float's exponent, then multiplied to where it belongs. */
INLINE float half(uint16_t bits)
{
    uint32_t size = (uint32_t)(bits & 0x7FFF) << 13, sign = (uint32_t)(bits & 0x8000) << 16, found;
    float value = float_of_bits(size) * 0x1p112f;

    memcpy(&found, &value, sizeof found);
    return float_of_bits(found | (size >= 0x7C00u << 13 ? 0x7F800000 : 0) | sign);
}

static const uint64_t ones = 0x0101010101010101;

/* Eight values of 2 bits, each in a byte. */
INLINE uint64_t spread(uint16_t point)
{
    uint64_t x = point;

    x = (x | x << 24) & 0x000000FF000000FF;
    x = (x | x << 12) & 0x000F000F000F000F;
    return (x | x << 6) & 0x0303030303030303;
}

/* Four values of 3 bits. */
INLINE uint32_t spread_four(uint16_t point)
{
    uint32_t x = point;

    return (x & 7) | (x & 0x38) << 5 | (x & 0x1C0) << 10 | (x & 0xE00) << 15;
}

/* Those of eight bytes, 1 … 127, made negative whose bit of `signs` is set. */
INLINE uint64_t with_signs(uint64_t bytes, unsigned signs)
{
    uint64_t bits = signs * ones & 0x8040201008040201;
    uint64_t is_minus = (bits + 0x7F7F7F7F7F7F7F7F) >> 7 & ones;

    return (bytes ^ is_minus * 255) + is_minus;
}

/* Seven signs, and an eighth that makes their number even. */
INLINE unsigned eight_signs(unsigned seven)
{
    unsigned folded = seven ^ seven >> 4;

    return seven | (0x6996u >> (folded & 15) & 1) << 7;
}

/* The levels of IQ2: 8, 25, 43; of IQ3_XXS: 4, 12, 20, … 52, 62; of IQ3_S: 1, 3, … 15. */
INLINE uint64_t iq2_values(uint16_t point)
{
    uint64_t x = spread(point);

    return 8 * ones + 17 * x + (x >> 1 & ones);
}

INLINE uint64_t iq3_xxs_values(uint16_t first, uint16_t second)
{
    uint64_t x = spread_four(first) | (uint64_t)spread_four(second) << 32;

    return 4 * ones + 8 * x + 2 * (x & x >> 1 & x >> 2 & ones);
}

INLINE uint64_t iq3_s_values(uint16_t first, uint16_t second)
{
    return ones + 2 * (spread_four(first) | (uint64_t)spread_four(second) << 32);
}

/* Eight times -1, 0 or 1, and one more or less. */
INLINE uint64_t iq1_values(uint16_t point, bool is_less)
{
    return (8 * spread(point) + (is_less ? 128 - 9 : 128 - 7) * ones) ^ 128 * ones;
}

/* ---- nibbles ---- */

/* The low halves of n bytes to `low`, the high ones to `high`, each scaled with its own. */
INLINE void split_nibbles(const uint8_t *quants, size_t n, int zero, float low_scale,
                          float high_scale, float *low, float *high)
{
    for (size_t i = 0; i < n; i += LANES) {
        ints x = load_unsigned(quants + i);

        store_scaled((x & 15) - zero, low_scale, low + i);
        store_scaled((x >> 4) - zero, high_scale, high + i);
    }
}

static const int8_t iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};
/* E2M1, twice its value. */
static const int8_t fp4_levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* levels [n] = the levels that the low halves of 16 bytes name, then those of the high ones. */
INLINE void look_up_16(const int8_t table[16], const uint8_t quants[16], int8_t levels[32])
{
#if LANES > 4
    __m128i all = _mm_loadu_si128((const void *)table), x = _mm_loadu_si128((const void *)quants);
    __m128i mask = _mm_set1_epi8(15);

    _mm_storeu_si128((void *)levels, _mm_shuffle_epi8(all, _mm_and_si128(x, mask)));
    _mm_storeu_si128((void *)(levels + 16),
                     _mm_shuffle_epi8(all, _mm_and_si128(_mm_srli_epi16(x, 4), mask)));
#else
    for (size_t i = 0; i < 16; i++) {
        levels[i] = table[quants[i] & 15];
        levels[16 + i] = table[quants[i] >> 4];
    }
#endif
}

/* ---- the old formats: 32 values ---- */

struct __attribute__((packed)) block_q4_0 {
    uint16_t scale;
    uint8_t quants[16];
};

TARGET static void decode_q4_0(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q4_0 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++, out += 32) {
        float scale = half(block->scale);

        split_nibbles(block->quants, 16, 8, scale, scale, out, out + 16);
    }
}

struct __attribute__((packed)) block_q4_1 {
    uint16_t scale, add;
    uint8_t quants[16];
};

TARGET static void decode_q4_1(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q4_1 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++, out += 32) {
        float scale = half(block->scale), less = -half(block->add);

        for (size_t k = 0; k < 16; k += LANES) {
            ints x = load_unsigned(block->quants + k);

            store_scaled_less(x & 15, scale, less, out + k);
            store_scaled_less(x >> 4, scale, less, out + 16 + k);
        }
    }
}

struct __attribute__((packed)) block_q5_0 {
    uint16_t scale;
    uint32_t high;
    uint8_t quants[16];
};

TARGET static void decode_q5_0(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q5_0 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++, out += 32) {
        float scale = half(block->scale);
        uint32_t high = block->high;

        for (size_t k = 0; k < 16; k += LANES) {
            ints x = load_unsigned(block->quants + k);

            store_scaled(((x & 15) | where_set(high >> k, 16)) - 16, scale, out + k);
            store_scaled(((x >> 4) | where_set(high >> (16 + k), 16)) - 16, scale, out + 16 + k);
        }
    }
}

struct __attribute__((packed)) block_q5_1 {
    uint16_t scale, add;
    uint32_t high;
    uint8_t quants[16];
};

TARGET static void decode_q5_1(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q5_1 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++, out += 32) {
        float scale = half(block->scale), less = -half(block->add);
        uint32_t high = block->high;

        for (size_t k = 0; k < 16; k += LANES) {
            ints x = load_unsigned(block->quants + k);

            store_scaled_less((x & 15) | where_set(high >> k, 16), scale, less, out + k);
            store_scaled_less((x >> 4) | where_set(high >> (16 + k), 16), scale, less,
                              out + 16 + k);
        }
    }
}

struct __attribute__((packed)) block_q8_0 {
    uint16_t scale;
    int8_t quants[32];
};

TARGET static void decode_q8_0(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q8_0 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++, out += 32)
        scale_signed(block->quants, half(block->scale), 32, out);
}

/* ---- K: 256 values in sixteen or eight groups ---- */

struct __attribute__((packed)) block_q2_k {
    uint8_t scales[16]; /* a scale and a minimum, 4 bits each */
    uint8_t quants[64];
    uint16_t scale, min;
};

TARGET static void decode_q2_k(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q2_k *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 16; group++, out += 16) {
            const uint8_t *quants = block->quants + group / 8 * 32 + group % 2 * 16;
            float scale = half(block->scale) * (float)(block->scales[group] & 15);
            float min = half(block->min) * (float)(block->scales[group] >> 4);
            int shift = (int)(group / 2 % 4 * 2);

            for (size_t k = 0; k < 16; k += LANES)
                store_scaled_less(load_unsigned(quants + k) >> shift & 3, scale, min, out + k);
        }
}

struct __attribute__((packed)) block_q3_k {
    uint8_t high[32]; /* a bit that is not set: 4 less */
    uint8_t quants[64];
    uint8_t scales[12];
    uint16_t scale;
};

TARGET static void decode_q3_k(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q3_k *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 16; group++, out += 16) {
            const uint8_t *quants = block->quants + group / 8 * 32 + group % 2 * 16;
            const uint8_t *high = block->high + group % 2 * 16;
            int six = (block->scales[group % 8] >> group / 8 * 4 & 15) |
                      (block->scales[8 + group % 4] >> group / 4 * 2 & 3) << 4;
            float scale = half(block->scale) * (float)(six - 32);
            int shift = (int)(group / 2 % 4 * 2), bit = (int)(group / 2);

            for (size_t k = 0; k < 16; k += LANES) {
                ints low = load_unsigned(quants + k) >> shift & 3;

                store_scaled(low + (load_unsigned(high + k) >> bit & 1) * 4 - 4, scale, out + k);
            }
        }
}

/* Group j of eight: six bits each of a scale and a minimum. */
INLINE void scale_and_min(const uint8_t scales[12], size_t j, float *scale, float *min)
{
    size_t k = j % 4;

    if (j < 4) {
        *scale *= (float)(scales[k] & 63);
        *min *= (float)(scales[4 + k] & 63);
    } else {
        *scale *= (float)((scales[8 + k] & 15) | scales[k] >> 6 << 4);
        *min *= (float)(scales[8 + k] >> 4 | scales[4 + k] >> 6 << 4);
    }
}

struct __attribute__((packed)) block_q4_k {
    uint16_t scale, min;
    uint8_t scales[12];
    uint8_t quants[128];
};

TARGET static void decode_q4_k(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q4_k *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t pair = 0; pair < 4; pair++, out += 64) {
            float scale = half(block->scale), min = half(block->min), scale2 = scale, min2 = min;

            scale_and_min(block->scales, 2 * pair, &scale, &min);
            scale_and_min(block->scales, 2 * pair + 1, &scale2, &min2);
            for (size_t k = 0; k < 32; k += LANES) {
                ints x = load_unsigned(block->quants + 32 * pair + k);

                store_scaled_less(x & 15, scale, min, out + k);
                store_scaled_less(x >> 4, scale2, min2, out + 32 + k);
            }
        }
}

struct __attribute__((packed)) block_q5_k {
    uint16_t scale, min;
    uint8_t scales[12];
    uint8_t high[32];
    uint8_t quants[128];
};

TARGET static void decode_q5_k(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q5_k *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t pair = 0; pair < 4; pair++, out += 64) {
            float scale = half(block->scale), min = half(block->min), scale2 = scale, min2 = min;
            int bit = (int)(2 * pair);

            scale_and_min(block->scales, 2 * pair, &scale, &min);
            scale_and_min(block->scales, 2 * pair + 1, &scale2, &min2);
            for (size_t k = 0; k < 32; k += LANES) {
                ints x = load_unsigned(block->quants + 32 * pair + k);
                ints high = load_unsigned(block->high + k) >> bit;

                store_scaled_less((x & 15) | (high & 1) << 4, scale, min, out + k);
                store_scaled_less((x >> 4) | (high >> 1 & 1) << 4, scale2, min2, out + 32 + k);
            }
        }
}

struct __attribute__((packed)) block_q6_k {
    uint8_t low[128], high[64];
    int8_t scales[16];
    uint16_t scale;
};

TARGET static void decode_q6_k(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q6_k *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 16; group++, out += 16) {
            size_t quarter = group / 2 % 4, place = group / 8 * 32 + group % 2 * 16;
            const uint8_t *low = block->low + group / 8 * 64 + quarter % 2 * 32 + group % 2 * 16;
            float scale = half(block->scale) * (float)block->scales[group];

            for (size_t k = 0; k < 16; k += LANES) {
                ints x = load_unsigned(low + k) >> (int)(quarter / 2 * 4) & 15;
                ints high = load_unsigned(block->high + place + k) >> (int)(2 * quarter) & 3;

                store_scaled((x | high << 4) - 32, scale, out + k);
            }
        }
}

/* ---- IQ: 256 values from lattices ---- */

struct __attribute__((packed)) block_iq1_s {
    uint16_t scale;
    uint8_t quants[32];
    uint16_t high[8]; /* four times 3 bits of a point, 3 of a scale, a sign */
};

TARGET static void decode_iq1_s(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_iq1_s *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 8; group++, out += 32) {
            unsigned high = block->high[group];
            float scale = half(block->scale) * (float)(2 * (high >> 12 & 7) + 1) * 0.125f;
            uint64_t values[4];

            UNROLL
            for (size_t k = 0; k < 4; k++)
                values[k] = iq1_values(lattice_iq1_s[block->quants[4 * group + k] |
                                                     (high >> 3 * k & 7) << 8],
                                       high >> 15);
            scale_words(values, scale, 32, out);
        }
}

struct __attribute__((packed)) block_iq1_m {
    uint8_t quants[32];
    uint8_t high[16]; /* 3 bits of a point and a sign, for each */
    uint16_t scales[4]; /* four times 3 bits, and 4 bits of the scale of all */
};

TARGET static void decode_iq1_m(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_iq1_m *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++) {
        float all = half((uint16_t)(block->scales[0] >> 12 | (block->scales[1] >> 8 & 0xF0) |
                                    (block->scales[2] >> 4 & 0xF00) |
                                    (block->scales[3] & 0xF000)));

        for (size_t group = 0; group < 16; group++, out += 16) {
            unsigned three = block->scales[group / 4] >> group % 4 * 3 & 7;
            unsigned high = block->high[group];
            uint64_t values[2];

            UNROLL
            for (size_t k = 0; k < 2; k++, high >>= 4)
                values[k] = iq1_values(lattice_iq1_s[block->quants[2 * group + k] |
                                                     (high & 7) << 8],
                                       high >> 3 & 1);
            scale_words(values, all * (float)(2 * three + 1) * 0.125f, 16, out);
        }
    }
}

struct __attribute__((packed)) block_iq2_xxs {
    uint16_t scale;
    struct __attribute__((packed)) {
        uint8_t points[4];
        uint32_t signs; /* four times 7, and 4 bits of a scale */
    } groups[8];
};

TARGET static void decode_iq2_xxs(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_iq2_xxs *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 8; group++, out += 32) {
            uint32_t signs = block->groups[group].signs;
            float scale = half(block->scale) * (0.5f + (float)(signs >> 28)) * 0.25f;
            uint64_t values[4];

            UNROLL
            for (size_t k = 0; k < 4; k++, signs >>= 7)
                values[k] = with_signs(
                    iq2_values(lattice_iq2_xxs[block->groups[group].points[k]]),
                    eight_signs(signs & 127));
            scale_words(values, scale, 32, out);
        }
}

struct __attribute__((packed)) block_iq2_xs {
    uint16_t scale;
    uint16_t quants[32]; /* 9 bits of a point, 7 signs */
    uint8_t scales[8];
};

/* Half a group of 32: the scale of the block, and 4 bits. */
INLINE float iq2_scale(uint16_t scale, const uint8_t scales[8], size_t half_group)
{
    return half(scale) * (0.5f + (float)(scales[half_group / 2] >> half_group % 2 * 4 & 15)) *
           0.25f;
}

TARGET static void decode_iq2_xs(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_iq2_xs *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 16; group++, out += 16) {
            uint64_t values[2];

            UNROLL
            for (size_t k = 0; k < 2; k++) {
                uint16_t quant = block->quants[2 * group + k];

                values[k] = with_signs(iq2_values(lattice_iq2_xs[quant & 511]),
                                       eight_signs(quant >> 9));
            }
            scale_words(values, iq2_scale(block->scale, block->scales, group), 16, out);
        }
}

struct __attribute__((packed)) block_iq2_s {
    uint16_t scale;
    uint8_t quants[32], signs[32], high[8], scales[8];
};

TARGET static void decode_iq2_s(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_iq2_s *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 16; group++, out += 16) {
            uint64_t values[2];

            UNROLL
            for (size_t k = 0; k < 2; k++) {
                size_t m = 2 * group + k;
                unsigned high = block->high[m / 4] >> m % 4 * 2 & 3;

                values[k] = with_signs(iq2_values(lattice_iq2_s[block->quants[m] | high << 8]),
                                       block->signs[m]);
            }
            scale_words(values, iq2_scale(block->scale, block->scales, group), 16, out);
        }
}

struct __attribute__((packed)) block_iq3_xxs {
    uint16_t scale;
    uint8_t quants[64];
    uint32_t signs[8]; /* four times 7, and 4 bits of a scale */
};

TARGET static void decode_iq3_xxs(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_iq3_xxs *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 8; group++, out += 32) {
            uint32_t signs = block->signs[group];
            float scale = half(block->scale) * (0.5f + (float)(signs >> 28)) * 0.5f;
            const uint8_t *quants = block->quants + 8 * group;
            uint64_t values[4];

            UNROLL
            for (size_t k = 0; k < 4; k++, signs >>= 7)
                values[k] = with_signs(iq3_xxs_values(lattice_iq3_xxs[quants[2 * k]],
                                                      lattice_iq3_xxs[quants[2 * k + 1]]),
                                       eight_signs(signs & 127));
            scale_words(values, scale, 32, out);
        }
}

struct __attribute__((packed)) block_iq3_s {
    uint16_t scale;
    uint8_t quants[64], high[8], signs[32], scales[4];
};

TARGET static void decode_iq3_s(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_iq3_s *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 8; group++, out += 32) {
            unsigned four = block->scales[group / 2] >> group % 2 * 4 & 15;
            const uint8_t *quants = block->quants + 8 * group;
            unsigned high = block->high[group];
            uint64_t values[4];

            UNROLL
            for (size_t k = 0; k < 4; k++, high >>= 2)
                values[k] = with_signs(
                    iq3_s_values(lattice_iq3_s[quants[2 * k] | (high & 1) << 8],
                                 lattice_iq3_s[quants[2 * k + 1] | (high >> 1 & 1) << 8]),
                    block->signs[4 * group + k]);
            scale_words(values, half(block->scale) * (float)(1 + 2 * four), 32, out);
        }
}

/* ---- levels from tables ---- */

TARGET static void decode_iq4_nl(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q4_0 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++, out += 32) {
        int8_t levels[32];

        look_up_16(iq4_levels, block->quants, levels);
        scale_signed(levels, half(block->scale), 32, out);
    }
}

struct __attribute__((packed)) block_iq4_xs {
    uint16_t scale, high;
    uint8_t low[4];
    uint8_t quants[128];
};

TARGET static void decode_iq4_xs(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_iq4_xs *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 8; group++, out += 32) {
            int six = (block->low[group / 2] >> group % 2 * 4 & 15) |
                      (block->high >> 2 * group & 3) << 4;
            int8_t levels[32];

            look_up_16(iq4_levels, block->quants + 16 * group, levels);
            scale_signed(levels, half(block->scale) * (float)(six - 32), 32, out);
        }
}

struct block_mxfp4 {
    uint8_t exponent;
    uint8_t quants[16];
};

/* Half of 2^(exponent - 127), for levels that are twice their value: down to 2^-128. */
INLINE float half_power(uint8_t exponent)
{
    return float_of_bits(exponent < 2 ? 0x00200000u << exponent : (exponent - 1u) << 23);
}

TARGET static void decode_mxfp4(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_mxfp4 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++, out += 32) {
        int8_t levels[32];

        look_up_16(fp4_levels, block->quants, levels);
        scale_signed(levels, half_power(block->exponent), 32, out);
    }
}

struct block_nvfp4 {
    uint8_t scales[4];
    uint8_t quants[32];
};

/* Half of an E4M3 whose sign does not count. The NaN without it is 0, that with it 480, for ggml
 * takes no notice of the latter. */
INLINE float half_e4m3(uint8_t bits)
{
    return bits == 0x7F ? 0 : float_of_bits((uint32_t)(bits & 0x7F) << 20) * 0x1p119f;
}

TARGET static void decode_nvfp4(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_nvfp4 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t pair = 0; pair < 2; pair++, out += 32) {
            int8_t levels[32], ordered[32];

            /* Of each eight bytes the low halves come first, then the high ones. */
            look_up_16(fp4_levels, block->quants + 16 * pair, levels);
            memcpy(ordered, levels, 8);
            memcpy(ordered + 8, levels + 16, 8);
            memcpy(ordered + 16, levels + 8, 8);
            memcpy(ordered + 24, levels + 24, 8);
            scale_signed(ordered, half_e4m3(block->scales[2 * pair]), 16, out);
            scale_signed(ordered + 16, half_e4m3(block->scales[2 * pair + 1]), 16, out + 16);
        }
}

/* ---- a few values each ---- */

struct __attribute__((packed)) block_tq1_0 {
    uint8_t quants[48]; /* five values each, as digits to base 3 behind the point */
    uint8_t last[4];    /* four */
    uint16_t scale;
};

static const uint8_t powers_of_3[5] = {1, 3, 9, 27, 81};

TARGET static void decode_tq1_0(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_tq1_0 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++, out += 256) {
        float scale = half(block->scale);
        uint8_t quants[240];

        for (size_t k = 0; k < 5; k++) {
            for (size_t j = 0; j < 32; j++)
                quants[32 * k + j] = (uint8_t)(block->quants[j] * powers_of_3[k]);
            for (size_t j = 0; j < 16; j++)
                quants[160 + 16 * k + j] = (uint8_t)(block->quants[32 + j] * powers_of_3[k]);
        }
        for (size_t k = 0; k < 240; k += LANES)
            store_scaled((load_unsigned(quants + k) * 3 >> 8) - 1, scale, out + k);
        for (size_t k = 0; k < 16; k++)
            quants[k] = (uint8_t)(block->last[k % 4] * powers_of_3[k / 4]);
        for (size_t k = 0; k < 16; k += LANES)
            store_scaled((load_unsigned(quants + k) * 3 >> 8) - 1, scale, out + 240 + k);
    }
}

struct __attribute__((packed)) block_tq2_0 {
    uint8_t quants[64];
    uint16_t scale;
};

TARGET static void decode_tq2_0(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_tq2_0 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++)
        for (size_t group = 0; group < 8; group++, out += 32)
            for (size_t k = 0; k < 32; k += LANES) {
                ints x = load_unsigned(block->quants + group / 4 * 32 + k);

                store_scaled((x >> (int)(group % 4 * 2) & 3) - 1, half(block->scale), out + k);
            }
}

struct __attribute__((packed)) block_q1_0 {
    uint16_t scale;
    uint8_t quants[16];
};

TARGET static void decode_q1_0(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q1_0 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++, out += 128)
        for (size_t k = 0; k < 128; k += LANES) {
            uint32_t bits = block->quants[k / 8] >> k % 8;

            if (LANES == 16)
                bits |= (uint32_t)block->quants[k / 8 + 1] << 8;
            store_scaled(where_set(bits, 2) - 1, half(block->scale), out + k);
        }
}

struct __attribute__((packed)) block_q2_0 {
    uint16_t scale;
    uint8_t quants[16];
};

TARGET static void decode_q2_0(const void *blocks, size_t n_blocks, float *out)
{
    const struct block_q2_0 *block = blocks;

    for (size_t i = 0; i < n_blocks; i++, block++, out += 64) {
        int8_t values[64];

        for (size_t k = 0; k < 64; k++)
            values[k] = (int8_t)((block->quants[k / 4] >> k % 4 * 2 & 3) - 1);
        scale_signed(values, half(block->scale), 64, out);
    }
}

const struct ggml_version VERSION = {
    VERSION_NAME,
    {
        [GGML_Q4_0] = decode_q4_0, [GGML_Q4_1] = decode_q4_1, [GGML_Q5_0] = decode_q5_0,
        [GGML_Q5_1] = decode_q5_1, [GGML_Q8_0] = decode_q8_0, [GGML_Q2_K] = decode_q2_k,
        [GGML_Q3_K] = decode_q3_k, [GGML_Q4_K] = decode_q4_k, [GGML_Q5_K] = decode_q5_k,
        [GGML_Q6_K] = decode_q6_k, [GGML_IQ1_S] = decode_iq1_s, [GGML_IQ1_M] = decode_iq1_m,
        [GGML_IQ2_XXS] = decode_iq2_xxs, [GGML_IQ2_XS] = decode_iq2_xs,
        [GGML_IQ2_S] = decode_iq2_s, [GGML_IQ3_XXS] = decode_iq3_xxs,
        [GGML_IQ3_S] = decode_iq3_s, [GGML_IQ4_NL] = decode_iq4_nl,
        [GGML_IQ4_XS] = decode_iq4_xs, [GGML_TQ1_0] = decode_tq1_0, [GGML_TQ2_0] = decode_tq2_0,
        [GGML_MXFP4] = decode_mxfp4, [GGML_NVFP4] = decode_nvfp4, [GGML_Q1_0] = decode_q1_0,
        [GGML_Q2_0] = decode_q2_0,
    },
};

#endif
