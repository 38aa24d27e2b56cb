#include "tensor/q8_0.h"

#include <math.h>

#include "test.h"

/* q8_0.bin: 8 blocks of floats, then what the gguf package makes of them (fixtures/make_gguf.py). */
static void blocks_are_those_of_the_original(void)
{
    struct {
        float in[8 * Q8_0_ITEMS];
        unsigned char out[8 * Q8_0_BYTES];
    } golden;
    unsigned char out[8 * Q8_0_BYTES];
    FILE *file = fopen("fixtures/gguf/q8_0.bin", "rb");
    size_t n = file ? fread(&golden, 1, sizeof golden, file) : 0;

    CHECK(n == sizeof golden);
    if (file)
        fclose(file);
    q8_0_pack(golden.in, 8, out);
    for (size_t i = 0; n && i < 8; i++)
        CHECK(memcmp(out + i * Q8_0_BYTES, golden.out + i * Q8_0_BYTES, Q8_0_BYTES) == 0);
}

static void pack_one(float first, float second, unsigned char out[Q8_0_BYTES])
{
    float in[Q8_0_ITEMS] = {first, second};

    q8_0_pack(in, 1, out);
}

static void halves_go_away_from_zero(void)
{
    unsigned char out[Q8_0_BYTES];

    pack_one(127, 2.5f, out); /* a scale of 1 */
    CHECK(out[0] == 0x00 && out[1] == 0x3C && out[2] == 127 && out[3] == 3 && out[4] == 0);
    pack_one(-127, -0.5f, out);
    CHECK(out[2] == 0x81 && out[3] == 0xFF);
    pack_one(127, nextafterf(0.5f, 0), out);
    CHECK(out[3] == 0);
}

static void what_is_not_finite_shows_in_the_scale(void)
{
    unsigned char out[Q8_0_BYTES];

    pack_one(1, NAN, out);
    CHECK(out[0] == 0x00 && out[1] == 0x7E && out[2] == 0 && out[3] == 0);
    pack_one(NAN, 1, out);
    CHECK(out[0] == 0x00 && out[1] == 0x7E);
    pack_one(INFINITY, 1, out);
    CHECK(out[0] == 0x00 && out[1] == 0x7C && out[2] == 0 && out[3] == 0);
    pack_one(0, 1e-44f, out); /* 1 / scale is beyond float */
    CHECK(out[0] == 0 && out[1] == 0 && out[3] == 0);
}

TESTS(TEST(blocks_are_those_of_the_original), TEST(halves_go_away_from_zero),
      TEST(what_is_not_finite_shows_in_the_scale))
