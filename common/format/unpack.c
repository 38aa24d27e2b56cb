/* unpack.c - fields of words, and bytes, to floats: read one by one, or eight at once where they are of
 * 2, 4 or 8 bits.
 *
 * Eight fields are one vector: a word is put into all its lanes, and each lane shifts to its field. The
 * vectors are those of the compiler; the same function is compiled once for any processor and once for
 * AVX2. */
#include "unpack.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/isa.h"

enum { LANES = 8 };

typedef uint32_t words8 __attribute__((vector_size(LANES * 4)));
typedef int32_t integers8 __attribute__((vector_size(LANES * 4)));
typedef float floats8 __attribute__((vector_size(LANES * 4)));

size_t unpack_n_words(struct unpack_layout layout, size_t n)
{
    if (layout.per_word)
        return n / layout.per_word + (n % layout.per_word != 0);
    return n / 32 * layout.bits + (n % 32 * layout.bits + 31) / 32;
}

uint32_t unpack_field(struct unpack_layout layout, const uint32_t *words, size_t stride, size_t i)
{
    unsigned shift;
    uint32_t value;

    if (layout.per_word) {
        shift = (unsigned)(i % layout.per_word) * layout.bits;
        value = words[i / layout.per_word * stride] >> shift;
    } else {
        size_t bit = i % 32 * layout.bits, word = i / 32 * layout.bits + bit / 32;

        shift = (unsigned)(bit % 32);
        value = words[word * stride] >> shift;
        if (shift + layout.bits > 32)
            value |= words[(word + 1) * stride] << (32 - shift);
    }
    return value & ((1u << layout.bits) - 1);
}

void unpack_values_plain(struct unpack_layout layout, const uint32_t *words, size_t stride,
                         size_t first, size_t n, float zero, float scale, const float *bias,
                         float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = ((float)unpack_field(layout, words, stride, first + i) - zero) * scale;
        if (bias)
            out[i] += *bias;
    }
}

/* Groups of eight fields, the first a multiple of eight. */
static inline __attribute__((always_inline)) void
unpack_eights(unsigned bits, const uint32_t *words, size_t stride, size_t first, size_t n,
              float zero, float scale, const float *bias, float *out)
{
    const words8 numbers = {0, 1, 2, 3, 4, 5, 6, 7};
    words8 shifts = numbers * bits % 32;
    float last = bias ? *bias : 0;

    for (size_t i = first; i < first + n; i += LANES) {
        size_t bit = i * bits; /* of a tile: small */
        const uint32_t *word = words + bit / 32 * stride;
        uint32_t low = bits == 2 ? word[0] >> bit % 32 : word[0]; /* others begin words */
        words8 w;
        floats8 x;

        if (bits == 8) {
            uint32_t high = word[stride];

            w = (words8){low, low, low, low, high, high, high, high};
        } else {
            w = (words8){low, low, low, low, low, low, low, low};
        }
        w = w >> shifts & ((1u << bits) - 1);
        x = (__builtin_convertvector((integers8)w, floats8) - zero) * scale;
        if (bias)
            x += last;
        memcpy(out, &x, sizeof x);
        out += LANES;
    }
}

#define EIGHTS_OF_ALL_SIZES                                                                       \
    switch (bits) {                                                                               \
    case 2: unpack_eights(2, words, stride, first, n, zero, scale, bias, out); break;             \
    case 4: unpack_eights(4, words, stride, first, n, zero, scale, bias, out); break;             \
    default: unpack_eights(8, words, stride, first, n, zero, scale, bias, out); break;            \
    }

static inline __attribute__((always_inline)) void nibbles(const uint32_t *words, unsigned shift,
                                                          size_t n, float zero, float scale,
                                                          float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        words8 w;
        floats8 x;

        memcpy(&w, words + i, sizeof w);
        w = w >> shift & 15u;
        x = (__builtin_convertvector((integers8)w, floats8) - zero) * scale;
        memcpy(out + i, &x, sizeof x);
    }
}

static inline __attribute__((always_inline)) void store_signed(const integers8 *numbers, float scale,
                                                               float factor, float *out)
{
    floats8 x = __builtin_convertvector(*numbers, floats8) * scale * factor;

    memcpy(out, &x, sizeof x);
}

/* Sign, 4 bits of exponent (bias 7), 3 bits of mantissa: those of a float but for the bias, 127. An
 * exponent of 0 means that of 1 without the leading one, which is taken off; all ones are NaN. */
static inline __attribute__((always_inline)) void store_e4m3(const words8 *bytes, float scale,
                                                             float *out)
{
    const words8 leading = (words8){0} + (121u << 23); /* 2^-6 */
    words8 code = *bytes & 0x7Fu, is_small = (words8)(code < 8), is_nan = (words8)(code == 0x7F);
    floats8 value;

    code = (code << 20) + (120u << 23) + (is_small & 1u << 23);
    value = (floats8)(code | (is_nan & 0x7FC00000u)) - (floats8)(is_small & leading);
    value = (floats8)((words8)value | (*bytes << 24 & 0x80000000u)) * scale;
    memcpy(out, &value, sizeof value);
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))

AVX2 static void eights_avx2(unsigned bits, const uint32_t *words, size_t stride, size_t first,
                             size_t n, float zero, float scale, const float *bias, float *out)
{
    EIGHTS_OF_ALL_SIZES
}

AVX2 static void nibbles_avx2(const uint32_t *words, unsigned shift, size_t n, float zero,
                              float scale, float *out)
{
    nibbles(words, shift, n, zero, scale, out);
}

AVX2 static void signed_avx2(const unsigned char *bytes, size_t n, float scale, float factor,
                             float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        __m128i eight = _mm_loadl_epi64((const __m128i *)(bytes + i));
        integers8 numbers = (integers8)_mm256_cvtepi8_epi32(eight);

        store_signed(&numbers, scale, factor, out + i);
    }
}

AVX2 static void e4m3_avx2(const unsigned char *bytes, size_t n, float scale, float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        __m128i eight = _mm_loadl_epi64((const __m128i *)(bytes + i));
        words8 wide = (words8)_mm256_cvtepu8_epi32(eight);

        store_e4m3(&wide, scale, out + i);
    }
}

/* Halves of the table stand in a register each. */
AVX2 static void codes_avx2(const unsigned char *bytes, bool is_high_first, size_t n,
                            const float *values, float scale, float *out)
{
    const __m256i low_first = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    const __m256i shifts = _mm256_xor_si256(low_first, _mm256_set1_epi32(is_high_first ? 4 : 0));
    const __m256 small = _mm256_loadu_ps(values), large = _mm256_loadu_ps(values + LANES);

    for (size_t i = 0; i < n; i += LANES) {
        int32_t word;
        __m256i code;
        __m256 x, y;

        memcpy(&word, bytes + i / 2, sizeof word);
        code = _mm256_srlv_epi32(_mm256_set1_epi32(word), shifts); /* 3 bits count, and the fourth */
        x = _mm256_permutevar8x32_ps(small, code);
        y = _mm256_permutevar8x32_ps(large, code);
        x = _mm256_blendv_ps(x, y, _mm256_castsi256_ps(_mm256_slli_epi32(code, 28)));
        _mm256_storeu_ps(out + i, _mm256_mul_ps(x, _mm256_set1_ps(scale)));
    }
}

/* rows[i] item r becomes out[r * step + i]. */
AVX2 static void store_turned(const __m256 *rows, float *out, size_t step)
{
    __m256 pairs[8], fours[8];

    for (size_t i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
    for (size_t i = 0; i < 8; i += 4)
        for (size_t k = 0; k < 2; k++) {
            fours[i + 2 * k] = _mm256_shuffle_ps(pairs[i + k], pairs[i + k + 2], 0x44);
            fours[i + 2 * k + 1] = _mm256_shuffle_ps(pairs[i + k], pairs[i + k + 2], 0xEE);
        }
    for (size_t r = 0; r < 4; r++) {
        _mm256_storeu_ps(out + r * step, _mm256_permute2f128_ps(fours[r], fours[r + 4], 0x20));
        _mm256_storeu_ps(out + (r + 4) * step, _mm256_permute2f128_ps(fours[r], fours[r + 4], 0x31));
    }
}

AVX2 static void rows_avx2(const uint32_t *words, size_t stride, size_t n, const uint32_t *groups,
                           const float *zeros, const float *scales, size_t width, float *out,
                           size_t step)
{
    const __m256i mask = _mm256_set1_epi32(15);

    for (size_t i = 0; i < n; i += LANES) {
        __m256i w = _mm256_loadu_si256((const __m256i *)(words + i / LANES * stride));
        __m256 rows[LANES];

        for (size_t k = 0; k < LANES; k++) {
            size_t place = groups[i + k] * width;
            __m256 x = _mm256_cvtepi32_ps(_mm256_and_si256(w, mask));

            x = _mm256_sub_ps(x, _mm256_loadu_ps(zeros + place));
            rows[k] = _mm256_mul_ps(x, _mm256_loadu_ps(scales + place));
            w = _mm256_srli_epi32(w, 4);
        }
        store_turned(rows, out + i, step);
    }
}

static bool has_avx2(void)
{
    return isa_in_use() >= ISA_AVX2;
}
#else
#define signed_avx2 signed_any
#define e4m3_avx2 e4m3_any
#define codes_avx2 codes_any
#define rows_avx2 rows_any
#define eights_avx2 eights_any
#define nibbles_avx2 nibbles_any

static bool has_avx2(void)
{
    return false;
}
#endif

static void eights_any(unsigned bits, const uint32_t *words, size_t stride, size_t first, size_t n,
                       float zero, float scale, const float *bias, float *out)
{
    EIGHTS_OF_ALL_SIZES
}

static void nibbles_any(const uint32_t *words, unsigned shift, size_t n, float zero, float scale,
                        float *out)
{
    nibbles(words, shift, n, zero, scale, out);
}

static void rows_any(const uint32_t *words, size_t stride, size_t n, const uint32_t *groups,
                     const float *zeros, const float *scales, size_t width, float *out, size_t step)
{
    for (size_t r = 0; r < LANES; r++)
        for (size_t i = 0; i < n; i++) {
            size_t place = groups[i] * width + r;
            uint32_t code = words[i / LANES * stride + r] >> i % LANES * 4 & 15;

            out[r * step + i] = ((float)code - zeros[place]) * scales[place];
        }
}

static void signed_any(const unsigned char *bytes, size_t n, float scale, float factor, float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        integers8 numbers = {0};

        for (size_t k = 0; k < LANES; k++)
            numbers[k] = (bytes[i + k] ^ 0x80) - 0x80; /* two's complement */
        store_signed(&numbers, scale, factor, out + i);
    }
}

static void e4m3_any(const unsigned char *bytes, size_t n, float scale, float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        words8 wide = {0};

        for (size_t k = 0; k < LANES; k++)
            wide[k] = bytes[i + k];
        store_e4m3(&wide, scale, out + i);
    }
}

static void codes_any(const unsigned char *bytes, bool is_high_first, size_t n, const float *values,
                      float scale, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = values[bytes[i / 2] >> (i % 2 != is_high_first ? 4 : 0) & 15] * scale;
}

void unpack_values(struct unpack_layout layout, const uint32_t *words, size_t stride, size_t first,
                   size_t n, float zero, float scale, const float *bias, float *out)
{
    bool is_even = layout.bits == 2 || layout.bits == 4 || layout.bits == 8;
    size_t n_before = (LANES - first % LANES) % LANES, n_eights;

    n_before = is_even && n_before < n ? n_before : n;
    if (n_before)
        unpack_values_plain(layout, words, stride, first, n_before, zero, scale, bias, out);
    first += n_before;
    out += n_before;
    n -= n_before;
    n_eights = n / LANES * LANES;
    if (n_eights)
        (has_avx2() ? eights_avx2 : eights_any)(layout.bits, words, stride, first, n_eights, zero,
                                                scale, bias, out);
    if (n > n_eights)
        unpack_values_plain(layout, words, stride, first + n_eights, n - n_eights, zero, scale,
                            bias, out + n_eights);
}

void unpack_nibbles(const uint32_t *words, unsigned shift, size_t n, float zero, float scale,
                    float *out)
{
    size_t n_eights = n / LANES * LANES;

    (has_avx2() ? nibbles_avx2 : nibbles_any)(words, shift, n_eights, zero, scale, out);
    for (size_t i = n_eights; i < n; i++)
        out[i] = ((float)(words[i] >> shift & 15) - zero) * scale;
}

void unpack_rows(const uint32_t *words, size_t stride, size_t n, const uint32_t *groups,
                 const float *zeros, const float *scales, size_t width, float *out, size_t step)
{
    (has_avx2() ? rows_avx2 : rows_any)(words, stride, n, groups, zeros, scales, width, out, step);
}

/* The last bytes go through a vector of their own. */
void unpack_signed(const unsigned char *bytes, size_t n, float scale, float factor, float *out)
{
    size_t n_eights = n / LANES * LANES;
    unsigned char rest[LANES] = {0};
    float values[LANES];

    (has_avx2() ? signed_avx2 : signed_any)(bytes, n_eights, scale, factor, out);
    if (n == n_eights)
        return;
    memcpy(rest, bytes + n_eights, n - n_eights);
    signed_any(rest, LANES, scale, factor, values);
    memcpy(out + n_eights, values, (n - n_eights) * sizeof *values);
}

void unpack_e4m3(const unsigned char *bytes, size_t n, float scale, float *out)
{
    size_t n_eights = n / LANES * LANES;
    unsigned char rest[LANES] = {0};
    float values[LANES];

    (has_avx2() ? e4m3_avx2 : e4m3_any)(bytes, n_eights, scale, out);
    if (n == n_eights)
        return;
    memcpy(rest, bytes + n_eights, n - n_eights);
    e4m3_any(rest, LANES, scale, values);
    memcpy(out + n_eights, values, (n - n_eights) * sizeof *values);
}

void unpack_codes(const unsigned char *bytes, bool is_high_first, size_t n, const float *values,
                  float scale, float *out)
{
    size_t n_eights = n / LANES * LANES;

    (has_avx2() ? codes_avx2 : codes_any)(bytes, is_high_first, n_eights, values, scale, out);
    codes_any(bytes + n_eights / 2, is_high_first, n - n_eights, values, scale, out + n_eights);
}
