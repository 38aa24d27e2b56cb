/* ggml_blocks.c - the table of formats, which version of the decoders runs, ranges. */
#include "ggml_blocks.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/isa.h"

static const struct ggml_type types[N_GGML_FORMATS] = {
    [GGML_Q4_0] = {"Q4_0", 2, 32, 18, DTYPE_F32},
    [GGML_Q4_1] = {"Q4_1", 3, 32, 20, DTYPE_F32},
    [GGML_Q5_0] = {"Q5_0", 6, 32, 22, DTYPE_F32},
    [GGML_Q5_1] = {"Q5_1", 7, 32, 24, DTYPE_F32},
    [GGML_Q8_0] = {"Q8_0", 8, 32, 34, DTYPE_F32},
    [GGML_Q2_K] = {"Q2_K", 10, 256, 84, DTYPE_F32},
    [GGML_Q3_K] = {"Q3_K", 11, 256, 110, DTYPE_F32},
    [GGML_Q4_K] = {"Q4_K", 12, 256, 144, DTYPE_F32},
    [GGML_Q5_K] = {"Q5_K", 13, 256, 176, DTYPE_F32},
    [GGML_Q6_K] = {"Q6_K", 14, 256, 210, DTYPE_F32},
    [GGML_IQ1_S] = {"IQ1_S", 19, 256, 50, DTYPE_F32},
    [GGML_IQ1_M] = {"IQ1_M", 29, 256, 56, DTYPE_F32},
    [GGML_IQ2_XXS] = {"IQ2_XXS", 16, 256, 66, DTYPE_F32},
    [GGML_IQ2_XS] = {"IQ2_XS", 17, 256, 74, DTYPE_F32},
    [GGML_IQ2_S] = {"IQ2_S", 22, 256, 82, DTYPE_F32},
    [GGML_IQ3_XXS] = {"IQ3_XXS", 18, 256, 98, DTYPE_F32},
    [GGML_IQ3_S] = {"IQ3_S", 21, 256, 110, DTYPE_F32},
    [GGML_IQ4_NL] = {"IQ4_NL", 20, 32, 18, DTYPE_F32},
    [GGML_IQ4_XS] = {"IQ4_XS", 23, 256, 136, DTYPE_F32},
    [GGML_TQ1_0] = {"TQ1_0", 34, 256, 54, DTYPE_F32},
    [GGML_TQ2_0] = {"TQ2_0", 35, 256, 66, DTYPE_F32},
    [GGML_MXFP4] = {"MXFP4", 39, 32, 17, DTYPE_F32},
    [GGML_NVFP4] = {"NVFP4", 40, 64, 36, DTYPE_F32},
    [GGML_Q1_0] = {"Q1_0", 41, 128, 18, DTYPE_F32},
    [GGML_Q2_0] = {"Q2_0", 42, 64, 18, DTYPE_F32},
    [GGML_F32] = {"F32", 0, 1, 4, DTYPE_F32},
    [GGML_F16] = {"F16", 1, 1, 2, DTYPE_F16},
    [GGML_BF16] = {"BF16", 30, 1, 2, DTYPE_BF16},
    [GGML_F64] = {"F64", 28, 1, 8, DTYPE_F64},
    [GGML_I8] = {"I8", 24, 1, 1, DTYPE_I8},
    [GGML_I16] = {"I16", 25, 1, 2, DTYPE_I16},
    [GGML_I32] = {"I32", 26, 1, 4, DTYPE_I32},
    [GGML_I64] = {"I64", 27, 1, 8, DTYPE_I64},
};

const struct ggml_type *ggml_type(enum ggml_format format)
{
    assert((size_t)format < N_GGML_FORMATS);
    return &types[format];
}

int ggml_format_find(uint32_t id, enum ggml_format *format)
{
    for (size_t i = 0; i < N_GGML_FORMATS; i++)
        if (types[i].id == id) {
            *format = (enum ggml_format)i;
            return 0;
        }
    return -1;
}

const char *ggml_format_reason(uint32_t id)
{
    static const struct {
        uint32_t id;
        const char *reason;
    } reasons[] = {
        {4, "Q4_2, which ggml no longer has"},
        {5, "Q4_3, which ggml no longer has"},
        {9, "Q8_1, which is for running computations and never stored"},
        {15, "Q8_K, which is for running computations and never stored"},
        {31, "Q4_0_4_4, which ggml no longer has"},
        {32, "Q4_0_4_8, which ggml no longer has"},
        {33, "Q4_0_8_8, which ggml no longer has"},
        {36, "IQ4_NL_4_4, which ggml no longer has"},
        {37, "IQ4_NL_4_8, which ggml no longer has"},
        {38, "IQ4_NL_8_8, which ggml no longer has"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].id == id)
            return reasons[i].reason;
    return "which is not known";
}

/* ---- decoding ---- */

extern const struct ggml_version ggml_plain;
#if defined(__x86_64__)
extern const struct ggml_version ggml_avx2, ggml_avx512;
#endif

const struct ggml_version *ggml_version(size_t i)
{
#if defined(__x86_64__)
    if (i == ISA_AVX2 && isa_has(ISA_AVX2))
        return &ggml_avx2;
    if (i == ISA_AVX512 && isa_has(ISA_AVX512))
        return &ggml_avx512;
#endif
    return i == ISA_PLAIN ? &ggml_plain : NULL;
}

static const struct ggml_version *best(void)
{
    return ggml_version(isa_in_use());
}

void ggml_decode(enum ggml_format format, const void *blocks, size_t n_blocks, float *out)
{
    assert((size_t)format < N_GGML_BLOCKS);
    best()->decode[format](blocks, n_blocks, out);
}

void ggml_decode_range(enum ggml_format format, const void *blocks, size_t first, size_t n,
                       float *out)
{
    const struct ggml_type *type = ggml_type(format);
    size_t items = type->block_items, skip = first % items, n_whole;
    const char *block = (const char *)blocks + first / items * type->block_bytes;
    float values[GGML_BLOCK_ITEMS_MAX];

    if (skip) {
        size_t n_here = items - skip < n ? items - skip : n;

        ggml_decode(format, block, 1, values);
        memcpy(out, values + skip, n_here * sizeof *out);
        block += type->block_bytes;
        out += n_here;
        n -= n_here;
    }
    n_whole = n / items;
    ggml_decode(format, block, n_whole, out);
    if (n % items) {
        ggml_decode(format, block + n_whole * type->block_bytes, 1, values);
        memcpy(out + n_whole * items, values, n % items * sizeof *out);
    }
}
