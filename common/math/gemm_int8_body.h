/* gemm_int8_body.h - gemm_int8.h in plain C, or, with LANES 8, for AVX2, or with INT8_VNNI for
 * AVX512_VNNI; gemm_int8_plain.c, gemm_int8_avx2.c and gemm_int8_vnni.c include it. */
#ifndef COCKTAIL_GEMM_INT8_BODY_H
#define COCKTAIL_GEMM_INT8_BODY_H

#include <math.h>

#include "math/gemm_ggml.h"
#include "math/gemm_ggml_parts.h"
#include "math/gemm_int8.h"
#include "math/gemm_matrix.h"

#if defined(INT8_VNNI)
#define INT8_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,fma,f16c")))
#define INT8_NAME gemm_int8_vnni
#elif LANES == 8
#define INT8_TARGET LANES_TARGET
#define INT8_NAME gemm_int8_avx2
#else
#define INT8_TARGET
#define INT8_NAME gemm_int8_plain
#endif
#define INT8_INLINE INT8_TARGET static inline __attribute__((always_inline))

static size_t filled(size_t n_in)
{
    return (n_in + INT8_BLOCK - 1) / INT8_BLOCK * INT8_BLOCK;
}

static struct int8_row row_at(const char *packed, size_t n_in)
{
    size_t n = filled(n_in);
    const float *scales = (const float *)(const void *)(packed + n);

    return (struct int8_row){(const int8_t *)packed, scales, scales + n / 32, scales + n / 16};
}

/* ---- x ---- */

/* 32 items: q, and the sums of its halves; returns the scale. */
INT8_INLINE float round_group(const float *x, int8_t *q, int sums[2])
{
    float most = 0, scale, inverse;
    bool is_finite = true;

    for (int i = 0; i < INT8_GROUP; i++) {
        float size = fabsf(x[i]);

        is_finite = is_finite && size <= __FLT_MAX__;
        most = size > most ? size : most;
    }
    scale = is_finite ? most / 127 : NAN;
    inverse = is_finite && most > 0 ? 127 / most : 0;
    /* of a subnormal the inverse is infinite */
    if (!(inverse <= __FLT_MAX__))
        inverse = scale = 0;
    sums[0] = sums[1] = 0;
    for (int i = 0; i < INT8_GROUP; i++) {
        q[i] = is_finite ? (int8_t)lrintf(x[i] * inverse) : 0;
        sums[i / 16] += q[i];
    }
    return scale;
}

#if LANES == 8
INT8_INLINE float largest(__m256 a)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

INT8_INLINE int sum_of_bytes(__m128i bytes)
{
    __m128i sums = _mm_madd_epi16(_mm_maddubs_epi16(_mm_set1_epi8(1), bytes), _mm_set1_epi16(1));

    sums = _mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums));
    return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_shuffle_epi32(sums, 1)));
}

/* The same where all is finite and not too small. */
INT8_INLINE float round_group_fast(const float *x, int8_t *q, int sums[2])
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 a = _mm256_loadu_ps(x), b = _mm256_loadu_ps(x + 8);
    __m256 c = _mm256_loadu_ps(x + 16), d = _mm256_loadu_ps(x + 24), inverse;
    __m256 most = _mm256_max_ps(
        _mm256_max_ps(_mm256_andnot_ps(sign, a), _mm256_andnot_ps(sign, b)),
        _mm256_max_ps(_mm256_andnot_ps(sign, c), _mm256_andnot_ps(sign, d)));
    /* not a number: that of the sum, whatever order has been compared in */
    float size = largest(most), scale = size / 127;
    __m256 any = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
    __m256i low, high;

    if (!(size <= 1e38f && size >= 1e-30f) || _mm256_movemask_ps(_mm256_cmp_ps(any, any, _CMP_UNORD_Q)))
        return round_group(x, q, sums);
    inverse = _mm256_set1_ps(127 / size);
    low = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(a, inverse)),
                             _mm256_cvtps_epi32(_mm256_mul_ps(b, inverse)));
    high = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(c, inverse)),
                              _mm256_cvtps_epi32(_mm256_mul_ps(d, inverse)));
    low = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high),
                                      _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((void *)q, low);
    sums[0] = sum_of_bytes(_mm256_castsi256_si128(low));
    sums[1] = sum_of_bytes(_mm256_extracti128_si256(low, 1));
    return scale;
}
#else
#define round_group_fast round_group
#endif

INT8_TARGET static void pack_row(const float *x, size_t n_in, char *packed)
{
    size_t n = filled(n_in);
    struct int8_row row = row_at(packed, n_in);
    float *scales = (float *)row.scales, *sums = (float *)row.sums;
    float *half_sums = (float *)row.half_sums;

    for (size_t g = 0; g < n / INT8_GROUP; g++) {
        int parts[2] = {0, 0};

        if (g < n_in / INT8_GROUP) {
            scales[g] = round_group_fast(x + g * INT8_GROUP, (int8_t *)row.q + g * INT8_GROUP, parts);
        } else {
            memset((int8_t *)row.q + g * INT8_GROUP, 0, INT8_GROUP);
            scales[g] = 0;
        }
        sums[g] = scales[g] * (float)(parts[0] + parts[1]);
        half_sums[2 * g] = scales[g] * (float)parts[0];
        half_sums[2 * g + 1] = scales[g] * (float)parts[1];
    }
}

static void pack(size_t n_rows, const float *x, size_t x_stride, size_t n_in, char *packed)
{
    for (size_t row = 0; row < n_rows; row++)
        pack_row(x + row * x_stride, n_in, packed + row * int8_row_bytes(n_in));
}

/* ---- weights ---- */

/* Bytes are written in whole vectors: what was written in parts is slow to read. */

/* Nibbles, the low ones of 16 bytes first. */
INT8_INLINE void unpack_nibbles(const char *bytes, uint8_t u[32])
{
#if LANES == 8
    __m128i pairs = _mm_loadu_si128((const void *)bytes);
    __m256i x = _mm256_inserti128_si256(_mm256_castsi128_si256(pairs), _mm_srli_epi16(pairs, 4), 1);

    _mm256_storeu_si256((void *)u, _mm256_and_si256(x, _mm256_set1_epi8(15)));
#else
    for (int i = 0; i < 32; i++)
        u[i] = (uint8_t)((uint8_t)bytes[i % 16] >> i / 16 * 4 & 15);
#endif
}

/* The low ones of 32 bytes first. */
INT8_INLINE void unpack_nibbles_of_32(const char *bytes, uint8_t u[64])
{
#if LANES == 8
    __m256i pairs = _mm256_loadu_si256((const void *)bytes), four = _mm256_set1_epi8(15);

    _mm256_storeu_si256((void *)u, _mm256_and_si256(pairs, four));
    _mm256_storeu_si256((void *)(u + 32), _mm256_and_si256(_mm256_srli_epi16(pairs, 4), four));
#else
    for (int i = 0; i < 64; i++)
        u[i] = (uint8_t)((uint8_t)bytes[i % 32] >> i / 32 * 4 & 15);
#endif
}

/* u [n] = bytes + value, n a multiple of 32 */
INT8_INLINE void add_bytes(const void *bytes, size_t n, int value, uint8_t *u)
{
#if LANES == 8
    for (size_t i = 0; i < n; i += 32) {
        __m256i x = _mm256_loadu_si256((const void *)((const char *)bytes + i));

        _mm256_storeu_si256((void *)(u + i), _mm256_add_epi8(x, _mm256_set1_epi8((char)value)));
    }
#else
    for (size_t i = 0; i < n; i++)
        u[i] = (uint8_t)(((const uint8_t *)bytes)[i] + value);
#endif
}

INT8_INLINE float first_of(lanes x)
{
    return x[0];
}

INT8_INLINE void set_group(const struct int8_weights *w, size_t group, float scale, int zero)
{
    w->scales[group] = scale;
    w->offsets[group] = scale * (float)-zero;
}

INT8_INLINE void unpack_q8_0(const char *block, size_t g, const struct int8_weights *w)
{
    add_bytes(block + 2, 32, 128, w->u + g * 32);
    set_group(w, g, first_of(halves_at(block)), 128);
}

INT8_INLINE void unpack_q4_0(const char *block, size_t g, const struct int8_weights *w)
{
    unpack_nibbles(block + 2, w->u + g * 32);
    set_group(w, g, first_of(halves_at(block)), 8);
}

INT8_INLINE void unpack_q5_0(const char *block, size_t g, const struct int8_weights *w)
{
    uint32_t fifth;

    memcpy(&fifth, block + 2, sizeof fifth);
    q5_0_bytes(block + 6, fifth, (int8_t *)w->u + g * 32);
    add_bytes(w->u + g * 32, 32, 16, w->u + g * 32);
    set_group(w, g, first_of(halves_at(block)), 16);
}

INT8_INLINE void set_groups(const char *block, size_t g, const struct int8_weights *w)
{
    struct groups groups;

    begin_groups(block, &groups);
    memcpy(w->scales + g, groups.scales, sizeof groups.scales);
    memcpy(w->offsets + g, groups.shifts, sizeof groups.shifts);
}

INT8_INLINE void unpack_q4_k(const char *block, size_t g, const struct int8_weights *w)
{
    set_groups(block, g, w);
    for (size_t pair = 0; pair < 4; pair++)
        unpack_nibbles_of_32(block + 16 + pair * 32, w->u + g * 32 + pair * 64);
}

INT8_INLINE void unpack_q5_k(const char *block, size_t g, const struct int8_weights *w)
{
    set_groups(block, g, w);
    q5_k_bytes(block + 48, block + 16, (int8_t *)w->u + g * 32);
}

INT8_INLINE void unpack_q6_k(const char *block, size_t g, const struct int8_weights *w)
{
    const char *scales = block + 192;

    for (size_t side = 0; side < 2; side++)
        q6_k_bytes(block + side * 64, block + 128 + side * 32,
                   (int8_t *)w->u + g * 32 + side * 128);
    add_bytes(w->u + g * 32, 256, 32, w->u + g * 32);
#if LANES == 8
    for (size_t i = 0; i < 16; i += 8) {
        __m256i bytes = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(scales + i)));

        scale_eight(bytes, halves_at(block + 208), w->scales + 2 * g + i);
        scale_eight(bytes, halves_at(block + 208) * -32, w->offsets + 2 * g + i);
    }
#else
    for (size_t i = 0; i < 16; i++)
        set_group(w, 2 * g + i, half_at(block + 208) * (float)(int8_t)scales[i], 32);
#endif
}

#define UNPACK(name, items, bytes)                                                                \
    case GGML_##name:                                                                             \
        for (size_t in = 0; in < n_in; in += items)                                               \
            UNPACK_##name(row + in / items * bytes, in / 32, w);                                  \
        break;
#define UNPACK_Q8_0 unpack_q8_0
#define UNPACK_Q4_0 unpack_q4_0
#define UNPACK_Q5_0 unpack_q5_0
#define UNPACK_Q4_K unpack_q4_k
#define UNPACK_Q5_K unpack_q5_k
#define UNPACK_Q6_K unpack_q6_k

INT8_TARGET static void unpack_row(enum ggml_format format, const char *row, size_t n_in,
                                   const struct int8_weights *w)
{
    switch (format) {
        UNPACK(Q8_0, 32, 34)
        UNPACK(Q4_0, 32, 18)
        UNPACK(Q5_0, 32, 22)
        UNPACK(Q4_K, 256, 144)
        UNPACK(Q5_K, 256, 176)
        UNPACK(Q6_K, 256, 210)
    default:
        break;
    }
}
#undef UNPACK

/* ---- products ---- */

enum { EIGHT = 8 / LANES };

struct eight { /* sums of four neighbouring products each */
    lanes v[EIGHT];
};

/* Whether u goes beyond 127, where AVX2's sums of two products do not fit 16 bits. */
INT8_INLINE struct eight multiply_group(const uint8_t *u, const int8_t *q, bool is_wide)
{
    struct eight y;
#if LANES == 8
    __m256i a = _mm256_loadu_si256((const void *)u), b = _mm256_loadu_si256((const void *)q);
#if defined(INT8_VNNI)
    (void)is_wide;
    y.v[0] = (lanes)_mm256_cvtepi32_ps(_mm256_dpbusd_epi32(_mm256_setzero_si256(), a, b));
#else
    __m256i ones = _mm256_set1_epi16(1), sums;

    if (is_wide) {
        __m256i half = _mm256_and_si256(_mm256_srli_epi16(a, 1), _mm256_set1_epi8(127));
        __m256i last = _mm256_and_si256(a, _mm256_set1_epi8(1));

        sums = _mm256_slli_epi32(_mm256_madd_epi16(_mm256_maddubs_epi16(half, b), ones), 1);
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(last, b), ones));
    } else {
        sums = _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones);
    }
    y.v[0] = (lanes)_mm256_cvtepi32_ps(sums);
#endif
#else
    (void)is_wide;
    for (int j = 0; j < 8; j++) {
        int sum = 0;

        for (int i = 4 * j; i < 4 * j + 4; i++)
            sum += u[i] * q[i];
        y.v[j / LANES][j % LANES] = (float)sum;
    }
#endif
    return y;
}

/* The factors of eight sums: one, or one for four each. */
INT8_INLINE struct eight factors_of(const float *factors, bool has_halves)
{
    struct eight y;

#if LANES == 8
    y.v[0] = has_halves ? (lanes)_mm256_blend_ps(_mm256_broadcast_ss(factors),
                                                 _mm256_broadcast_ss(factors + 1), 0xF0)
                        : (lanes)_mm256_broadcast_ss(factors);
#else
    for (int v = 0; v < EIGHT; v++)
        y.v[v] = lanes_set(factors[has_halves ? v : 0]);
#endif
    return y;
}

INT8_INLINE void add_product(struct eight *sum, const struct eight *a, const struct eight *b)
{
    for (int v = 0; v < EIGHT; v++)
        sum->v[v] = lanes_multiply_add(a->v[v], b->v[v], sum->v[v]);
}

INT8_INLINE struct eight load_eight(const float *x)
{
    struct eight y;

    memcpy(&y, x, sizeof y);
    return y;
}

/* factors [8, or 16] = the scales of both */
INT8_INLINE void multiply_scales(const struct int8_weights *w, const struct int8_row *x, size_t g,
                                 bool has_halves, float *factors)
{
#if LANES == 8
    __m256 d = _mm256_loadu_ps(x->scales + g);

    if (!has_halves) {
        _mm256_storeu_ps(factors, _mm256_mul_ps(_mm256_loadu_ps(w->scales + g), d));
        return;
    }
    for (int i = 0; i < 2; i++) {
        __m256i places = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
        __m256 part = _mm256_permutevar8x32_ps(d, _mm256_add_epi32(places, _mm256_set1_epi32(4 * i)));

        _mm256_storeu_ps(factors + 8 * i,
                         _mm256_mul_ps(_mm256_loadu_ps(w->scales + 2 * g + 8 * (size_t)i), part));
    }
#else
    for (size_t i = 0; i < (has_halves ? 16 : 8); i++)
        factors[i] = has_halves ? w->scales[2 * g + i] * x->scales[g + i / 2]
                                : w->scales[g + i] * x->scales[g + i];
#endif
}

INT8_INLINE void add_offsets(struct eight *sum, const struct int8_weights *w,
                             const struct int8_row *x, size_t g, bool has_halves)
{
    for (size_t i = 0; i < (has_halves ? 16 : 8); i += 8) {
        struct eight offsets = load_eight(w->offsets + (has_halves ? 2 * g : g) + i);
        struct eight sums = load_eight((has_halves ? x->half_sums + 2 * g : x->sums + g) + i);

        add_product(sum, &offsets, &sums);
    }
}

/* n_rows, n_outs, has_halves and is_wide are constant in every call. */
INT8_INLINE void multiply_tile(size_t n_rows, size_t n_outs, bool has_halves, bool is_wide,
                               size_t n_in, const struct int8_row x[4],
                               const struct int8_weights w[INT8_OUTS], float factor, bool adds,
                               float *y, size_t y_stride)
{
    struct eight sums[4][INT8_OUTS];
    float factors[4][INT8_OUTS][16];

    LANES_UNROLL
    for (size_t i = 0; i < 4 * INT8_OUTS; i++)
        for (int v = 0; v < EIGHT; v++)
            sums[i / INT8_OUTS][i % INT8_OUTS].v[v] = lanes_set(0);
    for (size_t g = 0; g * INT8_GROUP < n_in; g += INT8_GROUPS) {
        LANES_UNROLL
        for (size_t i = 0; i < n_rows * n_outs; i++)
            multiply_scales(&w[i % n_outs], &x[i / n_outs], g, has_halves,
                            factors[i / n_outs][i % n_outs]);
        for (size_t k = 0; k < INT8_GROUPS; k++) {
            LANES_UNROLL
            for (size_t o = 0; o < n_outs; o++) {
                LANES_UNROLL
                for (size_t row = 0; row < n_rows; row++) {
                    struct eight products = multiply_group(w[o].u + (g + k) * INT8_GROUP,
                                                           x[row].q + (g + k) * INT8_GROUP, is_wide);
                    struct eight scale =
                        factors_of(factors[row][o] + (has_halves ? 2 * k : k), has_halves);

                    add_product(&sums[row][o], &products, &scale);
                }
            }
        }
        LANES_UNROLL
        for (size_t i = 0; i < n_rows * n_outs; i++)
            add_offsets(&sums[i / n_outs][i % n_outs], &w[i % n_outs], &x[i / n_outs], g, has_halves);
    }
    LANES_UNROLL
    for (size_t i = 0; i < n_rows * n_outs; i++) {
        float value = sum_of_eight((const float *)&sums[i / n_outs][i % n_outs]) * factor;
        float *to = y + i / n_outs * y_stride + i % n_outs;

        *to = adds ? *to + value : value;
    }
}

#define TILE(rows, outs)                                                                          \
    if (n_rows == rows && n_outs == outs) {                                                       \
        multiply_tile(rows, outs, has_halves, is_wide, n_in, x, w, factor, adds, y, y_stride);    \
        return;                                                                                   \
    }

INT8_INLINE void multiply_some(size_t n_rows, size_t n_outs, bool has_halves, bool is_wide,
                               size_t n_in, const struct int8_row x[4],
                               const struct int8_weights w[INT8_OUTS], float factor, bool adds,
                               float *y, size_t y_stride)
{
    TILE(4, 4)
    TILE(1, 4)
    for (size_t row = 0; row < n_rows; row++)
        for (size_t o = 0; o < n_outs; o++)
            multiply_tile(1, 1, has_halves, is_wide, n_in, x + row, w + o, factor, adds,
                          y + row * y_stride + o, y_stride);
}
#undef TILE

#define SOME(name, has_halves, is_wide)                                                           \
    INT8_TARGET static void name(size_t n_rows, size_t n_outs, size_t n_in,                       \
                                 const struct int8_row x[4],                                      \
                                 const struct int8_weights w[INT8_OUTS], float factor, bool adds, \
                                 float *y, size_t y_stride)                                       \
    {                                                                                             \
        multiply_some(n_rows, n_outs, has_halves, is_wide, n_in, x, w, factor, adds, y, y_stride); \
    }
SOME(multiply_narrow, false, false)
SOME(multiply_wide, false, true)
SOME(multiply_halves, true, false)
#undef SOME

static struct int8_weights weights_at(float *scratch, size_t n_in, size_t out)
{
    size_t n = filled(n_in);
    float *first = scratch + out * (n / 4 + n / 8);

    return (struct int8_weights){(uint8_t *)first, first + n / 4, first + n / 4 + n / 16};
}

/* What blocks leave behind their last stays zero. */
static void clear_rest(size_t n_in, const struct int8_weights *w, bool has_halves)
{
    size_t n = filled(n_in), group = has_halves ? 16 : 32;

    memset(w->u + n_in, 0, n - n_in);
    memset(w->scales + n_in / group, 0, (n - n_in) / group * sizeof(float));
    memset(w->offsets + n_in / group, 0, (n - n_in) / group * sizeof(float));
}

static void multiply(const struct gemm_matrix *w, size_t n_rows, const char *packed, float factor,
                     bool adds, float *y, size_t y_stride, float *scratch)
{
    enum ggml_format format = (enum ggml_format)(w->format - matrix_ggml);
    size_t n_outs, n, row_bytes = int8_row_bytes(w->n_in);

    for (size_t out = 0; out < w->n_out; out += n_outs) {
        struct int8_weights weights[INT8_OUTS];

        n_outs = w->n_out - out < INT8_OUTS ? 1 : INT8_OUTS;
        for (size_t o = 0; o < n_outs; o++) {
            weights[o] = weights_at(scratch, w->n_in, o);
            clear_rest(w->n_in, &weights[o], format == GGML_Q6_K);
            unpack_row(format, gemm_ggml_row(w, w->first_out + out + o), w->n_in, &weights[o]);
        }
        for (size_t row = 0; row < n_rows; row += n) {
            struct int8_row x[4];
            float *to = y + row * y_stride + out;

            n = n_rows - row < 4 ? 1 : 4;
            for (size_t i = 0; i < n; i++)
                x[i] = row_at(packed + (row + i) * row_bytes, w->n_in);
            if (format == GGML_Q6_K)
                multiply_halves(n, n_outs, w->n_in, x, weights, factor, adds, to, y_stride);
            else if (format == GGML_Q8_0)
                multiply_wide(n, n_outs, w->n_in, x, weights, factor, adds, to, y_stride);
            else
                multiply_narrow(n, n_outs, w->n_in, x, weights, factor, adds, to, y_stride);
        }
    }
}

const struct gemm_fast INT8_NAME = {"int8", int8_row_bytes, pack, multiply};

#endif
