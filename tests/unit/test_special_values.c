#include "mix/special_values.h"

#include <math.h>

#include "test.h"

static size_t item_bytes(enum dtype dtype)
{
    return dtype_info(dtype)->n_bits / 8;
}

static void counts_every_special_pattern(void)
{
    static const struct {
        enum dtype dtype;
        size_t n_patterns, n_nan, n_inf;
    } cases[] = {{DTYPE_F16, 0x10000, 2 * 1023, 2},
                 {DTYPE_BF16, 0x10000, 2 * 127, 2},
                 {DTYPE_F8_E5M2, 256, 2 * 3, 2},
                 {DTYPE_F8_E4M3, 256, 2, 0}};
    static unsigned char bytes[2 * 0x10000];
    size_t n_nan, n_inf;

    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t size = item_bytes(cases[c].dtype);

        for (size_t i = 0; i < cases[c].n_patterns; i++)
            memcpy(bytes + i * size, &i, size);
        special_values_count(cases[c].dtype, bytes, cases[c].n_patterns, &n_nan, &n_inf);
        CHECK(n_nan == cases[c].n_nan && n_inf == cases[c].n_inf);
    }
}

/* Each place in more than one scanned block, with ordinary values of all magnitudes around it. */
static void counts_one_special_value_anywhere(void)
{
    static const enum dtype mixable[] = {DTYPE_F32,     DTYPE_F16,     DTYPE_BF16,
                                         DTYPE_F8_E4M3, DTYPE_F8_E5M2, DTYPE_F64};
    enum { N = 1100 };
    static unsigned char bytes[N * 8 + 1];

    for (size_t d = 0; d < sizeof mixable / sizeof *mixable; d++) {
        enum dtype dtype = mixable[d];
        size_t size = item_bytes(dtype), n_nan, n_inf;
        unsigned char *items = bytes + 1;
        double largest = dtype == DTYPE_F8_E4M3 ? 448 : 57344, specials[] = {NAN, -INFINITY};

        for (size_t i = 0; i < N; i++) {
            double value = i % 3 ? ldexp(i % 2 ? 1 : -1, (int)(i % 12) - 6) : -largest;

            dtype_from_double(dtype, &value, items + i * size, 1);
        }
        special_values_count(dtype, items, N, &n_nan, &n_inf);
        CHECK(n_nan == 0 && n_inf == 0);
        for (size_t i = 0; i < N; i++) {
            unsigned char saved[8];
            double special = specials[i % 2];
            bool is_inf = i % 2 == 1 && dtype != DTYPE_F8_E4M3;

            memcpy(saved, items + i * size, size);
            dtype_from_double(dtype, &special, items + i * size, 1);
            special_values_count(dtype, items, N, &n_nan, &n_inf);
            CHECK(n_nan == !is_inf && n_inf == is_inf);
            memcpy(items + i * size, saved, size);
        }
    }
}

TESTS(TEST(counts_every_special_pattern), TEST(counts_one_special_value_anywhere))
