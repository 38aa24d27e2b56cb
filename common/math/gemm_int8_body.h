/* gemm_int8_body.h - blocks of 32 by gemm_int8.h; gemm_int8_plain.c, gemm_int8_avx2.c and
 * gemm_int8_vnni.c include it.
 *
 * A weight is (u - zero) * scale, u from 0 to 255: sums of u q, less zero times a sum of q that each row of
 * x brings along. One row takes blocks as they lie; for more, those of some outputs are unpacked once. */
#ifndef COCKTAIL_GEMM_INT8_BODY_H
#define COCKTAIL_GEMM_INT8_BODY_H

#include "math/gemm_int8_parts.h"

enum {
    int8_block_items = 32,
    GROUP = int8_block_items,
    GROUPS = 8, /* at a time; arrays of groups are filled up with zeros to that */
};

/* ---- x ---- */

struct int8_row { /* a packed row of x; arrays follow one another, n_in filled up to whole INT8_BLOCK */
    const int8_t *q;     /* [n_in] */
    const int32_t *rest; /* [n_in / 4]: - zero * (sum of four q) */
    const float *scales; /* [groups] */
};

static struct int8_row int8_row_at(const char *packed, size_t n_in)
{
    size_t n = int8_filled(n_in);

    return (struct int8_row){(const int8_t *)packed, (const int32_t *)(const void *)(packed + n),
                             (const float *)(const void *)(packed + 2 * n)};
}

static size_t int8_row_bytes(size_t n_in)
{
    size_t n = int8_filled(n_in);

    return 2 * n + (n / GROUP * sizeof(float) + 63) / 64 * 64;
}

/* What a u of 0 stands for. */
INT8_INLINE int zero_of(enum ggml_format format)
{
    switch (format) {
    case GGML_Q4_0:
        return 8;
    case GGML_MXFP4:
        return 12;
    case GGML_Q5_0:
        return 16;
    default:
        return 128; /* Q8_0, IQ4_NL */
    }
}

INT8_INLINE void make_rest(const int8_t *q, int zero, int32_t rest[8])
{
#if LANES == 8
    __m256i sums = _mm256_madd_epi16(
        _mm256_maddubs_epi16(_mm256_set1_epi8(1), _mm256_loadu_si256((const void *)q)),
        _mm256_set1_epi16(1));

    _mm256_storeu_si256((void *)rest, _mm256_mullo_epi32(sums, _mm256_set1_epi32(-zero)));
#else
    for (int j = 0; j < 8; j++)
        rest[j] = -zero * (q[4 * j] + q[4 * j + 1] + q[4 * j + 2] + q[4 * j + 3]);
#endif
}

INT8_TARGET static void int8_pack(const struct gemm_matrix *w, size_t n_rows, const float *x,
                                  size_t x_stride, char *packed)
{
    size_t n = int8_filled(w->n_in);
    int zero = zero_of(int8_format(w));

    for (; n_rows > 0; n_rows--, x += x_stride, packed += int8_row_bytes(w->n_in)) {
        struct int8_row row = int8_row_at(packed, w->n_in);
        int8_t *q = (int8_t *)row.q;
        int32_t *rest = (int32_t *)row.rest;
        float *scales = (float *)row.scales;

        for (size_t in = 0; in < w->n_in; in += GROUP) {
            scales[in / GROUP] = round_inputs(x + in, GROUP, q + in);
            make_rest(q + in, zero, rest + in / 4);
        }
        memset(q + w->n_in, 0, n - w->n_in);
        memset(rest + w->n_in / 4, 0, n - w->n_in);
        for (size_t g = w->n_in / GROUP; g < n / GROUP; g++)
            scales[g] = 0;
    }
}

/* ---- weights ---- */

#if LANES == 8
typedef __m256i group_bytes;

INT8_INLINE group_bytes nibbles_at(const char *bytes)
{
    __m128i pairs = _mm_loadu_si128((const void *)bytes);
    __m256i x = _mm256_inserti128_si256(_mm256_castsi128_si256(pairs), _mm_srli_epi16(pairs, 4), 1);

    return _mm256_and_si256(x, _mm256_set1_epi8(15));
}

INT8_INLINE group_bytes levels_at(const char *bytes, const int8_t levels[16], int zero)
{
    __m128i u = _mm_add_epi8(_mm_loadu_si128((const void *)levels), _mm_set1_epi8((char)zero));

    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(u), nibbles_at(bytes));
}

INT8_INLINE group_bytes five_bits_at(const char *block)
{
    const __m256i bytes = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
                                           2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bits = _mm256_set1_epi64x((long long)0x8040201008040201);
    int32_t fifth;
    __m256i x;

    memcpy(&fifth, block + 2, sizeof fifth);
    x = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(fifth), bytes), bits);
    x = _mm256_and_si256(_mm256_cmpeq_epi8(x, bits), _mm256_set1_epi8(16));
    return _mm256_or_si256(x, nibbles_at(block + 6));
}

INT8_INLINE group_bytes bytes_at(const char *bytes)
{
    return _mm256_xor_si256(_mm256_loadu_si256((const void *)bytes), _mm256_set1_epi8(-128));
}
#else
typedef struct {
    uint8_t at[GROUP];
} group_bytes;

INT8_INLINE group_bytes nibbles_at(const char *bytes)
{
    group_bytes y;

    for (int i = 0; i < GROUP; i++)
        y.at[i] = (uint8_t)bytes[i % 16] >> i / 16 * 4 & 15;
    return y;
}

INT8_INLINE group_bytes levels_at(const char *bytes, const int8_t levels[16], int zero)
{
    group_bytes y = nibbles_at(bytes);

    for (int i = 0; i < GROUP; i++)
        y.at[i] = (uint8_t)(levels[y.at[i]] + zero);
    return y;
}

INT8_INLINE group_bytes five_bits_at(const char *block)
{
    group_bytes y = nibbles_at(block + 6);
    uint32_t fifth;

    memcpy(&fifth, block + 2, sizeof fifth);
    for (int i = 0; i < GROUP; i++)
        y.at[i] |= (uint8_t)((fifth >> i & 1) << 4);
    return y;
}

INT8_INLINE group_bytes bytes_at(const char *bytes)
{
    group_bytes y;

    for (int i = 0; i < GROUP; i++)
        y.at[i] = (uint8_t)bytes[i] ^ 128;
    return y;
}
#endif

/* u of a block; the format is constant in every call, here and below. */
INT8_INLINE group_bytes unpack_block(enum ggml_format format, const char *block)
{
    switch (format) {
    case GGML_Q4_0:
        return nibbles_at(block + 2);
    case GGML_Q5_0:
        return five_bits_at(block);
    case GGML_IQ4_NL:
        return levels_at(block + 2, iq4_levels, zero_of(format));
    case GGML_MXFP4:
        return levels_at(block + 1, mxfp4_levels, zero_of(format));
    default:
        return bytes_at(block + 2);
    }
}

INT8_INLINE float scale_of(enum ggml_format format, const char *block)
{
    return format == GGML_MXFP4 ? mxfp4_scale(block) : halves_at(block)[0];
}

INT8_INLINE size_t int8_bytes_of(enum ggml_format format)
{
    switch (format) {
    case GGML_Q4_0:
    case GGML_IQ4_NL:
        return 18;
    case GGML_MXFP4:
        return 17;
    case GGML_Q5_0:
        return 22;
    default:
        return 34;
    }
}

#if LANES == 8
/* Of four blocks; the way through general registers takes the least from those of vectors. */
INT8_INLINE __m128 four_scales(enum ggml_format format, const char *const blocks[4])
{
    uint64_t items = 0;

    LANES_UNROLL
    for (int i = 0; i < 4; i++) {
        uint16_t item;

        memcpy(&item, blocks[i], sizeof item);
        items |= (uint64_t)(format == GGML_MXFP4 ? item & 255 : item) << 16 * i;
    }
    if (format == GGML_MXFP4) {
        /* (exponent - 1) << 23, or, where that is less, 2^21 << exponent: as mxfp4_scale has it */
        __m128i exponents = _mm_cvtepu16_epi32(_mm_cvtsi64_si128((int64_t)items));
        __m128i low = _mm_sllv_epi32(_mm_set1_epi32(1 << 21),
                                     _mm_min_epi32(exponents, _mm_set1_epi32(2)));
        __m128i high = _mm_slli_epi32(_mm_sub_epi32(exponents, _mm_set1_epi32(1)), 23);

        return _mm_castsi128_ps(_mm_max_epi32(low, high));
    }
    return _mm_cvtph_ps(_mm_cvtsi64_si128((int64_t)items));
}
#endif

/* factors [n_outs] = the scales of blocks, times that of x */
INT8_INLINE void make_factors(enum ggml_format format, size_t n_outs, const char *const blocks[4],
                              float x_scale, float factors[4])
{
#if LANES == 8
    if (n_outs == 4) {
        _mm_storeu_ps(factors, _mm_mul_ps(four_scales(format, blocks), _mm_set1_ps(x_scale)));
        return;
    }
#endif
    for (size_t o = 0; o < n_outs; o++)
        factors[o] = scale_of(format, blocks[o]) * x_scale;
}

INT8_INLINE const char *int8_row_of(enum ggml_format format, const struct gemm_matrix *w,
                                    size_t out)
{
    return gemm_ggml_row_of(w, w->first_out + out, GROUP, int8_bytes_of(format));
}

/* ---- products ---- */

/* Sums of four neighbouring products each, of one group. */
INT8_INLINE int8_sums multiply_group(enum ggml_format format, group_bytes u, const int8_t *q,
                                     const int32_t *rest)
{
#if defined(INT8_VNNI)
    (void)format;
    return _mm256_dpbusd_epi32(_mm256_loadu_si256((const void *)rest), u,
                               _mm256_loadu_si256((const void *)q));
#elif LANES == 8
    __m256i x = _mm256_loadu_si256((const void *)q), ones = _mm256_set1_epi16(1), sums;

    if (zero_of(format) == 128) {
        /* sums of two products u q do not fit 16 bits; those of magnitudes do */
        __m256i w = _mm256_xor_si256(u, _mm256_set1_epi8(-128));

        sums = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
        return _mm256_madd_epi16(sums, ones);
    }
    sums = _mm256_madd_epi16(_mm256_maddubs_epi16(u, x), ones);
    return _mm256_add_epi32(sums, _mm256_loadu_si256((const void *)rest));
#else
    int8_sums sums;

    (void)format;
    for (int j = 0; j < 8; j++) {
        sums.at[j] = rest[j];
        for (int i = 4 * j; i < 4 * j + 4; i++)
            sums.at[j] += u.at[i] * q[i];
    }
    return sums;
#endif
}

INT8_INLINE void finish_sums(const struct eight sums[2], float factor, bool adds, float *y)
{
    struct eight both;

    for (int v = 0; v < EIGHT; v++)
        both.v[v] = sums[0].v[v] + sums[1].v[v];
    finish_eight(&both, factor, adds, y);
}

/* One row, some outputs, where they lie; n_outs is constant. `next`: what comes after them. */
INT8_INLINE void int8_blocks(enum ggml_format format, size_t n_outs, size_t n_in,
                             const struct int8_row *x, const char *const rows[INT8_OUTS],
                             const char *next, float factor, bool adds, float *y)
{
    struct eight sums[INT8_OUTS][2];
    size_t n_groups = n_in / GROUP;

    LANES_UNROLL
    for (size_t o = 0; o < n_outs; o++)
        sums[o][0] = sums[o][1] = eight_of(0);
    for (size_t first = 0; first < n_groups; first += 2) {
        for (size_t i = 0; i < 2 * n_outs * int8_bytes_of(format); i += 64)
            __builtin_prefetch(next + first * n_outs * int8_bytes_of(format) + i);
        LANES_UNROLL
        for (size_t g = first; g < first + 2; g++) {
            const char *blocks[INT8_OUTS];
            float factors[INT8_OUTS];

            if (g == n_groups)
                break;
            LANES_UNROLL
            for (size_t o = 0; o < n_outs; o++)
                blocks[o] = rows[o] + g * int8_bytes_of(format);
            make_factors(format, n_outs, blocks, x->scales[g], factors);
            LANES_UNROLL
            for (size_t o = 0; o < n_outs; o++) {
                int8_sums products = multiply_group(format, unpack_block(format, blocks[o]),
                                                    x->q + g * GROUP, x->rest + g * 8);

                add_product(&sums[o][g - first], floats_of(products), eight_of(factors[o]));
            }
        }
    }
    LANES_UNROLL
    for (size_t o = 0; o < n_outs; o++)
        finish_sums(sums[o], factor, adds, y + o);
}

/* So many outputs at a time that their sums do not wait for one another; of bytes, which are soon unpacked,
 * fewer: memory is read fastest straight on. */
INT8_INLINE size_t int8_outs(enum ggml_format format)
{
    return format == GGML_Q8_0 ? INT8_OUTS / 2 : INT8_OUTS;
}

/* ---- several rows ---- */

struct int8_weights { /* of one output: as many as of a row of x, filled up likewise */
    uint8_t *u;
    float *scales;
};

static struct int8_weights int8_weights_at(float *scratch, size_t n_in, size_t out)
{
    size_t n = int8_filled(n_in);
    float *first = scratch + out * (n / 4 + n / GROUP);

    return (struct int8_weights){(uint8_t *)first, first + n / 4};
}

INT8_INLINE void int8_unpack(enum ggml_format format, const char *row, size_t n_in,
                             const struct int8_weights *w)
{
    for (size_t g = 0; g < n_in / GROUP; g++, row += int8_bytes_of(format)) {
        group_bytes u = unpack_block(format, row);

        memcpy(w->u + g * GROUP, &u, sizeof u);
        w->scales[g] = scale_of(format, row);
    }
    memset(w->u + n_in, 0, int8_filled(n_in) - n_in);
    for (size_t g = n_in / GROUP; g < int8_filled(n_in) / GROUP; g++)
        w->scales[g] = 0;
}

INT8_INLINE void multiply_scales(const float *a, const float *b, float *out)
{
    for (size_t i = 0; i < GROUPS; i += LANES)
        lanes_store(lanes_load(a + i) * lanes_load(b + i), out + i);
}

#if defined(INT8_VNNI)
/* Two groups at a time: sums of even ones in the lower half of a vector. n_rows and n_outs are
 * constant. */
INT8_INLINE void int8_tile(enum ggml_format format, size_t n_rows, size_t n_outs, size_t n_in,
                           const struct int8_row x[INT8_ROWS],
                           const struct int8_weights w[INT8_OUTS], float factor, bool adds,
                           float *y, size_t y_stride)
{
    __m512 sums[INT8_ROWS * INT8_OUTS];

    (void)format;
    LANES_UNROLL
    for (size_t i = 0; i < n_rows * n_outs; i++)
        sums[i] = _mm512_setzero_ps();
    for (size_t first = 0; first * GROUP < n_in; first += GROUPS) {
        __m512i places = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
        float factors[INT8_ROWS * INT8_OUTS][GROUPS];

        LANES_UNROLL
        for (size_t i = 0; i < n_rows * n_outs; i++)
            multiply_scales(w[i % n_outs].scales + first, x[i / n_outs].scales + first, factors[i]);
        for (size_t g = first; g < first + GROUPS; g += 2) {
            __m512i q[INT8_ROWS], rest[INT8_ROWS];

            LANES_UNROLL
            for (size_t row = 0; row < n_rows; row++) {
                q[row] = _mm512_loadu_si512(x[row].q + g * GROUP);
                rest[row] = _mm512_loadu_si512(x[row].rest + g * 8);
            }
            LANES_UNROLL
            for (size_t o = 0; o < n_outs; o++) {
                __m512i u = _mm512_loadu_si512(w[o].u + g * GROUP);

                LANES_UNROLL
                for (size_t row = 0; row < n_rows; row++) {
                    size_t i = row * n_outs + o;
                    __m512 scales = _mm512_permutexvar_ps(
                        places, _mm512_castps256_ps512(_mm256_loadu_ps(factors[i])));

                    sums[i] = _mm512_fmadd_ps(
                        _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(rest[row], u, q[row])), scales, sums[i]);
                }
            }
            places = _mm512_add_epi32(places, _mm512_set1_epi32(2));
        }
    }
    LANES_UNROLL
    for (size_t i = 0; i < n_rows * n_outs; i++) {
        struct eight halves[2];

        memcpy(halves, &sums[i], sizeof halves);
        finish_sums(halves, factor, adds, y + i / n_outs * y_stride + i % n_outs);
    }
}
#else
/* n_rows and n_outs are constant. */
INT8_INLINE void int8_tile(enum ggml_format format, size_t n_rows, size_t n_outs, size_t n_in,
                           const struct int8_row x[INT8_ROWS],
                           const struct int8_weights w[INT8_OUTS], float factor, bool adds,
                           float *y, size_t y_stride)
{
    struct eight sums[INT8_ROWS * INT8_OUTS][2];
    float factors[INT8_ROWS * INT8_OUTS][GROUPS];

    LANES_UNROLL
    for (size_t i = 0; i < n_rows * n_outs; i++)
        sums[i][0] = sums[i][1] = eight_of(0);
    for (size_t first = 0; first * GROUP < n_in; first += GROUPS) {
        LANES_UNROLL
        for (size_t i = 0; i < n_rows * n_outs; i++)
            multiply_scales(w[i % n_outs].scales + first, x[i / n_outs].scales + first, factors[i]);
        for (size_t parity = 0; parity < 2; parity++) {
            struct eight part[INT8_ROWS * INT8_OUTS];

            LANES_UNROLL
            for (size_t i = 0; i < n_rows * n_outs; i++)
                part[i] = sums[i][parity];
            for (size_t k = parity; k < GROUPS; k += 2) {
                size_t g = first + k;

                LANES_UNROLL
                for (size_t o = 0; o < n_outs; o++) {
                    group_bytes u;

                    memcpy(&u, w[o].u + g * GROUP, sizeof u);
                    LANES_UNROLL
                    for (size_t row = 0; row < n_rows; row++) {
                        int8_sums products = multiply_group(format, u, x[row].q + g * GROUP,
                                                            x[row].rest + g * 8);

                        add_product(&part[row * n_outs + o], floats_of(products),
                                    eight_of(factors[row * n_outs + o][k]));
                    }
                }
            }
            LANES_UNROLL
            for (size_t i = 0; i < n_rows * n_outs; i++)
                sums[i][parity] = part[i];
        }
    }
    LANES_UNROLL
    for (size_t i = 0; i < n_rows * n_outs; i++)
        finish_sums(sums[i], factor, adds, y + i / n_outs * y_stride + i % n_outs);
}
#endif

/* What a tile depends on: how u is multiplied. */
INT8_INLINE enum ggml_format int8_kind(enum ggml_format format)
{
    return zero_of(format) == 128 ? GGML_Q8_0 : GGML_Q4_0;
}

#define INT8_WAY int8
#define INT8_WHAT "int8"
#define INT8_FORMATS(X) X(Q8_0) X(Q4_0) X(Q5_0) X(IQ4_NL) X(MXFP4)
#define INT8_KINDS(X) X(Q8_0) X(Q4_0)
#include "math/gemm_int8_loops.h"

#endif
