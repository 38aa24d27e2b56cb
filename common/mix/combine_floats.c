#include "combine_floats.h"

#include <stdint.h>
#include <string.h>

#include "math/vector.h"
#include "mix/blocks.h"
#include "mix/combine_linear.h"

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

void combine_read_difference(const struct combine_input *input, size_t first, size_t n,
                             const float *base, float *out)
{
    if (input->dtype == DTYPE_BF16 && n == BLOCK) {
        blocks_subtract_from_bf16((const char *)input->values + first * 2, base, out);
        return;
    }
    combine_read_floats(input, first, n, out);
    blocks_subtract(out, base, out);
}

void combine_write_floats(enum dtype dtype, const float *in, void *out, size_t first, size_t n)
{
    char *place = (char *)out + first * combine_item_bytes(dtype);
    union {
        uint16_t shorts[BLOCK];
        float floats[BLOCK];
    } made;

    switch (dtype) {
    case DTYPE_F32: blocks_canonical(in, made.floats); break;
    case DTYPE_BF16: blocks_round_to_bf16(in, made.shorts); break;
    default:
        combine_linear_run(&(struct combine_input){in, DTYPE_F32, 1, NULL}, 1, n, dtype, place);
        return;
    }
    memcpy(place, &made, n * combine_item_bytes(dtype));
}
