/* Bytes and codes of every value, in runs of every length, against what tensor/dtype.h says. */
#include <math.h>
#include <string.h>

#include "format/unpack.h"
#include "tensor/dtype.h"
#include "test.h"

enum { ALL = 256 };

static bool is_same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* All bytes from `first` on, so that each is met in each lane and behind the last eight. */
static void list_bytes(enum dtype dtype, size_t first, unsigned char *bytes, double *values)
{
    for (size_t i = 0; i < ALL; i++)
        bytes[i] = (unsigned char)(first + i);
    dtype_to_double(dtype, bytes, values, ALL);
}

static void bytes_are_numbers_times_their_scale(void)
{
    unsigned char bytes[ALL];
    double exact[ALL];
    float out[ALL + 1];
    bool is_right = true;

    for (size_t n = 0; n < ALL; n++) {
        list_bytes(DTYPE_F8_E4M3, n, bytes, exact);
        out[n] = 7;
        unpack_e4m3(bytes, n, 0.3F, out);
        for (size_t i = 0; i < n; i++)
            is_right = is_right && is_same(out[i], (float)exact[i] * 0.3F);
        list_bytes(DTYPE_I8, n, bytes, exact);
        unpack_signed(bytes, n, 0.3F, 1 / 127.0F, out);
        for (size_t i = 0; i < n; i++)
            is_right = is_right && is_same(out[i], (float)exact[i] * 0.3F * (1 / 127.0F));
        is_right = is_right && out[n] == 7;
    }
    CHECK(is_right);
}

static void codes_are_looked_up(void)
{
    unsigned char bytes[ALL / 2];
    float values[16], out[ALL + 1];
    bool is_right = true;

    for (size_t i = 0; i < 16; i++)
        values[i] = (float)(i * i) - 20;
    for (size_t i = 0; i < ALL / 2; i++)
        bytes[i] = (unsigned char)(i * 37 + 11);
    for (size_t n = 0; n <= ALL; n++)
        for (int is_high_first = 0; is_high_first < 2; is_high_first++) {
            out[n] = 7;
            unpack_codes(bytes, is_high_first, n, values, 0.3F, out);
            for (size_t i = 0; i < n; i++) {
                bool is_high = (i % 2 == 0) == is_high_first;

                is_right = is_right &&
                           out[i] == values[bytes[i / 2] >> (is_high ? 4 : 0) & 15] * 0.3F;
            }
            is_right = is_right && out[n] == 7;
        }
    CHECK(is_right);
}

static void rows_are_decoded_eight_at_once(void)
{
    enum { STRIDE = 11, N = 24, GROUPS = 3, WIDTH = 9, STEP = 25 };
    uint32_t words[N / 8 * STRIDE], groups[N];
    float zeros[GROUPS * WIDTH], scales[GROUPS * WIDTH], out[8 * STEP];
    bool is_right = true;

    for (size_t i = 0; i < N / 8 * STRIDE; i++)
        words[i] = (uint32_t)(i + 1) * 2654435761u;
    for (size_t i = 0; i < N; i++)
        groups[i] = (uint32_t)(i * i % GROUPS);
    for (size_t i = 0; i < GROUPS * WIDTH; i++) {
        zeros[i] = (float)(i % 16);
        scales[i] = 0.1F * (float)(i + 1);
    }
    for (size_t i = 0; i < 8 * STEP; i++)
        out[i] = 7;
    unpack_rows(words, STRIDE, N, groups, zeros, scales, WIDTH, out, STEP);
    for (size_t r = 0; r < 8; r++) {
        for (size_t i = 0; i < N; i++) {
            size_t place = groups[i] * WIDTH + r;
            uint32_t code = words[i / 8 * STRIDE + r] >> 4 * (i % 8) & 15;

            is_right = is_right &&
                       out[r * STEP + i] == ((float)code - zeros[place]) * scales[place];
        }
        is_right = is_right && out[r * STEP + N] == 7;
    }
    CHECK(is_right);
}

TESTS(TEST(bytes_are_numbers_times_their_scale), TEST(codes_are_looked_up),
      TEST(rows_are_decoded_eight_at_once))
