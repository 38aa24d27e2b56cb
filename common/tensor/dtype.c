/* dtype.c - one table, and conversions written to be read.
 *
 * The idea for all small floats: their bits, shifted to the top of a double's mantissa, are that
 * double's bits but for the exponent's bias. So decoding is one multiplication by a power of two,
 * which is exact and takes subnormals along; encoding is the same with the rounding in front. */
#include "dtype.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "items are read as they lie in the file");

static const struct dtype_info infos[N_DTYPES] = {
    [DTYPE_U64] = {"U64", "uint64", DTYPE_INTEGER, 64, false},
    [DTYPE_I64] = {"I64", "int64", DTYPE_INTEGER, 64, false},
    [DTYPE_F64] = {"F64", "float64", DTYPE_FLOAT, 64, true},
    [DTYPE_C64] = {"C64", "complex64", DTYPE_COMPLEX, 64, false},
    [DTYPE_F32] = {"F32", "float32", DTYPE_FLOAT, 32, true},
    [DTYPE_U32] = {"U32", "uint32", DTYPE_INTEGER, 32, false},
    [DTYPE_I32] = {"I32", "int32", DTYPE_INTEGER, 32, false},
    [DTYPE_BF16] = {"BF16", "bfloat16", DTYPE_FLOAT, 16, true},
    [DTYPE_F16] = {"F16", "float16", DTYPE_FLOAT, 16, true},
    [DTYPE_U16] = {"U16", "uint16", DTYPE_INTEGER, 16, false},
    [DTYPE_I16] = {"I16", "int16", DTYPE_INTEGER, 16, false},
    [DTYPE_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", "float8_e5m2fnuz", DTYPE_FLOAT, 8, false},
    [DTYPE_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", "float8_e4m3fnuz", DTYPE_FLOAT, 8, false},
    [DTYPE_F8_E8M0] = {"F8_E8M0", "float8_e8m0fnu", DTYPE_FLOAT, 8, false},
    [DTYPE_F8_E4M3] = {"F8_E4M3", "float8_e4m3fn", DTYPE_FLOAT, 8, true},
    [DTYPE_F8_E5M2] = {"F8_E5M2", "float8_e5m2", DTYPE_FLOAT, 8, true},
    [DTYPE_I8] = {"I8", "int8", DTYPE_INTEGER, 8, false},
    [DTYPE_U8] = {"U8", "uint8", DTYPE_INTEGER, 8, false},
    [DTYPE_F6_E3M2] = {"F6_E3M2", NULL, DTYPE_FLOAT, 6, false},
    [DTYPE_F6_E2M3] = {"F6_E2M3", NULL, DTYPE_FLOAT, 6, false},
    [DTYPE_F4] = {"F4", "float4_e2m1fn_x2", DTYPE_FLOAT, 4, false},
    [DTYPE_BOOL] = {"BOOL", "bool", DTYPE_BOOLEAN, 8, false},
    [DTYPE_C128] = {"C128", "complex128", DTYPE_COMPLEX, 128, false},
};

/* Floats of up to 16 bits: sign, exponent, mantissa. Magnitudes are bits without the sign. */
struct small_float {
    unsigned n_bits, n_mantissa;
    int bias;
    unsigned largest; /* finite magnitude; one more is Inf where has_infinity */
    unsigned nan;     /* the NaN that we write; for the FNUZ types the only one, in place of -0 */
    bool has_infinity;
};

enum { NO_NAN = 0xFFFF };

static const struct small_float small_floats[N_DTYPES] = {
    [DTYPE_BF16] = {16, 7, 127, 0x7F7F, 0x7FC0, true},
    [DTYPE_F16] = {16, 10, 15, 0x7BFF, 0x7E00, true},
    [DTYPE_F8_E5M2FNUZ] = {8, 2, 16, 0x7F, 0x80, false},
    [DTYPE_F8_E4M3FNUZ] = {8, 3, 8, 0x7F, 0x80, false},
    [DTYPE_F8_E4M3] = {8, 3, 7, 0x7E, 0x7F, false},
    [DTYPE_F8_E5M2] = {8, 2, 15, 0x7B, 0x7F, true},
    [DTYPE_F6_E3M2] = {6, 2, 3, 0x1F, NO_NAN, false},
    [DTYPE_F6_E2M3] = {6, 3, 1, 0x1F, NO_NAN, false},
    [DTYPE_F4] = {4, 1, 1, 0x7, NO_NAN, false},
};

const struct dtype_info *dtype_info(enum dtype dtype)
{
    assert((size_t)dtype < N_DTYPES);
    return &infos[dtype];
}

int dtype_find(const char *name, size_t length, enum dtype *dtype)
{
    for (size_t i = 0; i < N_DTYPES; i++)
        if (strlen(infos[i].name) == length && memcmp(infos[i].name, name, length) == 0) {
            *dtype = (enum dtype)i;
            return 0;
        }
    return -1;
}

int dtype_find_torch(const char *name, enum dtype *dtype)
{
    for (size_t i = 0; i < N_DTYPES; i++)
        if (infos[i].torch_name && strcmp(infos[i].torch_name, name) == 0) {
            *dtype = (enum dtype)i;
            return 0;
        }
    return -1;
}

size_t dtype_group(enum dtype dtype)
{
    unsigned n_bits = dtype_info(dtype)->n_bits;

    return n_bits == 4 ? 2 : n_bits == 6 ? 4 : 1;
}

int dtype_bytes(enum dtype dtype, size_t n_items, size_t *n_bytes)
{
    size_t n_bits;

    /* The limit is on bits, as in the reference reader of safetensors. */
    if (__builtin_mul_overflow(n_items, (size_t)dtype_info(dtype)->n_bits, &n_bits) || n_bits % 8)
        return -1;
    *n_bytes = n_bits / 8;
    return 0;
}

void dtype_range_bytes(enum dtype dtype, size_t first, size_t n, size_t *offset, size_t *n_bytes)
{
    size_t n_bits = dtype_info(dtype)->n_bits;

    assert(first % dtype_group(dtype) == 0);
    /* Eight items are n_bits bytes: no overflow on the way. */
    *offset = first / 8 * n_bits + first % 8 * n_bits / 8;
    *n_bytes = n / 8 * n_bits + n % 8 * n_bits / 8;
}

static double double_of_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of_double(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double power_of_two(int exponent) /* -1022 … 1023 */
{
    return double_of_bits((uint64_t)(exponent + 1023) << 52);
}

static inline double decode(const struct small_float *format, unsigned bits)
{
    uint64_t sign = bits >> (format->n_bits - 1);
    unsigned magnitude = bits & ((1u << (format->n_bits - 1)) - 1);
    uint64_t mantissa_on_top = (uint64_t)magnitude << (52 - format->n_mantissa);

    if (magnitude > format->largest || bits == format->nan) {
        if (!format->has_infinity || magnitude != format->largest + 1)
            return NAN;
        return sign ? -INFINITY : INFINITY;
    }
    return double_of_bits(sign << 63 | mantissa_on_top) * power_of_two(1023 - format->bias);
}

static inline unsigned encode(const struct small_float *format, double value)
{
    uint64_t bits = bits_of_double(value), magnitude = bits & ~((uint64_t)1 << 63);
    unsigned sign = (unsigned)(bits >> 63) << (format->n_bits - 1);
    unsigned n_dropped = 52 - format->n_mantissa;

    if (isnan(value))
        return format->nan;
    if (fabs(value) < power_of_two(1 - format->bias)) {
        /* Subnormal: next to this number doubles are spaced as the format's subnormals are, so
         * the addition rounds, and the distance of the bits counts them. It may reach the first
         * normal number, whose bits follow. */
        double anchor = power_of_two(1 - format->bias + (int)n_dropped);

        magnitude = bits_of_double(fabs(value) + anchor) - bits_of_double(anchor);
    } else {
        uint64_t is_odd = magnitude >> n_dropped & 1;

        magnitude += ((uint64_t)1 << (n_dropped - 1)) - 1 + is_odd;
        magnitude >>= n_dropped;
        magnitude -= (uint64_t)(1023 - format->bias) << format->n_mantissa;
    }
    if (magnitude > format->largest)
        return format->has_infinity ? (format->largest + 1) | sign : format->nan;
    return (unsigned)magnitude | sign;
}

/* The bits of item i of up to 16 bits; packed items lie least significant bit first. */
static inline unsigned item_bits(const unsigned char *bytes, size_t i, unsigned n_bits)
{
    size_t first_bit = i * n_bits;
    unsigned shift = first_bit % 8, bits;

    bytes += first_bit / 8;
    bits = bytes[0];
    if (shift + n_bits > 8)
        bits |= (unsigned)bytes[1] << 8;
    return bits >> shift & ((1u << n_bits) - 1);
}

/* Inlined per format, so that the compiler sees the format's numbers as constants. */
static inline __attribute__((always_inline)) void decode_items(enum dtype dtype, const void *in,
                                                               double *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = decode(&small_floats[dtype], item_bits(in, i, small_floats[dtype].n_bits));
}

static inline __attribute__((always_inline)) void encode_items(enum dtype dtype, const double *in,
                                                               void *out, size_t n)
{
    size_t item_bytes = small_floats[dtype].n_bits / 8;

    for (size_t i = 0; i < n; i++) {
        uint16_t bits = (uint16_t)encode(&small_floats[dtype], in[i]);

        memcpy((char *)out + i * item_bytes, &bits, item_bytes);
    }
}

static double decode_e8m0(unsigned char bits) /* 2^(bits - 127), no sign */
{
    return bits == 0xFF ? NAN : power_of_two((int)bits - 127);
}

/* memcpy, because items in foreign files need not be aligned. */
#define CONVERT_ITEMS(type)                                                                       \
    for (size_t i = 0; i < n; i++) {                                                              \
        type value;                                                                               \
                                                                                                  \
        memcpy(&value, bytes + i * sizeof value, sizeof value);                                   \
        out[i] = (double)value;                                                                   \
    }                                                                                             \
    break

void dtype_to_double(enum dtype dtype, const void *in, double *out, size_t n)
{
    const unsigned char *bytes = in;

    if (dtype_info(dtype)->kind == DTYPE_COMPLEX)
        n *= 2;
    switch (dtype) {
    case DTYPE_U64: CONVERT_ITEMS(uint64_t);
    case DTYPE_I64: CONVERT_ITEMS(int64_t);
    case DTYPE_U32: CONVERT_ITEMS(uint32_t);
    case DTYPE_I32: CONVERT_ITEMS(int32_t);
    case DTYPE_U16: CONVERT_ITEMS(uint16_t);
    case DTYPE_I16: CONVERT_ITEMS(int16_t);
    case DTYPE_U8: CONVERT_ITEMS(uint8_t);
    case DTYPE_I8: CONVERT_ITEMS(int8_t);
    case DTYPE_F64:
    case DTYPE_C128: CONVERT_ITEMS(double);
    case DTYPE_F32:
    case DTYPE_C64: CONVERT_ITEMS(float);
    case DTYPE_BF16: decode_items(DTYPE_BF16, in, out, n); break;
    case DTYPE_F16: decode_items(DTYPE_F16, in, out, n); break;
    case DTYPE_F8_E4M3: decode_items(DTYPE_F8_E4M3, in, out, n); break;
    case DTYPE_F8_E5M2: decode_items(DTYPE_F8_E5M2, in, out, n); break;
    case DTYPE_F8_E5M2FNUZ:
    case DTYPE_F8_E4M3FNUZ:
    case DTYPE_F6_E3M2:
    case DTYPE_F6_E2M3:
    case DTYPE_F4: decode_items(dtype, in, out, n); break;
    case DTYPE_F8_E8M0:
        for (size_t i = 0; i < n; i++)
            out[i] = decode_e8m0(bytes[i]);
        break;
    case DTYPE_BOOL:
        for (size_t i = 0; i < n; i++)
            out[i] = bytes[i] != 0;
        break;
    case N_DTYPES: break;
    }
}

void dtype_from_double(enum dtype dtype, const double *in, void *out, size_t n)
{
    assert(dtype_info(dtype)->is_mixable);
    switch (dtype) {
    case DTYPE_F64:
        for (size_t i = 0; i < n; i++) {
            double value = isnan(in[i]) ? NAN : in[i];

            memcpy((char *)out + i * sizeof value, &value, sizeof value);
        }
        break;
    case DTYPE_F32:
        for (size_t i = 0; i < n; i++) {
            float value = isnan(in[i]) ? NAN : (float)in[i];

            memcpy((char *)out + i * sizeof value, &value, sizeof value);
        }
        break;
    case DTYPE_BF16: encode_items(DTYPE_BF16, in, out, n); break;
    case DTYPE_F16: encode_items(DTYPE_F16, in, out, n); break;
    case DTYPE_F8_E4M3: encode_items(DTYPE_F8_E4M3, in, out, n); break;
    case DTYPE_F8_E5M2: encode_items(DTYPE_F8_E5M2, in, out, n); break;
    default: break;
    }
}
