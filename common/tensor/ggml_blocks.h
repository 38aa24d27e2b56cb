/* ggml_blocks.h - the number formats of GGUF files: blocks of numbers that share a scale.
 *
 * Each block becomes floats bit for bit as ggml's own code decodes it; a scale of infinity or NaN
 * gives that, and no error. Source: docs/formats.md, "Blocks of GGUF". */
#ifndef COCKTAIL_GGML_BLOCKS_H
#define COCKTAIL_GGML_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h"

enum { GGML_BLOCK_ITEMS_MAX = 256, GGML_BLOCK_BYTES_MAX = 210 };

/* Formats of blocks first, in the order of the tables of decoders; then plain numbers. */
enum ggml_format {
    GGML_Q4_0, GGML_Q4_1, GGML_Q5_0, GGML_Q5_1, GGML_Q8_0, GGML_Q2_K, GGML_Q3_K, GGML_Q4_K,
    GGML_Q5_K, GGML_Q6_K, GGML_IQ1_S, GGML_IQ1_M, GGML_IQ2_XXS, GGML_IQ2_XS, GGML_IQ2_S,
    GGML_IQ3_XXS, GGML_IQ3_S, GGML_IQ4_NL, GGML_IQ4_XS, GGML_TQ1_0, GGML_TQ2_0, GGML_MXFP4,
    GGML_NVFP4, GGML_Q1_0, GGML_Q2_0,
    N_GGML_BLOCKS,
    GGML_F32 = N_GGML_BLOCKS, GGML_F16, GGML_BF16, GGML_F64, GGML_I8, GGML_I16, GGML_I32, GGML_I64,
    N_GGML_FORMATS,
};

struct ggml_type {
    const char *name; /* ggml's */
    uint32_t id;      /* in files */
    size_t block_items, block_bytes;
    enum dtype dtype; /* of what is read: F32 of blocks */
};

const struct ggml_type *ggml_type(enum ggml_format format);
/* The format with that number, or -1: there is none, or none that is stored. */
int ggml_format_find(uint32_t id, enum ggml_format *format);
/* Why a number has no format: its name and what became of it, or that it is not known. A phrase. */
const char *ggml_format_reason(uint32_t id);

/* out [n_blocks * block_items] = the values of so many blocks of a format below N_GGML_BLOCKS, not
 * aligned to anything. */
void ggml_decode(enum ggml_format format, const void *blocks, size_t n_blocks, float *out);
/* n values from item `first` on of blocks that begin at `blocks`: a range that may begin and end
 * inside of blocks. */
void ggml_decode_range(enum ggml_format format, const void *blocks, size_t first, size_t n,
                       float *out);

/* The versions of the decoders, for tests: version i, slowest first, "plain" is 0; NULL behind the
 * last that this processor can run. */
struct ggml_version {
    const char *name;
    void (*decode[N_GGML_BLOCKS])(const void *blocks, size_t n_blocks, float *out);
};
const struct ggml_version *ggml_version(size_t i);

#endif
