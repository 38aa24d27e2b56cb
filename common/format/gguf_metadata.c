/* gguf_metadata.c - values of a GGUF file as they stand in it: a key, a type, then what belongs to it.
 *
 * Numbers are stored as the machine has them: little-endian, as all that cocktail runs on. */
#include "gguf_metadata.h"

#include <string.h>

static void add_u32(struct buffer *out, uint32_t value)
{
    buffer_add(out, &value, sizeof value);
}

static void add_text(struct buffer *out, const char *bytes, size_t length)
{
    uint64_t size = length;

    buffer_add(out, &size, sizeof size);
    buffer_add(out, bytes, length);
}

static void begin(struct gguf_metadata *metadata, const char *key, enum gguf_type type)
{
    add_text(&metadata->bytes, key, strlen(key));
    add_u32(&metadata->bytes, type);
    metadata->n_values++;
}

static void put(struct gguf_metadata *metadata, const char *key, enum gguf_type type,
                const void *bytes, size_t n_bytes)
{
    begin(metadata, key, type);
    buffer_add(&metadata->bytes, bytes, n_bytes);
}

static void begin_array(struct gguf_metadata *metadata, const char *key, enum gguf_type type,
                        size_t n)
{
    uint64_t count = n;

    begin(metadata, key, GGUF_ARRAY);
    add_u32(&metadata->bytes, type);
    buffer_add(&metadata->bytes, &count, sizeof count);
}

void gguf_metadata_release(struct gguf_metadata *metadata)
{
    buffer_release(&metadata->bytes);
    *metadata = (struct gguf_metadata){0};
}

void gguf_put_u32(struct gguf_metadata *metadata, const char *key, uint32_t value)
{
    put(metadata, key, GGUF_U32, &value, sizeof value);
}

void gguf_put_f32(struct gguf_metadata *metadata, const char *key, float value)
{
    put(metadata, key, GGUF_F32, &value, sizeof value);
}

void gguf_put_bool(struct gguf_metadata *metadata, const char *key, bool value)
{
    unsigned char byte = value;

    put(metadata, key, GGUF_BOOL, &byte, sizeof byte);
}

void gguf_put_text(struct gguf_metadata *metadata, const char *key, const char *bytes,
                   size_t length)
{
    begin(metadata, key, GGUF_STRING);
    add_text(&metadata->bytes, bytes, length);
}

void gguf_put_u32s(struct gguf_metadata *metadata, const char *key, const uint32_t *items,
                   size_t n)
{
    begin_array(metadata, key, GGUF_U32, n);
    buffer_add(&metadata->bytes, items, n * sizeof *items);
}

void gguf_put_i32s(struct gguf_metadata *metadata, const char *key, const int32_t *items,
                   size_t n)
{
    begin_array(metadata, key, GGUF_I32, n);
    buffer_add(&metadata->bytes, items, n * sizeof *items);
}

void gguf_put_f32s(struct gguf_metadata *metadata, const char *key, const float *items, size_t n)
{
    begin_array(metadata, key, GGUF_F32, n);
    buffer_add(&metadata->bytes, items, n * sizeof *items);
}

void gguf_put_bools(struct gguf_metadata *metadata, const char *key, const bool *items, size_t n)
{
    begin_array(metadata, key, GGUF_BOOL, n);
    for (size_t i = 0; i < n; i++)
        buffer_add_char(&metadata->bytes, items[i] ? 1 : 0);
}

void gguf_put_texts(struct gguf_metadata *metadata, const char *key,
                    const struct gguf_text *items, size_t n)
{
    begin_array(metadata, key, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        add_text(&metadata->bytes, items[i].bytes, items[i].length);
}
