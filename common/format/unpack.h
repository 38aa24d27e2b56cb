/* unpack.h - numbers of a few bits out of words of 32 bits and bytes, and their values. */
#ifndef COCKTAIL_UNPACK_H
#define COCKTAIL_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How fields of 1 to 8 bits lie in words, least significant bit first. */
struct unpack_layout {
    unsigned bits;
    unsigned per_word; /* so many in each word, the rest of it is not used; 0: one behind the other, also
                        * across words, which is the same for 1, 2, 4 and 8 bits */
};

/* Words that n fields from the first one on reach into. */
size_t unpack_n_words(struct unpack_layout layout, size_t n);
/* Field i. words[0], words[stride], … */
uint32_t unpack_field(struct unpack_layout layout, const uint32_t *words, size_t stride, size_t i);

/* out[i] = (field first + i - zero) scale, or that plus *bias; the product and the sum are rounded each. */
void unpack_values(struct unpack_layout layout, const uint32_t *words, size_t stride, size_t first,
                   size_t n, float zero, float scale, const float *bias, float *out);
/* out[i] = ((words[i] >> shift & 15) - zero) scale */
void unpack_nibbles(const uint32_t *words, unsigned shift, size_t n, float zero, float scale,
                    float *out);

/* Of eight rows at once, whose words lie side by side, n inputs, a multiple of 8, each of the group that
 * `groups` says: out[r * step + i] = ((words[i / 8 * stride + r] >> 4 (i % 8) & 15) - zeros[place])
 * scales[place], place = groups[i] * width + r. */
void unpack_rows(const uint32_t *words, size_t stride, size_t n, const uint32_t *groups,
                 const float *zeros, const float *scales, size_t width, float *out, size_t step);

/* out[i] = (byte i as a signed number) scale factor; both products are rounded. */
void unpack_signed(const unsigned char *bytes, size_t n, float scale, float factor, float *out);
/* out[i] = (byte i as F8_E4M3) scale */
void unpack_e4m3(const unsigned char *bytes, size_t n, float scale, float *out);
/* out[i] = values[code i] scale; values [16], two codes in a byte, the first in its high half or its low. */
void unpack_codes(const unsigned char *bytes, bool is_high_first, size_t n, const float *values,
                  float scale, float *out);

/* The plain version of unpack_values, which the faster ones are tested against. */
void unpack_values_plain(struct unpack_layout layout, const uint32_t *words, size_t stride,
                         size_t first, size_t n, float zero, float scale, const float *bias,
                         float *out);

#endif
