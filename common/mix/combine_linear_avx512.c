/* combine_linear_avx512.c - linear for F32, F16 and BF16 with AVX-512 F: as
 * combine_linear_avx2.c, which explains it, with sixteen items at a time. */
#include "mix/combine_linear.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))

enum { STEP = 16 };

AVX512 static inline __m512 load(const struct combine_input *input, size_t i)
{
    const char *values = input->values;
    __m256i bits;

    if (input->dtype == DTYPE_F32)
        return _mm512_loadu_ps(values + i * 4);
    bits = _mm256_loadu_si256((const __m256i *)(values + i * 2));
    if (input->dtype == DTYPE_F16)
        return _mm512_cvtph_ps(bits);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

AVX512 static inline __m512d low_half(__m512 x)
{
    return _mm512_cvtps_pd(_mm512_castps512_ps256(x));
}

AVX512 static inline __m512d high_half(__m512 x)
{
    return _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1)));
}

AVX512 static inline __m512 join(__m512d low, __m512d high)
{
    __m512d x = _mm512_castps_pd(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)));

    return _mm512_castpd_ps(_mm512_insertf64x4(x, _mm256_castps_pd(_mm512_cvtpd_ps(high)), 1));
}

AVX512 static inline void store(__m512 x, enum dtype dtype, void *out, size_t i)
{
    __m512i nan = _mm512_set1_epi32(0x7FC00000);
    __m256i bits;

    x = _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), _mm512_castsi512_ps(nan));
    if (dtype == DTYPE_F32) {
        _mm512_storeu_ps((char *)out + i * 4, x);
        return;
    }
    if (dtype == DTYPE_F16)
        bits = _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
    else
        bits = _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(x), 16));
    _mm256_storeu_si256((__m256i *)((char *)out + i * 2), bits);
}

AVX512 static inline __m512d round_to_16_bits(__m512d x, __m512d smallest, __m512d anchor)
{
    __m512i bits = _mm512_castpd_si512(x), exponent = _mm512_set1_epi64(0x7FF0000000000000);
    __m512d size = _mm512_abs_pd(x);
    __m512i sign = _mm512_xor_si512(bits, _mm512_castpd_si512(size));
    __m512d power = _mm512_castsi512_pd(_mm512_and_si512(bits, exponent));

    power = _mm512_min_pd(_mm512_max_pd(power, smallest), _mm512_set1_pd(0x1p128));
    anchor = _mm512_mul_pd(power, anchor);
    size = _mm512_sub_pd(_mm512_add_pd(size, anchor), anchor);
    return _mm512_castsi512_pd(_mm512_or_si512(_mm512_castpd_si512(size), sign));
}

AVX512 void combine_linear_avx512(const struct combine_input *inputs, size_t n_inputs, size_t n,
                                  enum dtype out_dtype, void *out)
{
    __m512d smallest = _mm512_set1_pd(out_dtype == DTYPE_F16 ? 0x1p-14 : 0x1p-126);
    __m512d anchor = _mm512_set1_pd(out_dtype == DTYPE_F16 ? 0x1p42 : 0x1p45);
    size_t i = 0;

    if (combine_is_common(inputs, n_inputs, out_dtype))
        for (; n - i >= STEP; i += STEP) {
            __m512 x = load(&inputs[0], i);
            __m512d weight = _mm512_set1_pd(inputs[0].weight);
            __m512d low = _mm512_mul_pd(weight, low_half(x));
            __m512d high = _mm512_mul_pd(weight, high_half(x));

            for (size_t k = 1; k < n_inputs; k++) {
                x = load(&inputs[k], i);
                weight = _mm512_set1_pd(inputs[k].weight);
                low = _mm512_fmadd_pd(weight, low_half(x), low);
                high = _mm512_fmadd_pd(weight, high_half(x), high);
            }
            if (out_dtype != DTYPE_F32) {
                low = round_to_16_bits(low, smallest, anchor);
                high = round_to_16_bits(high, smallest, anchor);
            }
            store(join(low, high), out_dtype, out, i);
        }
    combine_linear_plain(inputs, n_inputs, i, n, out_dtype, out);
}
#endif
