/* gemm_int8_k_body.h - blocks of 256 by gemm_int8.h; gemm_int8_plain.c, gemm_int8_avx2.c and
 * gemm_int8_vnni.c include it.
 *
 * A block goes in four steps of 64 inputs. One row takes blocks as they lie; for more, those of some outputs
 * are unpacked once. */
#ifndef COCKTAIL_GEMM_INT8_K_BODY_H
#define COCKTAIL_GEMM_INT8_K_BODY_H

#include "math/gemm_int8_parts.h"

enum {
    int8_k_block_items = INT8_BLOCK,
    STEP = 64,
    STEPS = INT8_BLOCK / STEP,
    HALF_GROUP = 16,
};

/* ---- x ---- */

struct int8_k_row { /* a packed row of x; arrays follow one another */
    const int8_t *q;     /* [n_in] */
    const int16_t *sums; /* [n_in / 16]: of q */
    const float *scales; /* [blocks] */
};

static struct int8_k_row int8_k_row_at(const char *packed, size_t n_in)
{
    return (struct int8_k_row){(const int8_t *)packed,
                               (const int16_t *)(const void *)(packed + n_in),
                               (const float *)(const void *)(packed + n_in + n_in / 8)};
}

static size_t int8_k_row_bytes(size_t n_in)
{
    return (n_in + n_in / 8 + n_in / INT8_BLOCK * sizeof(float) + 63) / 64 * 64;
}

INT8_INLINE int16_t sum_of_16(const int8_t *q)
{
#if LANES == 8
    __m128i sums = _mm_madd_epi16(
        _mm_maddubs_epi16(_mm_set1_epi8(1), _mm_loadu_si128((const void *)q)), _mm_set1_epi16(1));

    sums = _mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums));
    return (int16_t)_mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_shuffle_epi32(sums, 1)));
#else
    int sum = 0;

    for (int i = 0; i < HALF_GROUP; i++)
        sum += q[i];
    return (int16_t)sum;
#endif
}

/* Where group number `group` of a block stands in q. With vectors of 64 bytes nibbles of two groups
 * that lie 64 inputs apart are unpacked together. */
INT8_INLINE size_t group_place(enum ggml_format format, size_t group)
{
#if defined(INT8_VNNI)
    static const uint8_t places[8] = {0, 2, 1, 3, 4, 6, 5, 7};

    return format == GGML_Q6_K ? group : places[group];
#else
    (void)format;
    return group;
#endif
}

INT8_TARGET static void int8_k_pack(const struct gemm_matrix *w, size_t n_rows, const float *x,
                                    size_t x_stride, char *packed)
{
    for (; n_rows > 0; n_rows--, x += x_stride, packed += int8_k_row_bytes(w->n_in)) {
        struct int8_k_row row = int8_k_row_at(packed, w->n_in);
        int8_t *q = (int8_t *)row.q;
        int16_t *sums = (int16_t *)row.sums;
        float *scales = (float *)row.scales;

        for (size_t in = 0; in < w->n_in; in += INT8_BLOCK) {
            int8_t items[INT8_BLOCK];

            scales[in / INT8_BLOCK] = round_inputs(x + in, INT8_BLOCK, items);
            for (size_t i = 0; i < INT8_BLOCK; i += HALF_GROUP)
                sums[(in + i) / HALF_GROUP] = sum_of_16(items + i);
            for (size_t g = 0; g < 8; g++)
                memcpy(q + in + 32 * group_place(int8_format(w), g), items + 32 * g, 32);
        }
    }
}

/* ---- weights: u of a step ---- */

#if defined(INT8_VNNI)
typedef __m512i step_bytes;

INT8_INLINE step_bytes both_halves(const char *bytes)
{
    return _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)bytes));
}

/* One number in each 32 bits of the first half, another in the second. */
INT8_INLINE __m512i halves(int low, int high)
{
    return _mm512_inserti64x4(_mm512_set1_epi32(low), _mm256_set1_epi32(high), 1);
}

/* u | bits number `low` (first half) and `high` of 32 bytes, as far as `mask` goes, at its place. */
INT8_INLINE step_bytes step_add_bits(step_bytes u, const char *bytes, int low, int high, int place,
                                     int mask)
{
    __m512i bits = _mm512_rolv_epi32(both_halves(bytes), halves(place - low, place - high));

    return _mm512_or_si512(u, _mm512_and_si512(bits, _mm512_set1_epi8((char)mask)));
}

/* Of 64 bytes. */
INT8_INLINE step_bytes step_nibbles_of(const char *bytes, int place)
{
    return _mm512_and_si512(_mm512_srli_epi32(_mm512_loadu_si512(bytes), (unsigned)place),
                            _mm512_set1_epi8(15));
}
#elif LANES == 8
typedef struct {
    __m256i low, high;
} step_bytes;

/* The low nibbles of 32 bytes, then the high ones. */
INT8_INLINE step_bytes step_nibbles(const char *bytes)
{
    __m256i x = _mm256_loadu_si256((const void *)bytes), four = _mm256_set1_epi8(15);

    return (step_bytes){_mm256_and_si256(x, four),
                        _mm256_and_si256(_mm256_srli_epi16(x, 4), four)};
}

INT8_INLINE __m256i bits_at(__m256i x, int from, int to, int mask)
{
    x = from > to ? _mm256_srli_epi16(x, from - to) : _mm256_slli_epi16(x, to - from);
    return _mm256_and_si256(x, _mm256_set1_epi8((char)mask));
}

INT8_INLINE step_bytes step_add_bits(step_bytes u, const char *bytes, int low, int high, int place,
                                     int mask)
{
    __m256i x = _mm256_loadu_si256((const void *)bytes);

    return (step_bytes){_mm256_or_si256(u.low, bits_at(x, low, place, mask)),
                        _mm256_or_si256(u.high, bits_at(x, high, place, mask))};
}

INT8_INLINE step_bytes step_nibbles_of(const char *bytes, int place)
{
    return (step_bytes){bits_at(_mm256_loadu_si256((const void *)bytes), place, 0, 15),
                        bits_at(_mm256_loadu_si256((const void *)(bytes + 32)), place, 0, 15)};
}
#else
typedef struct {
    uint8_t at[STEP];
} step_bytes;

INT8_INLINE step_bytes step_nibbles(const char *bytes)
{
    step_bytes y;

    for (int i = 0; i < STEP; i++)
        y.at[i] = (uint8_t)bytes[i % 32] >> i / 32 * 4 & 15;
    return y;
}

INT8_INLINE step_bytes step_add_bits(step_bytes u, const char *bytes, int low, int high, int place,
                                     int mask)
{
    for (int i = 0; i < STEP; i++)
        u.at[i] |= (uint8_t)(((uint8_t)bytes[i % 32] >> (i < 32 ? low : high) << place) & mask);
    return u;
}

INT8_INLINE step_bytes step_nibbles_of(const char *bytes, int place)
{
    step_bytes y;

    for (int i = 0; i < STEP; i++)
        y.at[i] = (uint8_t)bytes[i] >> place & 15;
    return y;
}
#endif

/* Number i, of two, of the groups of 32 that a step has where nibbles are in pairs of groups. */
INT8_INLINE int step_group(int step, int i)
{
#if defined(INT8_VNNI)
    return step / 2 * 4 + step % 2 + 2 * i;
#else
    return 2 * step + i;
#endif
}

INT8_INLINE step_bytes step_groups(const char *nibbles, int step)
{
#if defined(INT8_VNNI)
    return step_nibbles_of(nibbles + step / 2 * 64, step % 2 * 4);
#else
    return step_nibbles(nibbles + 32 * step);
#endif
}

/* The format and the step are constant in every call, here and below. */
INT8_INLINE step_bytes unpack_step(enum ggml_format format, const char *block, int step)
{
    const char *half = block + step / 2 * 64, *two = block + 128 + step / 2 * 32;

    switch (format) {
    case GGML_Q4_K:
        return step_groups(block + 16, step);
    case GGML_Q5_K:
        return step_add_bits(step_groups(block + 48, step), block + 16, step_group(step, 0),
                             step_group(step, 1), 4, 16);
    default:
        return step_add_bits(step_nibbles_of(half, step % 2 * 4), two, step % 2 * 4,
                             step % 2 * 4 + 2, 4, 48);
    }
}

INT8_INLINE size_t int8_k_bytes_of(enum ggml_format format)
{
    return format == GGML_Q4_K ? 144 : format == GGML_Q5_K ? 176 : 210;
}

INT8_INLINE bool has_minima(enum ggml_format format)
{
    return format != GGML_Q6_K;
}

INT8_INLINE const char *int8_k_row_of(enum ggml_format format, const struct gemm_matrix *w,
                                      size_t out)
{
    return gemm_ggml_row_of(w, w->first_out + out, INT8_BLOCK, int8_k_bytes_of(format));
}

/* ---- weights: integers of groups, and scales ---- */

/* What sums of q are multiplied with: of each group its minimum, twice; without minima its integer. */
#if LANES == 8
struct block_scales {
#if defined(INT8_VNNI)
    __m512i integers[2]; /* in each quarter: bytes of 8 groups; or 16 bits of 8 groups each */
#else
    __m256i integers; /* 16 bits each: of 8 groups, or of 16 */
#endif
    __m256i minima; /* 16 bits each */
    float scale, min_scale;
};

/* In each quarter of a vector of `bits`, the bytes of eight integers and then of eight minima, out of
 * the head of a block: as begin_groups does it. */
#define GROUP_BYTES(name, vector, prefix, suffix, broadcast)                                      \
    INT8_INLINE vector name(vector heads)                                                         \
    {                                                                                             \
        const __m128i words = _mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, \
                                            15);                                                  \
        const __m128i pairs = _mm_setr_epi8(-1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, \
                                            11);                                                  \
        const __m128i shifts = _mm_setr_epi32(0, 0, 0, 4);                                        \
        const __m128i masks = _mm_setr_epi32(0x3F3F3F3F, 0x0F0F0F0F, 0x3F3F3F3F, 0x0F0F0F0F);     \
        vector low = prefix##_srlv_epi32(prefix##_shuffle_epi8(heads, broadcast(words)),          \
                                         broadcast(shifts));                                      \
        vector high = prefix##_srli_epi32(prefix##_shuffle_epi8(heads, broadcast(pairs)), 2);     \
                                                                                                  \
        return prefix##_or_##suffix(prefix##_and_##suffix(low, broadcast(masks)),                 \
                                    prefix##_and_##suffix(high, prefix##_set1_epi8(0x30)));       \
    }
GROUP_BYTES(group_bytes_of, __m128i, _mm, si128, )
#if defined(INT8_VNNI)
GROUP_BYTES(group_bytes_of_four, __m512i, _mm512, si512, _mm512_broadcast_i32x4)
#endif
#undef GROUP_BYTES

INT8_INLINE __m256i minima_twice(__m256i bytes)
{
    const __m256i twice = _mm256_setr_epi8(8, -1, 8, -1, 9, -1, 9, -1, 10, -1, 10, -1, 11, -1, 11,
                                           -1, 12, -1, 12, -1, 13, -1, 13, -1, 14, -1, 14, -1, 15,
                                           -1, 15, -1);

    return _mm256_shuffle_epi8(bytes, twice);
}

INT8_INLINE void block_scales_at(enum ggml_format format, const char *block,
                                 struct block_scales *scales)
{
    __m128i bytes;

    if (!has_minima(format)) {
        scales->minima = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(block + 192)));
#if defined(INT8_VNNI)
        scales->integers[0] = _mm512_broadcast_i32x4(_mm256_castsi256_si128(scales->minima));
        scales->integers[1] = _mm512_broadcast_i32x4(_mm256_extracti128_si256(scales->minima, 1));
#else
        scales->integers = scales->minima;
#endif
        scales->scale = halves_at(block + 208)[0];
        scales->min_scale = 0;
        return;
    }
    bytes = group_bytes_of(_mm_loadu_si128((const void *)block));
    scales->minima = minima_twice(_mm256_broadcastsi128_si256(bytes));
#if defined(INT8_VNNI)
    scales->integers[0] = _mm512_broadcast_i32x4(bytes);
#else
    scales->integers = _mm256_cvtepu8_epi16(bytes);
#endif
    scales->scale = halves_at(block)[0];
    scales->min_scale = halves_at(block + 2)[0];
}
#else
struct block_scales {
    int16_t integers[16], minima[16];
    float scale, min_scale;
};

INT8_INLINE void block_scales_at(enum ggml_format format, const char *block,
                                 struct block_scales *scales)
{
    if (!has_minima(format)) {
        for (int i = 0; i < 16; i++)
            scales->integers[i] = scales->minima[i] = (int8_t)block[192 + i];
        scales->scale = half_at(block + 208);
        return;
    }
    for (int i = 0; i < 8; i++) {
        uint8_t a = (uint8_t)block[4 + i % 4], b = (uint8_t)block[8 + i % 4];
        uint8_t c = (uint8_t)block[12 + i % 4];

        scales->integers[i] = i < 4 ? a & 63 : (c & 15) | (a >> 6) << 4;
        scales->minima[2 * i] = i < 4 ? b & 63 : c >> 4 | (b >> 6) << 4;
        scales->minima[2 * i + 1] = scales->minima[2 * i];
    }
    scales->scale = half_at(block);
    scales->min_scale = half_at(block + 2);
}
#endif

/* Of n_outs blocks; n_outs is constant. */
INT8_INLINE void all_block_scales(enum ggml_format format, size_t n_outs,
                                  const char *const blocks[INT8_OUTS],
                                  struct block_scales scales[INT8_OUTS])
{
#if defined(INT8_VNNI)
    if (has_minima(format) && n_outs == 4) {
        __m512i heads = _mm512_castsi128_si512(_mm_loadu_si128((const void *)blocks[0])), bytes;
        float factors[8];

        heads = _mm512_inserti32x4(heads, _mm_loadu_si128((const void *)blocks[1]), 1);
        heads = _mm512_inserti32x4(heads, _mm_loadu_si128((const void *)blocks[2]), 2);
        heads = _mm512_inserti32x4(heads, _mm_loadu_si128((const void *)blocks[3]), 3);
        bytes = group_bytes_of_four(heads);
        scales[0].integers[0] = _mm512_shuffle_i32x4(bytes, bytes, 0x00);
        scales[1].integers[0] = _mm512_shuffle_i32x4(bytes, bytes, 0x55);
        scales[2].integers[0] = _mm512_shuffle_i32x4(bytes, bytes, 0xAA);
        scales[3].integers[0] = _mm512_shuffle_i32x4(bytes, bytes, 0xFF);
        /* the first 32 bits of each quarter */
        heads = _mm512_permutexvar_epi32(
            _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), heads);
        _mm256_storeu_ps(factors, _mm256_cvtph_ps(_mm512_castsi512_si128(heads)));
        LANES_UNROLL
        for (size_t o = 0; o < 4; o++) {
            scales[o].minima = minima_twice(_mm512_castsi512_si256(scales[o].integers[0]));
            scales[o].scale = factors[2 * o];
            scales[o].min_scale = factors[2 * o + 1];
        }
        return;
    }
#endif
    LANES_UNROLL
    for (size_t o = 0; o < n_outs; o++)
        block_scales_at(format, blocks[o], &scales[o]);
}

/* ---- products ---- */

/* Of the integers, each at the places of its group in a step, for pairs of products. */
#if defined(INT8_VNNI)
typedef __m512i step_integers;
typedef __m512i step_sums;

INT8_INLINE step_integers integers_of(enum ggml_format format, const struct block_scales *scales,
                                      int step)
{
    int first = step % 2 * 4;

    if (has_minima(format)) {
        __m512i places = _mm512_inserti64x4(
            _mm512_castsi256_si512(_mm256_set1_epi16((short)(0x8000 + step_group(step, 0)))),
            _mm256_set1_epi16((short)(0x8000 + step_group(step, 1))), 1);

        return _mm512_shuffle_epi8(scales->integers[0], places);
    }
    return _mm512_shuffle_epi8(
        scales->integers[step / 2],
        _mm512_inserti64x4(
            _mm512_castsi256_si512(_mm256_setr_m128i(
                _mm_set1_epi16((short)(first * 0x202 + 0x100)),
                _mm_set1_epi16((short)((first + 1) * 0x202 + 0x100)))),
            _mm256_setr_m128i(_mm_set1_epi16((short)((first + 2) * 0x202 + 0x100)),
                              _mm_set1_epi16((short)((first + 3) * 0x202 + 0x100))),
            1));
}

INT8_INLINE step_sums no_sums(void)
{
    return _mm512_setzero_si512();
}

INT8_INLINE step_sums add_step(step_sums sums, step_bytes u, const int8_t *q, step_integers integers)
{
    return _mm512_dpwssd_epi32(sums, _mm512_maddubs_epi16(u, _mm512_loadu_si512(q)), integers);
}

INT8_INLINE int8_sums eight_sums(step_sums sums)
{
    return _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64(sums, 1));
}
#elif LANES == 8
typedef struct {
    __m256i low, high;
} step_integers;
typedef __m256i step_sums;

/* One of 16 bits, or one for each half. */
INT8_INLINE __m256i integer_at(__m256i all, int first, int next)
{
    __m256i half = first < 8 ? _mm256_permute2x128_si256(all, all, 0x00)
                             : _mm256_permute2x128_si256(all, all, 0x11);
    __m128i low = _mm_set1_epi16((short)(first % 8 * 0x202 + 0x100));

    return _mm256_shuffle_epi8(
        half, _mm256_setr_m128i(low, _mm_add_epi16(low, _mm_set1_epi16((short)(next * 0x202)))));
}

INT8_INLINE step_integers integers_of(enum ggml_format format, const struct block_scales *scales,
                                      int step)
{
    if (has_minima(format))
        return (step_integers){integer_at(scales->integers, 2 * step, 0),
                               integer_at(scales->integers, 2 * step + 1, 0)};
    return (step_integers){integer_at(scales->integers, 4 * step, 1),
                           integer_at(scales->integers, 4 * step + 2, 1)};
}

INT8_INLINE step_sums no_sums(void)
{
    return _mm256_setzero_si256();
}

INT8_INLINE step_sums add_step(step_sums sums, step_bytes u, const int8_t *q, step_integers integers)
{
    __m256i low = _mm256_maddubs_epi16(u.low, _mm256_loadu_si256((const void *)q));
    __m256i high = _mm256_maddubs_epi16(u.high, _mm256_loadu_si256((const void *)(q + 32)));

    low = _mm256_add_epi32(_mm256_madd_epi16(low, integers.low),
                           _mm256_madd_epi16(high, integers.high));
    return _mm256_add_epi32(sums, low);
}

INT8_INLINE int8_sums eight_sums(step_sums sums)
{
    return sums;
}
#else
typedef struct {
    int16_t of[4]; /* 16 inputs each */
} step_integers;
typedef int8_sums step_sums;

INT8_INLINE step_integers integers_of(enum ggml_format format, const struct block_scales *scales,
                                      int step)
{
    step_integers y;

    for (int i = 0; i < 4; i++)
        y.of[i] = scales->integers[has_minima(format) ? 2 * step + i / 2 : 4 * step + i];
    return y;
}

INT8_INLINE step_sums no_sums(void)
{
    return (step_sums){{0}};
}

INT8_INLINE step_sums add_step(step_sums sums, step_bytes u, const int8_t *q, step_integers integers)
{
    for (int i = 0; i < STEP; i++)
        sums.at[i % 32 / 4] += u.at[i] * q[i] * integers.of[i / HALF_GROUP];
    return sums;
}

INT8_INLINE int8_sums eight_sums(step_sums sums)
{
    return sums;
}
#endif

/* Sums of two neighbours among 16 products of minima and sums of q. */
INT8_INLINE int8_sums multiply_minima(const struct block_scales *scales, const int16_t *sums)
{
#if LANES == 8
    return _mm256_madd_epi16(scales->minima, _mm256_loadu_si256((const void *)sums));
#else
    int8_sums y;

    for (int j = 0; j < 8; j++)
        y.at[j] = scales->minima[2 * j] * sums[2 * j] + scales->minima[2 * j + 1] * sums[2 * j + 1];
    return y;
#endif
}

/* a - 32 b */
INT8_INLINE int8_sums less_32_times(int8_sums a, int8_sums b)
{
#if LANES == 8
    return _mm256_sub_epi32(a, _mm256_slli_epi32(b, 5));
#else
    for (int j = 0; j < 8; j++)
        a.at[j] -= 32 * b.at[j];
    return a;
#endif
}

/* sums += a block's products */
INT8_INLINE void add_block(enum ggml_format format, struct eight *sums, step_sums products,
                           const struct block_scales *scales, const int16_t *x_sums, float x_scale)
{
    int8_sums whole = eight_sums(products), less = multiply_minima(scales, x_sums);
    struct eight value = floats_of(has_minima(format) ? whole : less_32_times(whole, less));
    struct eight scale = eight_of(scales->scale);

    for (int v = 0; v < EIGHT; v++)
        value.v[v] *= scale.v[v];
    if (has_minima(format))
        add_product(&value, floats_of(less), eight_of(-scales->min_scale));
    add_product(sums, value, eight_of(x_scale));
}

/* ---- one row, weights where they lie ---- */

/* n_outs is constant. `next`: what comes after the outputs. */
INT8_INLINE void int8_k_blocks(enum ggml_format format, size_t n_outs, size_t n_in,
                               const struct int8_k_row *x, const char *const rows[INT8_OUTS],
                               const char *next, float factor, bool adds, float *y)
{
    struct eight sums[INT8_OUTS];

    LANES_UNROLL
    for (size_t o = 0; o < n_outs; o++)
        sums[o] = eight_of(0);
    for (size_t b = 0; b < n_in / INT8_BLOCK; b++) {
        const char *blocks[INT8_OUTS];
        struct block_scales scales[INT8_OUTS];
        step_sums products[INT8_OUTS];

        for (size_t i = 0; i < n_outs * int8_k_bytes_of(format); i += 64)
            __builtin_prefetch(next + b * n_outs * int8_k_bytes_of(format) + i);
        LANES_UNROLL
        for (size_t o = 0; o < n_outs; o++) {
            blocks[o] = rows[o] + b * int8_k_bytes_of(format);
            products[o] = no_sums();
        }
        all_block_scales(format, n_outs, blocks, scales);
        LANES_UNROLL
        for (int step = 0; step < STEPS; step++) {
            LANES_UNROLL
            for (size_t o = 0; o < n_outs; o++)
                products[o] = add_step(products[o], unpack_step(format, blocks[o], step),
                                       x->q + b * INT8_BLOCK + step * STEP,
                                       integers_of(format, &scales[o], step));
        }
        LANES_UNROLL
        for (size_t o = 0; o < n_outs; o++)
            add_block(format, &sums[o], products[o], &scales[o], x->sums + b * 16, x->scales[b]);
    }
    LANES_UNROLL
    for (size_t o = 0; o < n_outs; o++)
        finish_eight(&sums[o], factor, adds, y + o);
}

/* So many outputs at a time that their sums do not wait for one another; where that is less work than
 * reading, fewer: memory is read fastest straight on. */
INT8_INLINE size_t int8_k_outs(enum ggml_format format)
{
    return has_minima(format) ? INT8_OUTS : INT8_OUTS / 2;
}

/* ---- several rows ---- */

struct int8_k_weights { /* of one output */
    char *u;                     /* [n_in] */
    struct block_scales *scales; /* [blocks] */
};

static struct int8_k_weights int8_k_weights_at(float *scratch, size_t n_in, size_t out)
{
    size_t n_blocks = n_in / INT8_BLOCK;
    char *first = (char *)scratch + out * n_blocks * (INT8_BLOCK + sizeof(struct block_scales));

    return (struct int8_k_weights){first, (struct block_scales *)(void *)(first + n_in)};
}
_Static_assert(sizeof(step_bytes) == STEP, "a step is of bytes");
_Static_assert(INT8_OUTS * (GEMM_FAST_IN_MAX / INT8_BLOCK) *
                       (INT8_BLOCK + sizeof(struct block_scales)) <= GEMM_FAST_SCRATCH * 4,
               "scratch memory is enough");

INT8_INLINE void int8_k_unpack(enum ggml_format format, const char *row, size_t n_in,
                               const struct int8_k_weights *w)
{
    for (size_t b = 0; b < n_in / INT8_BLOCK; b++, row += int8_k_bytes_of(format)) {
        block_scales_at(format, row, &w->scales[b]);
        LANES_UNROLL
        for (int step = 0; step < STEPS; step++) {
            step_bytes u = unpack_step(format, row, step);

            memcpy(w->u + b * INT8_BLOCK + step * STEP, &u, sizeof u);
        }
    }
}

/* n_rows and n_outs are constant. */
INT8_INLINE void int8_k_tile(enum ggml_format format, size_t n_rows, size_t n_outs, size_t n_in,
                             const struct int8_k_row x[INT8_ROWS],
                             const struct int8_k_weights w[INT8_OUTS], float factor, bool adds,
                             float *y, size_t y_stride)
{
    struct eight sums[INT8_ROWS * INT8_OUTS];

    for (size_t i = 0; i < n_rows * n_outs; i++)
        sums[i] = eight_of(0);
    for (size_t b = 0; b < n_in / INT8_BLOCK; b++) {
        step_sums products[INT8_ROWS * INT8_OUTS];

        LANES_UNROLL
        for (size_t i = 0; i < n_rows * n_outs; i++)
            products[i] = no_sums();
        LANES_UNROLL
        for (int step = 0; step < STEPS; step++) {
            size_t at = b * STEPS + (size_t)step;

            LANES_UNROLL
            for (size_t o = 0; o < n_outs; o++) {
                step_integers integers = integers_of(format, &w[o].scales[b], step);
                step_bytes u;

                memcpy(&u, w[o].u + at * STEP, sizeof u);
                LANES_UNROLL
                for (size_t row = 0; row < n_rows; row++)
                    products[row * n_outs + o] = add_step(products[row * n_outs + o], u,
                                                          x[row].q + at * STEP, integers);
            }
        }
        LANES_UNROLL
        for (size_t i = 0; i < n_rows * n_outs; i++)
            add_block(format, &sums[i], products[i], &w[i % n_outs].scales[b],
                      x[i / n_outs].sums + b * 16, x[i / n_outs].scales[b]);
    }
    for (size_t i = 0; i < n_rows * n_outs; i++)
        finish_eight(&sums[i], factor, adds, y + i / n_outs * y_stride + i % n_outs);
}

/* What a tile depends on. */
INT8_INLINE enum ggml_format int8_k_kind(enum ggml_format format)
{
    return has_minima(format) ? GGML_Q4_K : GGML_Q6_K;
}

#define INT8_WAY int8_k
#define INT8_WHAT "int8 of blocks of 256"
#define INT8_FORMATS(X) X(Q4_K) X(Q5_K) X(Q6_K)
#define INT8_KINDS(X) X(Q4_K) X(Q6_K)
#include "math/gemm_int8_loops.h"

#endif
