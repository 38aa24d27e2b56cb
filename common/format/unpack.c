/* unpack.c - fields of words to floats: read field by field, or eight at once where they are of 2, 4
 * or 8 bits.
 *
 * Eight fields are one vector: a word is put into all its lanes, and each lane shifts to its field. The
 * vectors are those of the compiler; the same function is compiled once for any processor and once for
 * AVX2. */
#include "unpack.h"

#include <stdbool.h>
#include <string.h>

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
        uint32_t low = word[0] >> bit % 32;
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

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
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

void unpack_values(struct unpack_layout layout, const uint32_t *words, size_t stride, size_t first,
                   size_t n, float zero, float scale, const float *bias, float *out)
{
    bool is_even = layout.bits == 2 || layout.bits == 4 || layout.bits == 8;
    size_t n_before = (LANES - first % LANES) % LANES, n_eights;

    n_before = is_even && n_before < n ? n_before : n;
    unpack_values_plain(layout, words, stride, first, n_before, zero, scale, bias, out);
    first += n_before;
    out += n_before;
    n -= n_before;
    n_eights = n / LANES * LANES;
    if (n_eights)
        (has_avx2() ? eights_avx2 : eights_any)(layout.bits, words, stride, first, n_eights, zero,
                                                scale, bias, out);
    unpack_values_plain(layout, words, stride, first + n_eights, n - n_eights, zero, scale, bias,
                        out + n_eights);
}

void unpack_nibbles(const uint32_t *words, unsigned shift, size_t n, float zero, float scale,
                    float *out)
{
    size_t n_eights = n / LANES * LANES;

    (has_avx2() ? nibbles_avx2 : nibbles_any)(words, shift, n_eights, zero, scale, out);
    for (size_t i = n_eights; i < n; i++)
        out[i] = ((float)(words[i] >> shift & 15) - zero) * scale;
}
