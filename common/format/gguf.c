#include "gguf.h"

#include <assert.h>
#include <string.h>

static const unsigned char type_bytes[] = {
    [GGUF_U8] = 1,   [GGUF_I8] = 1,     [GGUF_U16] = 2,   [GGUF_I16] = 2, [GGUF_U32] = 4,
    [GGUF_I32] = 4,  [GGUF_F32] = 4,    [GGUF_BOOL] = 1,  [GGUF_STRING] = sizeof(uint64_t),
    [GGUF_ARRAY] = 0, [GGUF_U64] = 8,   [GGUF_I64] = 8,   [GGUF_F64] = 8,
};

size_t gguf_type_bytes(enum gguf_type type)
{
    return type_bytes[type];
}

const struct gguf_value *gguf_find(const struct gguf *gguf, const char *key)
{
    for (size_t i = 0; i < gguf->n_values; i++)
        if (strcmp(gguf->values[i].key, key) == 0)
            return &gguf->values[i];
    return NULL;
}

bool gguf_is_number(const struct gguf_value *value)
{
    return value->type != GGUF_STRING;
}

static uint64_t read_bits(const struct gguf_value *value, size_t i)
{
    size_t n = gguf_type_bytes(value->type);
    uint64_t bits = 0;

    memcpy(&bits, (const char *)value->items + i * n, n);
    return bits;
}

double gguf_number(const struct gguf_value *value, size_t i)
{
    uint64_t bits = read_bits(value, i);
    uint32_t half = (uint32_t)bits;
    float single;
    double number;

    assert(gguf_is_number(value) && i < value->n_items);
    switch (value->type) {
    case GGUF_I8: return (int8_t)bits;
    case GGUF_I16: return (int16_t)bits;
    case GGUF_I32: return (int32_t)bits;
    case GGUF_I64: return (double)(int64_t)bits;
    case GGUF_F32: memcpy(&single, &half, sizeof single); return single;
    case GGUF_F64: memcpy(&number, &bits, sizeof number); return number;
    default: return (double)bits;
    }
}

struct gguf_text gguf_text(const struct gguf_value *value, size_t i)
{
    assert(value->type == GGUF_STRING && i < value->n_items);
    return ((const struct gguf_text *)value->items)[i];
}
