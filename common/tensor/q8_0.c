#include "q8_0.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "tensor/dtype.h"

struct block {
    uint16_t scale;
    int8_t values[Q8_0_ITEMS];
};
_Static_assert(sizeof(struct block) == Q8_0_BYTES, "blocks are packed");

static float largest(const float *x)
{
    float max = 0;

    for (size_t i = 0; i < Q8_0_ITEMS; i++)
        if (fabsf(x[i]) > max)
            max = fabsf(x[i]);
    for (size_t i = 0; i < Q8_0_ITEMS; i++)
        if (isnan(x[i]))
            max = x[i];
    return max;
}

/* roundf without a call; what is too large for a block whose scale is 0 or infinite becomes 0. */
static int8_t round_half_away(float x)
{
    float whole, rest;

    if (!(fabsf(x) < 128))
        return 0;
    whole = (float)(int)x;
    rest = x - whole; /* exact */
    return (int8_t)((int)whole + (rest >= 0.5f) - (rest <= -0.5f));
}

static void pack(const float *x, struct block *out)
{
    float scale = largest(x) / 127, inverse = scale == 0 ? 0 : 1 / scale;
    double rounded = scale;

    dtype_from_double(DTYPE_F16, &rounded, &out->scale, 1);
    for (size_t i = 0; i < Q8_0_ITEMS; i++)
        out->values[i] = round_half_away(x[i] * inverse);
}

void q8_0_pack(const void *in, size_t n_blocks, void *out)
{
    for (size_t b = 0; b < n_blocks; b++) {
        float x[Q8_0_ITEMS];
        struct block block;

        memcpy(x, (const char *)in + b * sizeof x, sizeof x);
        pack(x, &block);
        memcpy((char *)out + b * sizeof block, &block, sizeof block);
    }
}
