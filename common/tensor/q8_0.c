#include "q8_0.h"

#include <stdint.h>
#include <string.h>

#include "tensor/dtype.h"

struct block {
    uint16_t scale;
    int8_t values[Q8_0_ITEMS];
};
_Static_assert(sizeof(struct block) == Q8_0_BYTES, "blocks are packed");

/* Four at once, on any processor. */
enum { LANES = 4, VECTORS = Q8_0_ITEMS / LANES };
typedef float floats __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t ints __attribute__((vector_size(LANES * sizeof(int32_t))));
typedef int8_t bytes __attribute__((vector_size(LANES)));

static const int32_t magnitude = 0x7FFFFFFF, limit = 0x43000000 /* 128 */;

/* The bits of magnitudes are in the order of their values, and those of a NaN above them all. */
static float largest(const floats *x)
{
    ints all = {0};
    int32_t max = 0;
    float result;

    for (size_t i = 0; i < VECTORS; i++) {
        ints some = (ints)x[i] & magnitude, is_more = some > all;

        all = (some & is_more) | (all & ~is_more);
    }
    for (size_t i = 0; i < LANES; i++)
        max = all[i] > max ? all[i] : max;
    memcpy(&result, &max, sizeof result);
    return result;
}

/* roundf; what is too large, where the scale is 0 or infinite, becomes 0, and so does NaN. */
static ints round_half_away(floats x)
{
    floats small = (floats)((ints)x & (((ints)x & magnitude) < limit)), rest;
    ints whole = __builtin_convertvector(small, ints);

    rest = small - __builtin_convertvector(whole, floats); /* exact */
    return whole - (rest >= 0.5f) + (rest <= -0.5f); /* a comparison that holds is -1 */
}

static void pack(const floats *x, struct block *out)
{
    float scale = largest(x) / 127, inverse = scale == 0 ? 0 : 1 / scale;
    double rounded = scale;

    dtype_from_double(DTYPE_F16, &rounded, &out->scale, 1);
    for (size_t i = 0; i < VECTORS; i++) {
        bytes values = __builtin_convertvector(round_half_away(x[i] * inverse), bytes);

        memcpy(out->values + i * LANES, &values, sizeof values);
    }
}

void q8_0_pack(const void *in, size_t n_blocks, void *out)
{
    for (size_t b = 0; b < n_blocks; b++) {
        floats x[VECTORS];
        struct block block;

        memcpy(x, (const char *)in + b * sizeof x, sizeof x);
        pack(x, &block);
        memcpy((char *)out + b * sizeof block, &block, sizeof block);
    }
}
