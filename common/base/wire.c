#include "wire.h"

static int read_varint(struct wire *wire, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && wire->position < wire->size; shift += 7) {
        unsigned char byte = wire->bytes[wire->position++];

        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return 0;
    }
    return -1;
}

static int read_fixed(struct wire *wire, size_t n, uint64_t *value)
{
    if (n > wire->size - wire->position)
        return -1;
    *value = 0;
    for (size_t i = n; i > 0; i--)
        *value = *value << 8 | wire->bytes[wire->position + i - 1];
    wire->position += n;
    return 0;
}

int wire_next(struct wire *wire, struct wire_field *field)
{
    uint64_t tag, length;

    *field = (struct wire_field){0};
    if (wire->position == wire->size)
        return 0;
    if (read_varint(wire, &tag))
        return -1;
    field->number = tag >> 3;
    if (field->number == 0)
        return -1;
    field->type = (enum wire_type)(tag & 7);
    switch (field->type) {
    case WIRE_VARINT: return read_varint(wire, &field->value) ? -1 : 1;
    case WIRE_FIXED64: return read_fixed(wire, 8, &field->value) ? -1 : 1;
    case WIRE_FIXED32: return read_fixed(wire, 4, &field->value) ? -1 : 1;
    case WIRE_BYTES:
        if (read_varint(wire, &length) || length > wire->size - wire->position)
            return -1;
        field->bytes = (struct wire){wire->bytes + wire->position, length, 0};
        wire->position += length;
        return 1;
    default: return -1;
    }
}
