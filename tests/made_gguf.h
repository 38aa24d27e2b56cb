/* made_gguf.h - GGUF files that a unit test writes, whole or with a defect. */
#ifndef COCKTAIL_MADE_GGUF_H
#define COCKTAIL_MADE_GGUF_H

#include <stdlib.h>
#include <string.h>

#include "format/gguf_metadata.h"
#include "scratch.h"

struct made_gguf { /* zeroed: version 3, no values, no tensors, alignment 32 */
    uint32_t version;                /* 0: 3 */
    size_t alignment;                /* 0: 32; metadata must say it, too */
    uint64_t n_values, n_tensors;    /* what the head says; 0: as many as there are */
    struct gguf_metadata metadata;
    struct buffer infos, data;
    size_t n_infos;
};

static inline void made_add(struct buffer *out, uint64_t value, size_t n_bytes)
{
    buffer_add(out, &value, n_bytes); /* little-endian */
}

static inline void made_text(struct buffer *out, const char *text)
{
    made_add(out, strlen(text), 8);
    buffer_add_text(out, text);
}

static inline void made_pad(struct buffer *out, size_t alignment)
{
    while (out->size % alignment)
        buffer_add_char(out, '\0');
}

/* dims as in the file, fastest first. */
static inline void made_info(struct made_gguf *made, const char *name, uint32_t type, size_t n_dims,
                             const uint64_t *dims, uint64_t offset)
{
    made_text(&made->infos, name);
    made_add(&made->infos, n_dims, 4);
    buffer_add(&made->infos, dims, n_dims * sizeof *dims);
    made_add(&made->infos, type, 4);
    made_add(&made->infos, offset, 8);
    made->n_infos++;
}

/* With its n_bytes; NULL: of zeros. */
static inline void made_tensor_of(struct made_gguf *made, const char *name, uint32_t type,
                                  size_t n_dims, const uint64_t *dims, const void *bytes,
                                  size_t n_bytes)
{
    made_info(made, name, type, n_dims, dims, made->data.size);
    for (size_t i = 0; i < n_bytes; i++)
        buffer_add_char(&made->data, bytes ? ((const char *)bytes)[i] : '\0');
    made_pad(&made->data, made->alignment ? made->alignment : 32);
}

#define MADE_DIMS(...)                                                                            \
    sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), ((const uint64_t[]){__VA_ARGS__})

/* The bytes of the file, and an empty struct again. */
static inline struct buffer made_file(struct made_gguf *made)
{
    struct buffer out = {0};

    buffer_add_text(&out, "GGUF");
    made_add(&out, made->version ? made->version : 3, 4);
    made_add(&out, made->n_tensors ? made->n_tensors : made->n_infos, 8);
    made_add(&out, made->n_values ? made->n_values : made->metadata.n_values, 8);
    buffer_add(&out, made->metadata.bytes.data, made->metadata.bytes.size);
    buffer_add(&out, made->infos.data, made->infos.size);
    made_pad(&out, made->alignment ? made->alignment : 32);
    buffer_add(&out, made->data.data, made->data.size);
    gguf_metadata_release(&made->metadata);
    buffer_release(&made->infos);
    buffer_release(&made->data);
    *made = (struct made_gguf){0};
    return out;
}

static inline void made_write(struct made_gguf *made, const char *name)
{
    struct buffer bytes = made_file(made);

    scratch_write(name, bytes.data, bytes.size);
    buffer_release(&bytes);
}

#endif
