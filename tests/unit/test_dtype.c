#include "tensor/dtype.h"

#include <math.h>
#include <stdint.h>

#include "test.h"

/* IEEE 754 (F16), bfloat16, OCP OFP8 (E4M3, E5M2), OCP MX (E3M2, E2M3, E2M1) and, for FNUZ, "8-bit
 * numerical formats for deep neural networks" (arXiv 2206.02915). The value of a finite code is
 * mantissa * 2^(max(exponent, 1) - bias - n_mantissa), 2^n_mantissa being added to the mantissa when
 * exponent > 0. */
static const struct format {
    enum dtype dtype;
    unsigned n_bits, n_mantissa;
    int bias;
    unsigned n_finite; /* magnitudes 0 … n_finite-1 */
    unsigned nan;      /* that we write */
    bool has_infinity, is_fnuz;
} formats[] = {
    {DTYPE_F16, 16, 10, 15, 0x7C00, 0x7E00, true, false},
    {DTYPE_BF16, 16, 7, 127, 0x7F80, 0x7FC0, true, false},
    {DTYPE_F8_E4M3, 8, 3, 7, 0x7F, 0x7F, false, false},
    {DTYPE_F8_E5M2, 8, 2, 15, 0x7C, 0x7F, true, false},
    {DTYPE_F8_E4M3FNUZ, 8, 3, 8, 0x80, 0, false, true},
    {DTYPE_F8_E5M2FNUZ, 8, 2, 16, 0x80, 0, false, true},
    {DTYPE_F6_E3M2, 6, 2, 3, 0x20, 0, false, false},
    {DTYPE_F6_E2M3, 6, 3, 1, 0x20, 0, false, false},
    {DTYPE_F4, 4, 1, 1, 0x8, 0, false, false},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

static bool same(double a, double b) /* -0 differs from 0, NaN equals NaN */
{
    return isnan(a) ? isnan(b) : a == b && !signbit(a) == !signbit(b);
}

static double decode(enum dtype dtype, unsigned bits)
{
    uint32_t item = bits;
    double value;

    dtype_to_double(dtype, &item, &value, 1);
    return value;
}

static uint64_t encode(enum dtype dtype, double value)
{
    uint64_t bits = 0;

    dtype_from_double(dtype, &value, &bits, 1);
    return bits;
}

static double expected_value(const struct format *format, unsigned bits)
{
    unsigned sign = bits >> (format->n_bits - 1);
    unsigned magnitude = bits & ((1u << (format->n_bits - 1)) - 1);
    int exponent = (int)(magnitude >> format->n_mantissa);
    unsigned mantissa = magnitude & ((1u << format->n_mantissa) - 1);
    double value;

    if (magnitude >= format->n_finite || (format->is_fnuz && bits == 0x80))
        return format->has_infinity && magnitude == format->n_finite ? sign ? -INFINITY : INFINITY
                                                                     : NAN;
    if (exponent > 0)
        mantissa += 1u << format->n_mantissa;
    value = ldexp(mantissa, (exponent > 0 ? exponent : 1) - format->bias - (int)format->n_mantissa);
    return sign ? -value : value;
}

static void every_small_float_has_its_value(void)
{
    for (size_t f = 0; f < N_FORMATS; f++)
        for (unsigned bits = 0; bits < 1u << formats[f].n_bits; bits++)
            if (!same(decode(formats[f].dtype, bits), expected_value(&formats[f], bits))) {
                printf("# %s %#x\n", dtype_info(formats[f].dtype)->name, bits);
                CHECK(false);
            }
}

/* The numbers that the standards print. */
static void the_landmarks_of_the_standards(void)
{
    CHECK(decode(DTYPE_F16, 0x7BFF) == 65504);
    CHECK(decode(DTYPE_F16, 0x0001) == 0x1p-24);
    CHECK(decode(DTYPE_BF16, 0x7F7F) == 0x1.FEp127);
    CHECK(decode(DTYPE_F8_E4M3, 0x7E) == 448);
    CHECK(decode(DTYPE_F8_E4M3, 0x01) == 0x1p-9);
    CHECK(decode(DTYPE_F8_E5M2, 0x7B) == 57344);
    CHECK(decode(DTYPE_F8_E5M2, 0x01) == 0x1p-16);
    CHECK(decode(DTYPE_F8_E4M3FNUZ, 0x7F) == 240);
    CHECK(decode(DTYPE_F8_E5M2FNUZ, 0x7F) == 57344);
    CHECK(decode(DTYPE_F6_E3M2, 0x1F) == 28);
    CHECK(decode(DTYPE_F6_E2M3, 0x1F) == 7.5);
    CHECK(decode(DTYPE_F8_E8M0, 0x00) == 0x1p-127);
    CHECK(decode(DTYPE_F8_E8M0, 0x7F) == 1);
    CHECK(decode(DTYPE_F8_E8M0, 0xFE) == 0x1p127);
    CHECK(isnan(decode(DTYPE_F8_E8M0, 0xFF)));
}

static void packed_items_lie_low_bits_first(void)
{
    static const double f4_values[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    unsigned char f4[] = {0x10, 0x32, 0x54, 0x76}, f6[3];
    /* Codes 1, 2, 3 and 33 of E2M3, six bits each: 0.125, 0.25, 0.375 and -0.125. */
    unsigned codes = 1 | 2 << 6 | 3 << 12 | 33 << 18;
    double values[8];

    dtype_to_double(DTYPE_F4, f4, values, 8);
    for (size_t i = 0; i < 8; i++)
        CHECK(values[i] == f4_values[i]);
    for (size_t i = 0; i < 3; i++)
        f6[i] = (unsigned char)(codes >> 8 * i);
    dtype_to_double(DTYPE_F6_E2M3, f6, values, 4);
    CHECK(values[0] == 0.125 && values[1] == 0.25 && values[2] == 0.375 && values[3] == -0.125);
    CHECK(dtype_group(DTYPE_F4) == 2 && dtype_group(DTYPE_F6_E2M3) == 4);
    CHECK(dtype_group(DTYPE_F6_E3M2) == 4 && dtype_group(DTYPE_BF16) == 1);
}

static void integers_booleans_and_complex_numbers_have_values(void)
{
    uint64_t u64[] = {UINT64_MAX, (uint64_t)1 << 53};
    int64_t i64[] = {INT64_MIN, -1};
    uint32_t u32 = UINT32_MAX;
    int32_t i32 = INT32_MIN;
    uint16_t u16 = UINT16_MAX;
    int16_t i16 = INT16_MIN;
    uint8_t u8 = UINT8_MAX, boolean[] = {0, 1, 2};
    int8_t i8 = INT8_MIN;
    float c64[] = {1.5f, -2, 3, 4};
    double c128[] = {1.5, -2}, x[4];

    dtype_to_double(DTYPE_U64, u64, x, 2);
    CHECK(x[0] == 0x1p64 && x[1] == 0x1p53);
    dtype_to_double(DTYPE_I64, i64, x, 2);
    CHECK(x[0] == -0x1p63 && x[1] == -1);
    dtype_to_double(DTYPE_U32, &u32, x, 1);
    CHECK(x[0] == 4294967295);
    dtype_to_double(DTYPE_I32, &i32, x, 1);
    CHECK(x[0] == -0x1p31);
    dtype_to_double(DTYPE_U16, &u16, x, 1);
    CHECK(x[0] == 65535);
    dtype_to_double(DTYPE_I16, &i16, x, 1);
    CHECK(x[0] == -32768);
    dtype_to_double(DTYPE_U8, &u8, x, 1);
    CHECK(x[0] == 255);
    dtype_to_double(DTYPE_I8, &i8, x, 1);
    CHECK(x[0] == -128);
    dtype_to_double(DTYPE_BOOL, boolean, x, 3);
    CHECK(x[0] == 0 && x[1] == 1 && x[2] == 1);
    dtype_to_double(DTYPE_C64, c64, x, 2);
    CHECK(x[0] == 1.5 && x[1] == -2 && x[2] == 3 && x[3] == 4);
    dtype_to_double(DTYPE_C128, c128, x, 1);
    CHECK(x[0] == 1.5 && x[1] == -2);
}

/* Checks that x and -x become `bits` with their sign, which a NaN does not have. */
static void check_code(const struct format *format, double x, unsigned bits)
{
    unsigned sign = 1u << (format->n_bits - 1);

    if (encode(format->dtype, x) != bits ||
        encode(format->dtype, -x) != (bits == format->nan ? bits : bits | sign)) {
        printf("# %s(%a) is not %#x\n", dtype_info(format->dtype)->name, x, bits);
        CHECK(false);
    }
}

/* Rounding is right everywhere when it is right at each value, at each midpoint of two neighbours
 * and beside the midpoints; doubles hold these exactly. Beyond the largest value comes the one that
 * the format would have next, were its exponent wider. */
static void every_value_and_midpoint_is_rounded_to_nearest_even(void)
{
    for (size_t f = 0; f < N_FORMATS; f++) {
        const struct format *format = &formats[f];

        if (!dtype_info(format->dtype)->is_mixable)
            continue;
        for (unsigned bits = 0; bits < format->n_finite; bits++) {
            double here = expected_value(format, bits), next = expected_value(format, bits + 1);
            unsigned above = bits + 1;

            if (above == format->n_finite) {
                next = here + (here - expected_value(format, bits - 1));
                above = format->has_infinity ? above : format->nan;
            }
            check_code(format, here, bits);
            check_code(format, (here + next) / 2, bits % 2 == 0 ? bits : above);
            check_code(format, nextafter((here + next) / 2, 0), bits);
            check_code(format, nextafter((here + next) / 2, INFINITY), above);
            check_code(format, nextafter(next, 0), above);
        }
        check_code(format, INFINITY, format->has_infinity ? format->n_finite : format->nan);
        check_code(format, 0x1p1023, format->has_infinity ? format->n_finite : format->nan);
        check_code(format, 0x1p-1074, 0);
    }
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static void f32_is_rounded_to_nearest_even(void)
{
    /* Around each of these and its midpoint with the next: 0, subnormals, their border, ordinary
     * numbers, the largest one (next is Inf; its midpoint is 2^128 - 2^103). */
    static const uint32_t some[] = {0,          1,          2,          0x007FFFFE, 0x007FFFFF,
                                    0x00800000, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x7F7FFFFF};

    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        uint32_t bits = some[i];
        double here = float_of(bits), next = bits == 0x7F7FFFFF ? 0x1p128 : float_of(bits + 1);
        double middle = (here + next) / 2;

        CHECK(encode(DTYPE_F32, here) == bits);
        CHECK(encode(DTYPE_F32, -here) == (bits | 0x80000000));
        CHECK(encode(DTYPE_F32, middle) == bits + bits % 2);
        CHECK(encode(DTYPE_F32, nextafter(middle, 0)) == bits);
        CHECK(encode(DTYPE_F32, nextafter(middle, INFINITY)) == bits + 1);
    }
}

/* Values a little off a midpoint, by less than a float can hold: through float32 they would become
 * the midpoint and be rounded a second time, the wrong way. Worked out by hand. */
static void nothing_passes_through_float32(void)
{
    CHECK(encode(DTYPE_BF16, 1 + 0x1p-8 + 0x1p-40) == 0x3F81);
    CHECK(encode(DTYPE_BF16, 1 + 0x1p-8) == 0x3F80);
    CHECK(encode(DTYPE_BF16, 1 + 0x1p-7 + 0x1p-8 - 0x1p-40) == 0x3F81);
    CHECK(encode(DTYPE_BF16, 1 + 0x1p-7 + 0x1p-8) == 0x3F82);
    CHECK(encode(DTYPE_BF16, 0x1p-134 + 0x1p-180) == 0x0001);
    CHECK(encode(DTYPE_BF16, 0x1.FFp127 - 0x1p90) == 0x7F7F);
    CHECK(encode(DTYPE_BF16, 0x1.FFp127) == 0x7F80);
    CHECK(encode(DTYPE_F16, 1 + 0x1p-11 + 0x1p-40) == 0x3C01);
    CHECK(encode(DTYPE_F16, 1 + 0x1p-10 + 0x1p-11 - 0x1p-40) == 0x3C01);
    CHECK(encode(DTYPE_F16, 0x1p-25 + 0x1p-60) == 0x0001);
    CHECK(encode(DTYPE_F16, 65520 - 0x1p-20) == 0x7BFF);
    CHECK(encode(DTYPE_F8_E4M3, 464 + 0x1p-30) == 0x7F);
    CHECK(encode(DTYPE_F8_E4M3, 464) == 0x7E);
    CHECK(encode(DTYPE_F8_E5M2, 0x1p-17 + 0x1p-60) == 0x01);
    CHECK(encode(DTYPE_F8_E5M2, 61440 - 0x1p-30) == 0x7B);
}

static void every_nan_becomes_the_one_nan(void)
{
    /* Quiet, negative, signalling, all ones. */
    static const uint64_t nans[] = {0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000001,
                                    0xFFFFFFFFFFFFFFFF, 0x7FF4000000000000};

    for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
        double nan;

        memcpy(&nan, &nans[i], sizeof nan);
        CHECK(encode(DTYPE_F64, nan) == 0x7FF8000000000000);
        CHECK(encode(DTYPE_F32, nan) == 0x7FC00000);
        for (size_t f = 0; f < N_FORMATS; f++)
            if (dtype_info(formats[f].dtype)->is_mixable)
                CHECK(encode(formats[f].dtype, nan) == formats[f].nan);
    }
}

static void items_need_no_alignment(void)
{
    for (enum dtype dtype = 0; dtype < N_DTYPES; dtype++) {
        unsigned char bytes[200] = {0}, copy[200];
        double aligned[16], shifted[16];
        size_t n_bytes;

        CHECK(!dtype_bytes(dtype, 8, &n_bytes));
        for (size_t i = 0; i < n_bytes; i++)
            bytes[i] = (unsigned char)(0x3B + 37 * i);
        memset(aligned, 0, sizeof aligned);
        memset(shifted, 0, sizeof shifted);
        dtype_to_double(dtype, bytes, aligned, 8);
        memmove(bytes + 1, bytes, n_bytes);
        dtype_to_double(dtype, bytes + 1, shifted, 8);
        for (size_t i = 0; i < 16; i++)
            CHECK(same(aligned[i], shifted[i]));
        if (!dtype_info(dtype)->is_mixable)
            continue;
        dtype_from_double(dtype, aligned, copy + 1, 8);
        CHECK(memcmp(copy + 1, bytes + 1, n_bytes) == 0);
    }
}

static void names_and_sizes_are_those_of_safetensors(void)
{
    static const struct {
        const char *name;
        enum dtype dtype;
        size_t bytes_of_8;
        bool is_mixable;
    } expected[] = {
        {"U64", DTYPE_U64, 64, false},   {"I64", DTYPE_I64, 64, false},
        {"F64", DTYPE_F64, 64, true},    {"C64", DTYPE_C64, 64, false},
        {"F32", DTYPE_F32, 32, true},    {"U32", DTYPE_U32, 32, false},
        {"I32", DTYPE_I32, 32, false},   {"BF16", DTYPE_BF16, 16, true},
        {"F16", DTYPE_F16, 16, true},    {"U16", DTYPE_U16, 16, false},
        {"I16", DTYPE_I16, 16, false},   {"F8_E5M2FNUZ", DTYPE_F8_E5M2FNUZ, 8, false},
        {"F8_E4M3FNUZ", DTYPE_F8_E4M3FNUZ, 8, false},
        {"F8_E8M0", DTYPE_F8_E8M0, 8, false},
        {"F8_E4M3", DTYPE_F8_E4M3, 8, true},
        {"F8_E5M2", DTYPE_F8_E5M2, 8, true},
        {"I8", DTYPE_I8, 8, false},      {"U8", DTYPE_U8, 8, false},
        {"F6_E3M2", DTYPE_F6_E3M2, 6, false},
        {"F6_E2M3", DTYPE_F6_E2M3, 6, false},
        {"F4", DTYPE_F4, 4, false},      {"BOOL", DTYPE_BOOL, 8, false},
        {"C128", DTYPE_C128, 128, false},
    };
    enum dtype dtype;
    size_t n_bytes;

    CHECK(sizeof expected / sizeof *expected == N_DTYPES);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        CHECK(!dtype_find(expected[i].name, strlen(expected[i].name), &dtype));
        CHECK(dtype == expected[i].dtype);
        CHECK(!dtype_bytes(dtype, 8, &n_bytes) && n_bytes == expected[i].bytes_of_8);
        CHECK(dtype_info(dtype)->is_mixable == expected[i].is_mixable);
    }
    CHECK(!dtype_find("F8_E4M3FNUZ", 7, &dtype) && dtype == DTYPE_F8_E4M3);
    CHECK(dtype_find("f32", 3, &dtype) == -1);
    CHECK(dtype_find("F3", 2, &dtype) == -1);
    CHECK(dtype_find("", 0, &dtype) == -1);
}

static void sizes_that_do_not_exist_are_refused(void)
{
    size_t n_bytes;

    CHECK(dtype_bytes(DTYPE_F4, 3, &n_bytes) == -1);
    CHECK(dtype_bytes(DTYPE_F6_E3M2, 2, &n_bytes) == -1);
    CHECK(!dtype_bytes(DTYPE_F6_E3M2, 4, &n_bytes) && n_bytes == 3);
    CHECK(!dtype_bytes(DTYPE_F32, 0, &n_bytes) && n_bytes == 0);
    CHECK(dtype_bytes(DTYPE_F64, SIZE_MAX / 8, &n_bytes) == -1);
    CHECK(dtype_bytes(DTYPE_U8, SIZE_MAX, &n_bytes) == -1);
}

static void ranges_count_whole_bytes(void)
{
    static const struct {
        enum dtype dtype;
        size_t first, n, offset, n_bytes;
    } ranges[] = {
        {DTYPE_F4, 6, 4, 3, 2}, {DTYPE_F6_E3M2, 4, 12, 3, 9}, {DTYPE_U8, 7, 1, 7, 1},
        {DTYPE_BF16, 3, 9, 6, 18}, {DTYPE_C128, 1, 2, 16, 32},
        {DTYPE_F4, SIZE_MAX - 1, 0, SIZE_MAX / 2, 0},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        size_t offset, n_bytes;

        dtype_range_bytes(ranges[i].dtype, ranges[i].first, ranges[i].n, &offset, &n_bytes);
        CHECK(offset == ranges[i].offset && n_bytes == ranges[i].n_bytes);
    }
}

TESTS(TEST(every_small_float_has_its_value), TEST(the_landmarks_of_the_standards),
      TEST(packed_items_lie_low_bits_first),
      TEST(integers_booleans_and_complex_numbers_have_values),
      TEST(every_value_and_midpoint_is_rounded_to_nearest_even),
      TEST(f32_is_rounded_to_nearest_even), TEST(nothing_passes_through_float32),
      TEST(every_nan_becomes_the_one_nan), TEST(items_need_no_alignment),
      TEST(names_and_sizes_are_those_of_safetensors), TEST(sizes_that_do_not_exist_are_refused),
      TEST(ranges_count_whole_bytes))
