/* gguf_metadata.h - the values of a GGUF file to be written, in the order in which they are put.
 *
 * Widths as llama.cpp wants them: counts and ids are u32, eps and frequencies f32. Source:
 * docs/formats.md, "GGUF". */
#ifndef COCKTAIL_GGUF_METADATA_H
#define COCKTAIL_GGUF_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "format/gguf.h"

struct gguf_metadata { /* a zeroed struct is empty */
    struct buffer bytes; /* keys and values, as they stand in the file */
    size_t n_values;
};

void gguf_metadata_release(struct gguf_metadata *metadata);

void gguf_put_u32(struct gguf_metadata *metadata, const char *key, uint32_t value);
void gguf_put_f32(struct gguf_metadata *metadata, const char *key, float value);
void gguf_put_bool(struct gguf_metadata *metadata, const char *key, bool value);
void gguf_put_text(struct gguf_metadata *metadata, const char *key, const char *bytes,
                   size_t length);
/* Arrays. */
void gguf_put_u32s(struct gguf_metadata *metadata, const char *key, const uint32_t *items,
                   size_t n);
void gguf_put_i32s(struct gguf_metadata *metadata, const char *key, const int32_t *items,
                   size_t n);
void gguf_put_f32s(struct gguf_metadata *metadata, const char *key, const float *items, size_t n);
void gguf_put_bools(struct gguf_metadata *metadata, const char *key, const bool *items, size_t n);
void gguf_put_texts(struct gguf_metadata *metadata, const char *key,
                    const struct gguf_text *items, size_t n);

#endif
