#include "combine_floats.h"

#include <stdint.h>
#include <string.h>

#include "math/vector.h"

enum { BLOCK = COMBINE_BLOCK_ITEMS };

void combine_read_floats(const struct combine_input *input, size_t first, size_t n, float *out)
{
    const char *values = (const char *)input->values + first * combine_item_bytes(input->dtype);
    double x[BLOCK];

    switch (input->dtype) {
    case DTYPE_F32: memcpy(out, values, n * sizeof *out); break;
    case DTYPE_BF16:
    case DTYPE_F16: vector_widen(input->dtype, values, n, out); break;
    default:
        dtype_to_double(input->dtype, values, x, n);
        for (size_t k = 0; k < n; k++)
            out[k] = (float)x[k];
    }
    if (n < BLOCK)
        memset(out + n, 0, (BLOCK - n) * sizeof *out);
}

/* Adding what makes the lower half carry just when the upper half is to be rounded up. */
static void round_to_bf16(const float *in, uint16_t *restrict out)
{
    uint32_t bits[BLOCK];

    memcpy(bits, in, sizeof bits);
    for (size_t k = 0; k < BLOCK; k++) {
        uint32_t rounded = (bits[k] + 0x7FFF + (bits[k] >> 16 & 1)) >> 16;

        out[k] = (bits[k] & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC0 : (uint16_t)rounded;
    }
}

static void canonical(const float *in, uint32_t *restrict out)
{
    uint32_t bits[BLOCK];

    memcpy(bits, in, sizeof bits);
    for (size_t k = 0; k < BLOCK; k++)
        out[k] = (bits[k] & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC00000 : bits[k];
}

void combine_write_floats(enum dtype dtype, const float *in, void *out, size_t first, size_t n)
{
    char *place = (char *)out + first * combine_item_bytes(dtype);
    union {
        uint16_t shorts[BLOCK];
        uint32_t words[BLOCK];
        double wide[BLOCK];
    } made;

    switch (dtype) {
    case DTYPE_F32: canonical(in, made.words); break;
    case DTYPE_BF16: round_to_bf16(in, made.shorts); break;
    default:
        for (size_t k = 0; k < n; k++)
            made.wide[k] = in[k];
        dtype_from_double(dtype, made.wide, place, n);
        return;
    }
    memcpy(place, &made, n * combine_item_bytes(dtype));
}
