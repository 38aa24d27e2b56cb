/* wire.h - the wire format of protocol buffers, as far as reading needs it.
 * Source: protobuf.dev/programming-guides/encoding. */
#ifndef COCKTAIL_WIRE_H
#define COCKTAIL_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct wire { /* a message */
    const unsigned char *bytes;
    size_t size, position;
};

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire_field {
    uint64_t number;
    enum wire_type type;
    uint64_t value;    /* of a varint or a fixed number */
    struct wire bytes; /* of a length-delimited field: a string or a message */
};

/* 1: a field; 0: the end; -1: malformed. */
int wire_next(struct wire *wire, struct wire_field *field);

#endif
