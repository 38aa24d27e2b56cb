/* test_ggml_blocks.c - the decoders of all versions against each other, ranges, and the table. That the
 * values are ggml's own is in test_gguf.c, on files. */
#include "tensor/ggml_blocks.h"

#include <math.h>

#include "base/memory.h"
#include "math/random.h"
#include "test.h"

enum { N_BLOCKS = 67 };

/* Blocks of any bits: scales of infinity and NaN, subnormal ones, zeros of either sign. */
static unsigned char *random_blocks(enum ggml_format format, uint64_t seed)
{
    size_t n = N_BLOCKS * ggml_type(format)->block_bytes;
    unsigned char *blocks = memory_alloc(n + 1);
    struct random random;

    random_init(&random, seed);
    for (size_t i = 0; i <= n; i++)
        blocks[i] = (unsigned char)random_next(&random);
    for (size_t i = 0; i < n; i += 97)
        blocks[i] = 0;
    return blocks;
}

/* Bit for bit; a NaN is one, whatever its bits. */
static bool is_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

static float *decoded(const struct ggml_version *version, enum ggml_format format,
                      const unsigned char *blocks)
{
    size_t n = N_BLOCKS * ggml_type(format)->block_items;
    float *values = memory_alloc((n + 1) * sizeof *values);

    values[n] = 0.123f;
    version->decode[format](blocks, N_BLOCKS, values);
    CHECK(values[n] == 0.123f);
    return values;
}

static void all_versions_give_the_same_bits(void)
{
    CHECK(strcmp(ggml_version(0)->name, "plain") == 0);
    for (size_t f = 0; f < 4 * N_GGML_BLOCKS; f++) {
        enum ggml_format format = (enum ggml_format)(f / 4);
        unsigned char *blocks = random_blocks(format, f);
        float *expected = decoded(ggml_version(0), format, blocks + f % 2);

        for (size_t v = 1; v <= 2 && ggml_version(v); v++) {
            float *found = decoded(ggml_version(v), format, blocks + f % 2);

            if (!is_same(found, expected, N_BLOCKS * ggml_type(format)->block_items)) {
                printf("# %s differs with %s\n", ggml_type(format)->name, ggml_version(v)->name);
                CHECK(false);
            }
            free(found);
        }
        free(expected);
        free(blocks);
    }
}

static void ranges_begin_and_end_anywhere(void)
{
    for (size_t f = 0; f < N_GGML_BLOCKS; f++) {
        enum ggml_format format = (enum ggml_format)f;
        size_t items = ggml_type(format)->block_items, n = N_BLOCKS * items;
        unsigned char *blocks = random_blocks(format, f);
        float *all = decoded(ggml_version(0), format, blocks);
        float *part = memory_alloc((n + 1) * sizeof *part);
        const size_t ranges[][2] = {{0, 0},         {0, n},         {0, 1},
                                    {n - 1, 1},     {1, n - 1},     {items, items},
                                    {items - 1, 2}, {items + 3, 5}, {5, 3 * items},
                                    {1, items - 1}, {n, 0},         {3 * items - 2, 2}};

        for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
            size_t first = ranges[i][0], n_part = ranges[i][1];

            part[n_part] = 0.123f;
            ggml_decode_range(format, blocks, first, n_part, part);
            CHECK(is_same(part, all + first, n_part) && part[n_part] == 0.123f);
        }
        free(part);
        free(all);
        free(blocks);
    }
}

static void the_table_is_that_of_ggml(void)
{
    static const uint32_t none[] = {4, 5, 9, 15, 31, 32, 33, 36, 37, 38, 43, 0xFFFFFFFF};
    enum ggml_format format;

    for (size_t f = 0; f < N_GGML_FORMATS; f++) {
        const struct ggml_type *type = ggml_type((enum ggml_format)f);

        CHECK(ggml_format_find(type->id, &format) == 0 && format == (enum ggml_format)f);
        CHECK(type->block_items <= GGML_BLOCK_ITEMS_MAX);
        CHECK(type->block_bytes <= GGML_BLOCK_BYTES_MAX);
        CHECK(f < N_GGML_BLOCKS ? type->dtype == DTYPE_F32
                                : type->block_bytes * 8 == dtype_info(type->dtype)->n_bits);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(ggml_format_find(none[i], &format) == -1);
    CHECK_CONTAINS(ggml_format_reason(9), "Q8_1");
    CHECK_CONTAINS(ggml_format_reason(15), "Q8_K");
    CHECK_CONTAINS(ggml_format_reason(31), "no longer");
    CHECK_CONTAINS(ggml_format_reason(43), "not known");
}

TESTS(TEST(all_versions_give_the_same_bits), TEST(ranges_begin_and_end_anywhere),
      TEST(the_table_is_that_of_ggml))
