#include "special_values.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SCAN_BYTES = 4096 };

/* Items of an IEEE-like dtype are special when their magnitude reaches that of Inf (of NaN, in
 * F8_E4M3, which has no Inf). */
struct special {
    uint64_t sign, infinity; /* bits of one item */
    bool has_infinity;
};

static struct special special_of(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_F64: return (struct special){(uint64_t)1 << 63, 0x7FF0000000000000, true};
    case DTYPE_F32: return (struct special){0x80000000, 0x7F800000, true};
    case DTYPE_F16: return (struct special){0x8000, 0x7C00, true};
    case DTYPE_BF16: return (struct special){0x8000, 0x7F80, true};
    case DTYPE_F8_E5M2: return (struct special){0x80, 0x7C, true};
    default: return (struct special){0x80, 0x7F, false};
    }
}

static void count_each(struct special special, const char *values, size_t size, size_t n,
                       size_t *n_nan, size_t *n_inf)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = 0;

        memcpy(&bits, values + i * size, size);
        bits &= special.sign - 1;
        if (bits == special.infinity && special.has_infinity)
            (*n_inf)++;
        else if (bits >= special.infinity)
            (*n_nan)++;
    }
}

/* Whether one of the items in SCAN_BYTES bytes is special. What must be added to Inf to reach the
 * sign bit carries every larger magnitude there too, and no carry leaves an item: so the items are
 * summed by the word, whatever their size. */
static bool has_special(struct special special, const char *values, size_t size)
{
    typedef uint64_t words __attribute__((vector_size(16)));
    uint64_t ones = size == 8 ? 1 : ~(uint64_t)0 / ((special.sign << 1) - 1); /* 1 in each item */
    uint64_t signs = special.sign * ones, step = (special.sign - special.infinity) * ones;
    words some, all = {0};

    for (size_t i = 0; i < SCAN_BYTES; i += sizeof some) {
        memcpy(&some, values + i, sizeof some);
        all |= (some & ~signs) + step;
    }
    return (all[0] | all[1]) & signs;
}

void special_values_count(enum dtype dtype, const void *values, size_t n, size_t *n_nan,
                          size_t *n_inf)
{
    struct special special = special_of(dtype);
    size_t size = dtype_info(dtype)->n_bits / 8, block = SCAN_BYTES / size;
    const char *bytes = values;

    *n_nan = *n_inf = 0;
    for (; n >= block; n -= block, bytes += block * size)
        if (has_special(special, bytes, size))
            count_each(special, bytes, size, block, n_nan, n_inf);
    count_each(special, bytes, size, n, n_nan, n_inf);
}
