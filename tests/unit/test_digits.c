#include "base/digits.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "test.h"

static void whole_numbers_are_digits_and_nothing_else(void)
{
    struct buffer out = {0};
    size_t value;

    digits_add(&out, 0);
    digits_add(&out, 18446744073709551615u);
    CHECK(strcmp(out.data, "018446744073709551615") == 0);
    CHECK(digits_read_all("18446744073709551615", &value) && value == 18446744073709551615u);
    CHECK(!digits_read_all("18446744073709551616", &value));
    CHECK(!digits_read_all("+1", &value) && !digits_read_all(" 1", &value));
    buffer_release(&out);
}

static bool is_as_printed(float value)
{
    struct buffer out = {0};
    char expected[64];
    bool is_right;

    snprintf(expected, sizeof expected, "%.9g", (double)value);
    digits_add_float(&out, value);
    is_right = strcmp(out.data, expected) == 0;
    if (!is_right)
        printf("# %s, not %s\n", out.data, expected);
    buffer_release(&out);
    return is_right;
}

static void floats_are_as_printf_has_them(void)
{
    /* Ties between two numbers of nine digits; 0; ends of what is done without printf. */
    static const float some[] = {2097152.125f, 2097152.375f, 0, -0.0f, 1, -1, 0.5f, 1e-4f, 1e9f,
                                 INFINITY, 3e-39f, 123456789, 100000000, 0.1f, 0.01f, 0.001f};
    bool is_right = true;

    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        is_right &= is_as_printed(some[i]);
    CHECK(is_right);
}

static void floats_beside_powers_of_ten_are_as_printf_has_them(void)
{
    bool is_right = true;

    for (float power = 1e-6f; power < 1e12f; power *= 10)
        for (float at = power * 0.99999f; at < power * 1.00001f; at = nextafterf(at, INFINITY))
            is_right &= is_as_printed(at) && is_as_printed(-at);
    CHECK(is_right);
}

static void all_kinds_of_floats_are_as_printf_has_them(void)
{
    bool is_right = true;
    uint32_t bits = 1;

    for (int i = 0; i < 300000; i++) {
        float value;

        bits = bits * 1664525 + 1013904223;
        memcpy(&value, &bits, sizeof value);
        is_right &= is_as_printed(value) && is_as_printed((float)(bits >> 8) * 1e-7f);
    }
    CHECK(is_right);
}

TESTS(TEST(whole_numbers_are_digits_and_nothing_else), TEST(floats_are_as_printf_has_them),
      TEST(floats_beside_powers_of_ten_are_as_printf_has_them),
      TEST(all_kinds_of_floats_are_as_printf_has_them))
