/* Every way of storing with blocks that were computed by hand, and the fast ways of unpacking against the
 * plain one. */
#include "format/dequantise.h"

#include <stdint.h>

#include "format/unpack.h"
#include "scratch.h"

enum { ITEMS_MAX = 4096 };

struct decoded {
    struct checkpoint *checkpoint;
    struct error err;
    float values[ITEMS_MAX];
    size_t n_items, n_tensors;
    char shape[64];
};

/* What the tensor `name` of scratch file d/model.safetensors is, read whole and item by item. */
static struct decoded decode(const struct quantisation *settings, const char *name)
{
    struct decoded made = {.checkpoint = NULL};
    const struct tensor *tensor;
    struct buffer shape = {0};

    made.checkpoint = scratch_open("d", NULL, NULL, &made.err);
    scratch_must(made.checkpoint != NULL, "open", name);
    if (dequantise(made.checkpoint, settings, &made.err) == 0) {
        tensor = checkpoint_find(made.checkpoint, name);
        scratch_must(tensor && tensor->n_items <= ITEMS_MAX, "find", name);
        CHECK(tensor->dtype == DTYPE_F32);
        made.n_items = tensor->n_items;
        made.n_tensors = made.checkpoint->n_tensors;
        tensor_add_shape(&shape, tensor);
        snprintf(made.shape, sizeof made.shape, "%s", shape.data);
        CHECK(tensor_read(tensor, 0, tensor->n_items, made.values, &made.err) == 0);
        for (size_t i = 0; i < tensor->n_items; i++) {
            float one = -1;

            CHECK(tensor_read(tensor, i, 1, &one, &made.err) == 0);
            CHECK(one == made.values[i]);
        }
    } else {
        printf("# %s\n", made.err.text);
    }
    CHECK(made.err.code == ERROR_NONE);
    buffer_release(&shape);
    checkpoint_close(made.checkpoint);
    return made;
}

static bool is_shape(const struct decoded *made, const char *shape)
{
    bool is = strcmp(made->shape, shape) == 0;

    if (!is)
        printf("# %s, not %s\n", made->shape, shape);
    return is;
}

static const struct quantisation gptq = {.method = QUANTISATION_GPTQ, .name = "gptq",
                                         .file = "config.json", .bits = 4, .group_size = 8,
                                         .adds_one = true};

/* Column o of W has i - zero, times o + 1; zero of group 0 is 8, of group 1 it is 8 - 2 o for o < 4. */
static void gptq_has_zeros_less_one_and_groups(void)
{
    static const uint32_t words[16] = {
        0x76543210, 0x76543210, 0x76543210, 0x76543210, 0x76543210, 0x76543210, 0x76543210,
        0x76543210, 0xFEDCBA98, 0xFEDCBA98, 0xFEDCBA98, 0xFEDCBA98, 0xFEDCBA98, 0xFEDCBA98,
        0xFEDCBA98, 0xFEDCBA98};
    static const uint32_t zeros[2] = {0x77777777, 0x77771357};
    static const uint32_t map[16] = {1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0};
    struct quantisation settings = gptq;
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.qweight", DTYPE_I32, words, 2, 8),
                TENSOR_BYTES("a.qzeros", DTYPE_I32, zeros, 2, 1),
                TENSOR("a.scales", DTYPE_F16, 1, 2, 8)); /* group 0: 1 … 8, group 1: 9 … 16 */
    made = decode(&settings, "a.weight");
    CHECK(is_shape(&made, "[8, 16]"));
    CHECK(made.values[0] == -8 && made.values[7] == -1 && made.values[8] == 0);
    CHECK(made.values[15] == 7 * 9);
    CHECK(made.values[16 + 2] == (2 - 8) * 2 && made.values[16 + 9] == (9 - 6) * 10);
    CHECK(made.values[3 * 16 + 15] == (15 - 2) * 12);
    settings.adds_one = false; /* the second version stores zeros as they are */
    made = decode(&settings, "a.weight");
    CHECK(made.values[0] == -7 && made.values[16 + 9] == (9 - 5) * 10);
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.qweight", DTYPE_I32, words, 2, 8),
                TENSOR_BYTES("a.qzeros", DTYPE_I32, zeros, 2, 1),
                TENSOR_BYTES("a.g_idx", DTYPE_I32, map, 16), TENSOR("a.scales", DTYPE_F16, 1, 2, 8));
    made = decode(&gptq, "a.weight");
    CHECK(made.values[16 + 0] == (0 - 6) * 10 && made.values[16 + 1] == (1 - 8) * 2);
    CHECK(made.values[16 + 15] == (15 - 8) * 2 && made.values[16 + 14] == (14 - 6) * 10);
}

/* A zero of 0 was stored by taking 1 from the word: 0xFFFFFFFF - … gives it back with the carry. */
static void gptq_gives_a_borrow_back(void)
{
    static const uint32_t words[8] = {0, 0, 0, 0, 0, 0, 0, 0}, zeros[1] = {0x00000010u - 0x11111111u};
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.qweight", DTYPE_I32, words, 1, 8),
                TENSOR_BYTES("a.qzeros", DTYPE_I32, zeros, 1, 1),
                TENSOR_BYTES("a.scales", DTYPE_F32, ((const float[8]){1, 1, 1, 1, 1, 1, 1, 1}), 1,
                             8));
    made = decode(&gptq, "a.weight");
    for (size_t o = 0; o < 8; o++)
        CHECK(made.values[8 * o] == (o == 1 ? -1 : 0));
}

/* Fields of 3 bits cross words; zeros are 4, stored as 3. */
static void gptq_has_three_bits_across_words(void)
{
    static const uint32_t zeros[3] = {0xDB6DB6DB, 0xB6DB6DB6, 0x6DB6DB6D};
    struct quantisation settings = gptq;
    uint32_t words[96], pattern[3] = {0};
    float scales[32];
    struct decoded made;

    for (size_t i = 0; i < 96; i++)
        pattern[i / 32] |= (uint32_t)((5 * (i / 3) + 3) % 8 >> i % 3 & 1) << i % 32;
    CHECK(pattern[0] >> 30 == 1 && (pattern[1] & 1) == 1); /* 5 stands in both */
    for (size_t i = 0; i < 96; i++)
        words[i] = pattern[i / 32];
    for (size_t o = 0; o < 32; o++)
        scales[o] = 1 + (float)o;
    settings.bits = 3;
    settings.group_size = SIZE_MAX;
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.qweight", DTYPE_I32, words, 3, 32),
                TENSOR_BYTES("a.qzeros", DTYPE_I32, zeros, 1, 3),
                TENSOR_BYTES("a.scales", DTYPE_F32, scales, 1, 32));
    made = decode(&settings, "a.weight");
    CHECK(is_shape(&made, "[32, 32]"));
    for (size_t i = 0; i < 32 * 32; i++)
        CHECK(made.values[i] == ((float)((5 * (i % 32) + 3) % 8) - 4) *
                                  (1 + (float)(i / 32)));
}

/* With `dynamic` the shapes of a module tell its bits and groups; biases of zeros go, others stay. */
static void gptq_modules_may_differ(void)
{
    struct quantisation settings = gptq;
    struct decoded made;

    settings.has_exceptions = true;
    settings.bits = 2;
    settings.group_size = 128;
    SAFETENSORS("d/model.safetensors", TENSOR("l.0.a.qweight", DTYPE_I32, 0, 4, 8),
                TENSOR("l.0.a.qzeros", DTYPE_I32, 0, 2, 2), TENSOR("l.0.a.scales", DTYPE_F16, 0, 2, 8),
                TENSOR_BYTES("l.0.a.bias", DTYPE_F16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 8),
                TENSOR("l.0.b.bias", DTYPE_F16, 0, 1), TENSOR("l.1.c.qweight", DTYPE_I32, 0, 4, 8),
                TENSOR("l.1.c.qzeros", DTYPE_I32, 0, 2, 2), TENSOR("l.1.c.scales", DTYPE_F16, 0, 2, 8),
                TENSOR("l.1.c.bias", DTYPE_F16, 0, 8));
    made = decode(&settings, "l.0.a.weight");
    CHECK(is_shape(&made, "[8, 16]")); /* 8 bits: two words a row of zeros */
    made.checkpoint = scratch_open("d", NULL, NULL, &made.err);
    CHECK(dequantise(made.checkpoint, &settings, &made.err) == 0);
    CHECK(made.checkpoint->n_tensors == 4 && !checkpoint_find(made.checkpoint, "l.0.a.bias"));
    CHECK(checkpoint_find(made.checkpoint, "l.0.b.bias") &&
          checkpoint_find(made.checkpoint, "l.1.c.bias"));
    checkpoint_close(made.checkpoint);
}

static void awq_has_columns_in_an_order_of_its_own(void)
{
    static const struct quantisation settings = {.method = QUANTISATION_AWQ, .group_size = 1};
    static const uint32_t words[2] = {0x76543210, 0x00000008}, zeros[2] = {0x11111111, 0};
    static const float order[8] = {0, 4, 1, 5, 2, 6, 3, 7};
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.qweight", DTYPE_I32, words, 2, 1),
                TENSOR_BYTES("a.qzeros", DTYPE_I32, zeros, 2, 1),
                TENSOR_BYTES("a.scales", DTYPE_F16, "\0\x3C\0\x3C\0\x3C\0\x3C\0\x3C\0\x3C\0\x3C\0\x3C"
                             "\0\x40\0\x40\0\x40\0\x40\0\x40\0\x40\0\x40\0\x40", 2, 8));
    made = decode(&settings, "a.weight");
    CHECK(is_shape(&made, "[8, 2]"));
    for (size_t o = 0; o < 8; o++) {
        CHECK(made.values[2 * o] == order[o] - 1);
        CHECK(made.values[2 * o + 1] == (o == 0 ? 16 : 0));
    }
}

static struct quantisation_scheme by_group(unsigned bits, size_t group_size, bool is_symmetric)
{
    return (struct quantisation_scheme){.bits = bits, .is_symmetric = is_symmetric,
                                        .strategy = QUANTISATION_BY_GROUP,
                                        .group_size = group_size};
}

static struct quantisation compressed(struct quantisation_scheme *schemes, size_t n)
{
    return (struct quantisation){.method = QUANTISATION_COMPRESSED, .name = "compressed-tensors",
                                 .file = "config.json", .schemes = schemes, .n_schemes = n};
}

static void compressed_tensors_packs_in_rows(void)
{
    static const uint32_t words[4] = {0x76543210, 0x0000000F, 0x00000000, 0x00000000};
    static const uint32_t zeros[3] = {0x000000A0, 0x00000000, 0x00000000};
    static const int64_t shape[2] = {2, 9};
    struct quantisation_scheme scheme = by_group(4, 4, true);
    struct quantisation settings = compressed(&scheme, 1);
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight_packed", DTYPE_I32, words, 2, 2),
                TENSOR("a.weight_scale", DTYPE_BF16, 1, 2, 3),
                TENSOR_BYTES("a.weight_shape", DTYPE_I64, shape, 2));
    made = decode(&settings, "a.weight");
    CHECK(is_shape(&made, "[2, 9]"));
    CHECK(made.values[0] == -8 && made.values[4] == (4 - 8) * 2 && made.values[8] == 7 * 3);
    CHECK(made.values[9] == -8 * 4 && made.values[17] == -8 * 6);
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight_packed", DTYPE_I32, words, 2, 2),
                TENSOR("a.weight_scale", DTYPE_BF16, 1, 2, 3),
                TENSOR_BYTES("a.weight_g_idx", DTYPE_I32, ((const int32_t[9]){1, 0, 2, 0, 0, 0, 0, 0, 0}),
                             9),
                TENSOR_BYTES("a.weight_shape", DTYPE_I64, shape, 2));
    made = decode(&settings, "a.weight");
    CHECK(made.values[0] == -8 * 2 && made.values[2] == (2 - 8) * 3 && made.values[8] == 7);
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight_packed", DTYPE_I32, words, 2, 2),
                TENSOR("a.weight_scale", DTYPE_BF16, 1, 2, 3),
                TENSOR_BYTES("a.weight_g_idx", DTYPE_I32,
                             ((const int32_t[9]){-1, -1, -1, -1, -1, -1, -1, -1, -1}), 9),
                TENSOR_BYTES("a.weight_shape", DTYPE_I64, shape, 2));
    made = decode(&settings, "a.weight"); /* was never set */
    CHECK(made.values[0] == -8 && made.values[8] == 7 * 3 && made.n_tensors == 1);
    scheme.is_symmetric = false; /* zeros lie along the outputs, a row of words for each eight */
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight_packed", DTYPE_I32, words, 2, 2),
                TENSOR("a.weight_scale", DTYPE_BF16, 1, 2, 3),
                TENSOR_BYTES("a.weight_zero_point", DTYPE_I32, zeros, 1, 3),
                TENSOR_BYTES("a.weight_shape", DTYPE_I64, shape, 2));
    made = decode(&settings, "a.weight");
    CHECK(made.values[1] == 1 && made.values[4] == 4 * 2 && made.values[9] == -10 * 4);
    CHECK(made.values[13] == 0);
}

/* Six bits: five fields to a word in old files, 16 in 3 words in new ones. The width tells. */
static void widths_tell_whether_bits_cross_words(void)
{
    static const int64_t shape[2] = {1, 64};
    struct quantisation_scheme scheme = by_group(6, 64, true);
    struct quantisation settings = compressed(&scheme, 1);
    uint32_t words[13] = {0};
    struct decoded made;

    for (size_t i = 0; i < 64; i++)
        words[i / 5] |= (uint32_t)i << 6 * (i % 5);
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight_packed", DTYPE_I32, words, 1, 13),
                TENSOR("a.weight_scale", DTYPE_F32, 2, 1, 1),
                TENSOR_BYTES("a.weight_shape", DTYPE_I64, shape, 2));
    made = decode(&settings, "a.weight");
    for (size_t i = 0; i < 64; i++)
        CHECK(made.values[i] == ((float)i - 32) * 2);
    memset(words, 0, sizeof words);
    for (size_t i = 0; i < 64; i++)
        for (size_t b = 0; b < 6; b++)
            words[(6 * i + b) / 32] |= (uint32_t)(i >> b & 1) << (6 * i + b) % 32;
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight_packed", DTYPE_I32, words, 1, 12),
                TENSOR("a.weight_scale", DTYPE_F32, 2, 1, 1),
                TENSOR_BYTES("a.weight_shape", DTYPE_I64, shape, 2));
    made = decode(&settings, "a.weight");
    for (size_t i = 0; i < 64; i++)
        CHECK(made.values[i] == ((float)i - 32) * 2);
}

/* Of several groups the one that the shapes agree with. */
static void shapes_choose_among_groups(void)
{
    static const int64_t shape[2] = {1, 8};
    static const uint32_t words[2] = {0x80818283, 0x84858687};
    struct quantisation_scheme schemes[3] = {by_group(4, 8, true), by_group(8, 4, true),
                                             by_group(8, 8, true)};
    struct quantisation settings = compressed(schemes, 3);
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight_packed", DTYPE_I32, words, 1, 2),
                TENSOR("a.weight_scale", DTYPE_F32, 1, 1, 2),
                TENSOR_BYTES("a.weight_shape", DTYPE_I64, shape, 2));
    made = decode(&settings, "a.weight");
    CHECK(made.values[0] == 3 && made.values[3] == 0 && made.values[4] == 7 * 2);
}

static void blocks_at_the_edges_are_cut_off(void)
{
    static const struct quantisation settings = {.method = QUANTISATION_FP8, .name = "fp8",
                                                 .file = "config.json", .block_rows = 2,
                                                 .block_columns = 3};
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR("a.weight", DTYPE_F8_E4M3, 1, 3, 4),
                TENSOR("a.weight_scale_inv", DTYPE_F32, 1, 2, 2),
                TENSOR("a.activation_scale", DTYPE_F32, 1, 1));
    made = decode(&settings, "a.weight");
    CHECK(made.n_tensors == 1);
    CHECK(made.values[0] == 1 && made.values[2] == 3 && made.values[3] == 4 * 2);
    CHECK(made.values[4] == 5 && made.values[7] == 8 * 2);
    CHECK(made.values[8] == 9 * 3 && made.values[11] == 12 * 4);
}

static void scales_are_powers_of_two_where_they_are_bytes(void)
{
    static const struct quantisation settings = {.method = QUANTISATION_FP8, .name = "fp8",
                                                 .file = "config.json", .block_rows = 1,
                                                 .block_columns = 2};
    struct quantisation_scheme scheme = {.bits = 8, .is_float = true,
                                         .strategy = QUANTISATION_BY_GROUP, .group_size = 2};
    struct quantisation mx = compressed(&scheme, 1);
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR("a.weight", DTYPE_F8_E4M3, 1, 2, 4),
                TENSOR("a.scale", DTYPE_U8, 126, 2, 2));
    made = decode(&settings, "a.weight");
    CHECK(made.values[0] == .5 && made.values[2] == 3 && made.values[4] == 10);
    CHECK(made.values[7] == 8 * 4);
    SAFETENSORS("d/model.safetensors", TENSOR("a.weight", DTYPE_F8_E4M3, 1, 2, 4),
                TENSOR("a.weight_scale", DTYPE_U8, 126, 2, 2));
    made = decode(&mx, "a.weight");
    CHECK(made.values[0] == .5 && made.values[7] == 8 * 4);
}

static void stacked_matrices_have_scales_of_their_own(void)
{
    static const struct quantisation settings = {.method = QUANTISATION_MODELOPT,
                                                 .name = "modelopt", .file = "config.json"};
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR("a.up_proj", DTYPE_F8_E4M3, 1, 2, 2, 2),
                TENSOR("a.up_proj_scale", DTYPE_F32, 1, 2, 1, 1));
    made = decode(&settings, "a.up_proj");
    CHECK(is_shape(&made, "[2, 2, 2]"));
    CHECK(made.values[3] == 4 && made.values[4] == 5 * 2 && made.values[7] == 8 * 2);
    SAFETENSORS("d/model.safetensors", TENSOR("a.up_proj", DTYPE_F8_E4M3, 1, 2, 2, 2),
                TENSOR("a.up_proj_scale", DTYPE_F32, 1, 2));
    made = decode(&settings, "a.up_proj");
    CHECK(made.values[3] == 4 && made.values[4] == 5 * 2);
    SAFETENSORS("d/model.safetensors", TENSOR("a.up_proj", DTYPE_F8_E4M3, 1, 2, 2, 2),
                TENSOR("a.up_proj_scale", DTYPE_F32, 1, 2, 1, 2));
    made = decode(&settings, "a.up_proj");
    CHECK(made.values[0] == 1 && made.values[1] == 2 * 2 && made.values[4] == 5 * 3);
    CHECK(made.values[7] == 8 * 4);
}

static void int8_of_bitsandbytes_is_rounded_twice(void)
{
    static const struct quantisation settings = {.method = QUANTISATION_BITSANDBYTES};
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR("a.weight", DTYPE_I8, -3, 2, 3),
                TENSOR("a.SCB", DTYPE_F32, 3, 2));
    made = decode(&settings, "a.weight");
    CHECK(made.values[0] == (-3.0F * 3.0F) * (1.0F / 127));
    CHECK(made.values[5] == (2.0F * 4.0F) * (1.0F / 127));
}

/* Bytes 0x21, 0x43 …: 0.5, 1, 1.5, 2 …, the low half first. */
static void nvfp4_multiplies_or_divides_by_the_scale_of_all(void)
{
    static const unsigned char packed[8] = {0x21, 0x43, 0x65, 0x87, 0xA9, 0xCB, 0xED, 0x0F};
    static const float global = 3;
    static const struct quantisation modelopt = {.method = QUANTISATION_MODELOPT};
    struct quantisation_scheme scheme = {.bits = 4, .is_float = true};
    struct quantisation settings = compressed(&scheme, 1);
    unsigned char twice[16];
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight", DTYPE_U8, packed, 1, 8),
                TENSOR("a.weight_scale", DTYPE_F8_E4M3, 7, 1, 1),
                TENSOR_BYTES("a.weight_scale_2", DTYPE_F32, &global, 1),
                TENSOR("a.input_scale", DTYPE_F32, 1, 1), TENSOR("a.k_scale", DTYPE_F32, 1, 1));
    made = decode(&modelopt, "a.weight");
    CHECK(is_shape(&made, "[1, 16]") && made.n_tensors == 1);
    CHECK(made.values[0] == .5F * 21 && made.values[1] == 21 && made.values[6] == 6 * 21);
    CHECK(made.values[8] == -.5F * 21 && made.values[14] == -6 * 21.0F);
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight_packed", DTYPE_U8, packed, 1, 8),
                TENSOR("a.weight_scale", DTYPE_F8_E4M3, 7, 1, 1),
                TENSOR_BYTES("a.weight_global_scale", DTYPE_F32, &global, 1));
    made = decode(&settings, "a.weight");
    CHECK(made.values[3] == 2 * (7.0F / 3.0F) && made.values[14] == -6 * (7.0F / 3.0F));
    memcpy(twice, packed, sizeof packed);
    memcpy(twice + sizeof packed, packed, sizeof packed);
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("e.up_proj", DTYPE_U8, twice, 2, 1, 8),
                TENSOR("e.up_proj_scale", DTYPE_F8_E4M3, 7, 2, 1, 1),
                TENSOR("e.up_proj_scale_2", DTYPE_F32, 2, 2));
    made = decode(&modelopt, "e.up_proj");
    CHECK(is_shape(&made, "[2, 1, 16]"));
    CHECK(made.values[1] == 7 * 2 && made.values[17] == 8 * 3);
}

/* Expert 1 of two, 3 outputs of 32 inputs: the items of a block are apart, for it is turned. */
static void mxfp4_of_gpt_oss_is_turned(void)
{
    static const struct quantisation settings = {.method = QUANTISATION_MXFP4};
    unsigned char blocks[2 * 3 * 16];
    struct decoded made;

    for (size_t i = 0; i < sizeof blocks; i++)
        blocks[i] = i % 2 ? 0x54 : 0x32;
    blocks[16 * 4] = 0x17; /* expert 1, output 1: inputs 0 and 1 */
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("e.up_proj_blocks", DTYPE_U8, blocks, 2, 3, 1, 16),
                TENSOR("e.up_proj_scales", DTYPE_U8, 125, 2, 3, 1));
    made = decode(&settings, "e.up_proj");
    CHECK(is_shape(&made, "[2, 32, 3]"));
    CHECK(made.values[0] == 1 * .25F && made.values[1] == 1 * .5F && made.values[2] == 1);
    CHECK(made.values[3] == 1.5F * .25F && made.values[6] == 2 * .25F);
    CHECK(made.values[32 * 3] == 1 * 2 && made.values[32 * 3 + 1] == 6 * 4);
    CHECK(made.values[33 * 3 + 1] == .5F * 4 && made.values[34 * 3 + 1] == 2 * 4);
}

/* Blocks of 8 over rows of 6, maxima that are codes in blocks of 2; the high half first. */
static void bitsandbytes_has_blocks_across_rows(void)
{
    static const struct quantisation settings = {.method = QUANTISATION_BITSANDBYTES};
    static const char state[] = "{\"blocksize\": 8, \"shape\": [3, 6], \"nested_blocksize\": 2, "
                                "\"nested_offset\": 0.5}";
    static const unsigned char packed[9] = {0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xF0, 0x12};
    static const unsigned char codes[3] = {2, 0, 5};
    float map[16], nested[256];
    struct decoded made;

    for (size_t i = 0; i < 16; i++)
        map[i] = (float)i;
    for (size_t i = 0; i < 256; i++)
        nested[i] = 10 * (float)i;
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight", DTYPE_U8, packed, 9, 1),
                TENSOR_BYTES("a.weight.absmax", DTYPE_U8, codes, 3),
                TENSOR_BYTES("a.weight.quant_map", DTYPE_F32, map, 16),
                TENSOR_BYTES("a.weight.nested_quant_map", DTYPE_F32, nested, 256),
                TENSOR("a.weight.nested_absmax", DTYPE_F32, 1, 2),
                TENSOR_BYTES("a.weight.quant_state.bitsandbytes__nf4", DTYPE_U8, state,
                             sizeof state - 1));
    made = decode(&settings, "a.weight");
    CHECK(is_shape(&made, "[3, 6]"));
    CHECK(made.values[0] == 1 * 20.5F && made.values[7] == 8 * 20.5F);
    CHECK(made.values[8] == 9 * .5F && made.values[15] == 0);
    CHECK(made.values[16] == 1 * 100.5F && made.values[17] == 2 * 100.5F);
}

static void mlx_adds_a_bias(void)
{
    static const uint32_t words[4] = {0x76543210, 0xFEDCBA98, 0, 0x80000000};
    static const struct quantisation settings = {.method = QUANTISATION_MLX, .name = "mlx",
                                                 .file = "config.json", .bits = 4,
                                                 .group_size = 8};
    struct decoded made;

    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight", DTYPE_U32, words, 2, 2),
                TENSOR("a.scales", DTYPE_BF16, 1, 2, 2), TENSOR("a.biases", DTYPE_BF16, -2, 2, 2));
    made = decode(&settings, "a.weight");
    CHECK(made.values[0] == -2 && made.values[7] == 5 && made.values[8] == 8 * 2 - 1);
    CHECK(made.values[16] == 0 && made.values[31] == 8 * 4 + 1);
}

static void mlx_has_dense_fields_and_other_modes(void)
{
    struct quantisation settings = {.method = QUANTISATION_MLX, .name = "mlx",
                                    .file = "config.json", .bits = 3, .group_size = 32};
    uint32_t words[3] = {0};
    struct decoded made;

    for (size_t i = 0; i < 96; i++)
        words[i / 32] |= (uint32_t)((5 * (i / 3) + 3) % 8 >> i % 3 & 1) << i % 32;
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.weight", DTYPE_U32, words, 1, 3),
                TENSOR("a.scales", DTYPE_BF16, 2, 1, 1), TENSOR("a.biases", DTYPE_BF16, 1, 1, 1));
    made = decode(&settings, "a.weight");
    for (size_t i = 0; i < 32; i++)
        CHECK(made.values[i] == (float)((5 * i + 3) % 8) * 2 + 1);
    settings = (struct quantisation){.method = QUANTISATION_MLX, .mode = QUANTISATION_MXFP4_MODE,
                                     .bits = 4, .group_size = 32};
    SAFETENSORS("d/model.safetensors",
                TENSOR_BYTES("a.weight", DTYPE_U32, "\x21\x43\x65\x97 aaabbbbcccc", 1, 4),
                TENSOR("a.scales", DTYPE_U8, 128, 1, 1));
    made = decode(&settings, "a.weight");
    CHECK(is_shape(&made, "[1, 32]"));
    CHECK(made.values[0] == 1 && made.values[5] == 8 && made.values[7] == -1);
    settings.mode = QUANTISATION_MXFP8_MODE;
    SAFETENSORS("d/model.safetensors",
                TENSOR_BYTES("a.weight", DTYPE_U32, "\x38\x40 123456789012345678901234567890", 1, 8),
                TENSOR("a.scales", DTYPE_U8, 129, 1, 1));
    made = decode(&settings, "a.weight");
    CHECK(is_shape(&made, "[1, 32]") && made.values[0] == 4 && made.values[1] == 8);
}

/* DeepSeek-V4: two FP4 in an I8, and powers of two. */
static void experts_may_be_fp4_in_int8(void)
{
    static const struct quantisation settings = {.method = QUANTISATION_FP8, .name = "fp8",
                                                 .file = "config.json", .block_rows = 128,
                                                 .block_columns = 128};
    struct decoded made;

    SAFETENSORS("d/model.safetensors",
                TENSOR_BYTES("e.w1.weight", DTYPE_I8, "\x21\x43\x65\xF7 234567890123456", 1, 16),
                TENSOR_BYTES("e.w1.scale", DTYPE_F8_E8M0, "\x80", 1, 1));
    made = decode(&settings, "e.w1.weight");
    CHECK(is_shape(&made, "[1, 32]") && made.n_tensors == 1);
    CHECK(made.values[0] == 1 && made.values[6] == 12 && made.values[7] == -12);
}

/* Bytes that are stored as items of another dtype. */
static void bitsandbytes_may_store_in_any_dtype(void)
{
    static const struct quantisation settings = {.method = QUANTISATION_BITSANDBYTES};
    static const char state[] = "{\"blocksize\": 64, \"shape\": [4, 5]}";
    float map[16];
    struct decoded made;

    for (size_t i = 0; i < 16; i++)
        map[i] = (float)i;
    SAFETENSORS("d/model.safetensors",
                TENSOR_BYTES("a.weight", DTYPE_BF16, "\x12\x34\x56\x78\x9A\xBC\xDE\xF0\x12\x34", 5, 1),
                TENSOR("a.weight.absmax", DTYPE_F32, 3, 1),
                TENSOR_BYTES("a.weight.quant_map", DTYPE_F32, map, 16),
                TENSOR_BYTES("a.weight.quant_state.bitsandbytes__fp4", DTYPE_U8, state,
                             sizeof state - 1));
    made = decode(&settings, "a.weight");
    CHECK(is_shape(&made, "[4, 5]"));
    CHECK(made.values[0] == 3 && made.values[8] == 27 && made.values[19] == 12);
}

/* Rows that are more than one tile, and a start anywhere: the whole is the same. */
static void long_rows_are_read_in_parts(void)
{
    enum { N_OUT = 8, N_IN = 40000 };
    struct quantisation settings = gptq;
    uint32_t *words = memory_alloc(sizeof *words * N_OUT * N_IN / 8), state = 1;
    struct error err = {0};
    struct checkpoint *checkpoint;
    const struct tensor *tensor;
    float *whole = memory_alloc(sizeof *whole * N_OUT * N_IN), *part = memory_alloc(sizeof *part * N_IN);

    for (size_t i = 0; i < N_OUT * N_IN / 8; i++)
        words[i] = state = state * 1664525u + 1013904223u;
    settings.group_size = 100;
    SAFETENSORS("d/model.safetensors", TENSOR_BYTES("a.qweight", DTYPE_I32, words, N_IN / 8, N_OUT),
                TENSOR("a.qzeros", DTYPE_I32, 77, N_IN / 100, 1),
                TENSOR("a.scales", DTYPE_F32, 1, N_IN / 100, N_OUT));
    checkpoint = scratch_open("d", NULL, NULL, &err);
    CHECK(checkpoint && dequantise(checkpoint, &settings, &err) == 0);
    tensor = checkpoint_find(checkpoint, "a.weight");
    CHECK(tensor_read(tensor, 0, N_OUT * N_IN, whole, &err) == 0);
    for (size_t o = 0; o < N_OUT; o++)
        for (size_t i = 0; i < N_IN; i += 997) {
            size_t q = words[i / 8 * N_OUT + o] >> 4 * (i % 8) & 15, g = i / 100;
            uint32_t zeros = (uint32_t)(77 + g) + 0x11111111;

            CHECK(whole[o * N_IN + i] == ((float)q - (float)(zeros >> 4 * o & 15)) *
                                             (1 + (float)(g * N_OUT + o)));
        }
    CHECK(tensor_read(tensor, 2 * N_IN + 13, N_IN - 14, part, &err) == 0);
    CHECK(memcmp(part, whole + 2 * N_IN + 13, (N_IN - 14) * sizeof *part) == 0);
    checkpoint_close(checkpoint);
    free(words);
    free(whole);
    free(part);
}

static void fast_ways_unpack_as_the_plain_one(void)
{
    static const unsigned all_bits[] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const float bias = -1.25F;
    uint32_t words[64 * 3], state = 3;
    float fast[200], plain[200];

    for (size_t i = 0; i < 64 * 3; i++)
        words[i] = state = state * 1664525u + 1013904223u;
    for (size_t b = 0; b < 8; b++)
        for (size_t stride = 1; stride <= 3; stride++)
            for (size_t first = 0; first < 20; first += 3)
                for (size_t n = 0; n < 180; n += 7) {
                    struct unpack_layout layout = {all_bits[b], 0};

                    if (unpack_n_words(layout, first + n) > 64)
                        continue;
                    unpack_values(layout, words, stride, first, n, 3, .3F, n % 2 ? &bias : NULL,
                                  fast);
                    unpack_values_plain(layout, words, stride, first, n, 3, .3F,
                                        n % 2 ? &bias : NULL, plain);
                    CHECK(memcmp(fast, plain, n * sizeof *fast) == 0);
                }
    unpack_nibbles(words, 12, 61, 8, .7F, fast);
    for (size_t i = 0; i < 61; i++)
        CHECK(fast[i] == ((float)(words[i] >> 12 & 15) - 8) * .7F);
}

TESTS(TEST(gptq_has_zeros_less_one_and_groups), TEST(gptq_gives_a_borrow_back),
      TEST(gptq_has_three_bits_across_words), TEST(gptq_modules_may_differ),
      TEST(awq_has_columns_in_an_order_of_its_own), TEST(compressed_tensors_packs_in_rows),
      TEST(widths_tell_whether_bits_cross_words), TEST(shapes_choose_among_groups),
      TEST(blocks_at_the_edges_are_cut_off), TEST(scales_are_powers_of_two_where_they_are_bytes),
      TEST(stacked_matrices_have_scales_of_their_own), TEST(int8_of_bitsandbytes_is_rounded_twice),
      TEST(nvfp4_multiplies_or_divides_by_the_scale_of_all), TEST(mxfp4_of_gpt_oss_is_turned),
      TEST(bitsandbytes_has_blocks_across_rows), TEST(mlx_adds_a_bias),
      TEST(mlx_has_dense_fields_and_other_modes), TEST(experts_may_be_fp4_in_int8),
      TEST(bitsandbytes_may_store_in_any_dtype),
      TEST(long_rows_are_read_in_parts), TEST(fast_ways_unpack_as_the_plain_one))
