/* digest_sha.c - SHA-256 with the SHA instructions of x86-64, which are some five times as fast. */
#include "base/digest_kernels.h"

#include <assert.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

bool digest_has_sha256(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) &&
           __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1);
}

__attribute__((target("sha,sse4.1"))) void
digest_sha256_fast(uint32_t state[8], const unsigned char *bytes, size_t n_blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i *constants = (const __m128i *)digest_sha256_constants;
    __m128i dcba = _mm_loadu_si128((const __m128i *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)state + 1);
    /* The instructions want the state in this order. */
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

    for (; n_blocks > 0; n_blocks--, bytes += DIGEST_BLOCK) {
        __m128i abef_before = abef, cdgh_before = cdgh, words[4];

        for (int i = 0; i < 4; i++)
            words[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes + i), swap);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) { /* four steps; then words[i % 4] is needed as word i + 16 */
            __m128i *word = &words[i % 4], newest = words[(i + 3) % 4];
            __m128i sum = _mm_add_epi32(*word, _mm_loadu_si128(constants + i));

            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
            *word = _mm_add_epi32(_mm_sha256msg1_epu32(*word, words[(i + 1) % 4]),
                                  _mm_alignr_epi8(newest, words[(i + 2) % 4], 4));
            *word = _mm_sha256msg2_epu32(*word, newest);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    {
        __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);

        _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
        _mm_storeu_si128((__m128i *)state + 1, _mm_alignr_epi8(dchg, feba, 8));
    }
}

#else

bool digest_has_sha256(void)
{
    return false;
}

void digest_sha256_fast(uint32_t state[8], const unsigned char *bytes, size_t n_blocks)
{
    (void)state;
    (void)bytes;
    (void)n_blocks;
    assert(false);
}

#endif
