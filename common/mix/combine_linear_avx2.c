/* combine_linear_avx2.c - linear for F32, F16 and BF16 with AVX2, FMA and F16C.
 *
 * Eight items at a time go through all inputs with their sums in registers, and are rounded from
 * there: by adding and subtracting a power of two that makes a double's last bit the last bit of
 * the output dtype. So the processor rounds, to nearest even, once; what follows is exact. */
#include "mix/combine_linear.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c")))

enum { STEP = 8 };

AVX2 static inline __m256 load(const struct combine_input *input, size_t i)
{
    const char *values = input->values;
    __m128i bits;

    if (input->dtype == DTYPE_F32)
        return _mm256_loadu_ps((const float *)(values + i * 4));
    bits = _mm_loadu_si128((const __m128i *)(values + i * 2));
    if (input->dtype == DTYPE_F16)
        return _mm256_cvtph_ps(bits);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

AVX2 static inline void store(__m256 x, enum dtype dtype, void *out, size_t i)
{
    __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000));
    __m128i bits;

    x = _mm256_blendv_ps(x, nan, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    if (dtype == DTYPE_F32) {
        _mm256_storeu_ps((float *)((char *)out + i * 4), x);
        return;
    }
    if (dtype == DTYPE_F16) {
        bits = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
    } else {
        __m256i high = _mm256_srli_epi32(_mm256_castps_si256(x), 16);

        bits = _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
    }
    _mm_storeu_si128((__m128i *)((char *)out + i * 2), bits);
}

/* x rounded to the bits of a 16-bit dtype, still as double. smallest: the dtype's smallest normal
 * number, below which the spacing stays the same; anchor: 2^(52 - bits of its mantissa). What is
 * too large for float stays so, and becomes Inf there. */
AVX2 static inline __m256d round_to_16_bits(__m256d x, __m256d smallest, __m256d anchor)
{
    __m256d sign = _mm256_and_pd(x, _mm256_set1_pd(-0.0));
    __m256d size = _mm256_xor_pd(x, sign);
    __m256d power = _mm256_and_pd(x, _mm256_set1_pd(__builtin_inf())); /* the exponent bits */

    power = _mm256_min_pd(_mm256_max_pd(power, smallest), _mm256_set1_pd(0x1p128));
    anchor = _mm256_mul_pd(power, anchor);
    return _mm256_or_pd(_mm256_sub_pd(_mm256_add_pd(size, anchor), anchor), sign);
}

AVX2 void combine_linear_avx2(const struct combine_input *inputs, size_t n_inputs, size_t n,
                              enum dtype out_dtype, void *out)
{
    __m256d smallest = _mm256_set1_pd(out_dtype == DTYPE_F16 ? 0x1p-14 : 0x1p-126);
    __m256d anchor = _mm256_set1_pd(out_dtype == DTYPE_F16 ? 0x1p42 : 0x1p45);
    size_t i = 0;

    if (combine_is_common(inputs, n_inputs, out_dtype))
        for (; n - i >= STEP; i += STEP) {
            __m256 x = load(&inputs[0], i);
            __m256d weight = _mm256_set1_pd(inputs[0].weight);
            __m256d low = _mm256_mul_pd(weight, _mm256_cvtps_pd(_mm256_castps256_ps128(x)));
            __m256d high = _mm256_mul_pd(weight, _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)));

            for (size_t k = 1; k < n_inputs; k++) {
                x = load(&inputs[k], i);
                weight = _mm256_set1_pd(inputs[k].weight);
                low = _mm256_fmadd_pd(weight, _mm256_cvtps_pd(_mm256_castps256_ps128(x)), low);
                high = _mm256_fmadd_pd(weight, _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)), high);
            }
            if (out_dtype != DTYPE_F32) {
                low = round_to_16_bits(low, smallest, anchor);
                high = round_to_16_bits(high, smallest, anchor);
            }
            x = _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
            store(x, out_dtype, out, i);
        }
    combine_linear_plain(inputs, n_inputs, i, n, out_dtype, out);
}
#endif
