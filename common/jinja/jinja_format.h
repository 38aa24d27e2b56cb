/* jinja_format.h - numbers and strings in a width, a precision, a base: what '%5.2f' and '{:>8,}'
 * have in common. */
#ifndef COCKTAIL_JINJA_FORMAT_H
#define COCKTAIL_JINJA_FORMAT_H

#include "base/buffer.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

struct jinja_format {
    uint32_t fill;        /* 0: a blank */
    char align;           /* < > ^ =, or 0 */
    char sign;            /* + - or a blank, or 0 */
    bool is_alternate, has_precision, is_zero; /* is_zero: 0 before the width and no alignment */
    char grouping;        /* , _ or 0 */
    char type;            /* 0: as the value wants it */
    size_t width, precision;
};

/* As format(value, spec) for numbers and strings; the type must fit. */
int jinja_add_formatted(struct jinja_heap *heap, struct buffer *out, struct jinja_value value,
                        const struct jinja_format *format);
/* Text of [size] in the width. */
int jinja_add_padded(struct jinja_heap *heap, struct buffer *out, const char *text, size_t size,
                     const struct jinja_format *format, char default_align);
/* "[[fill]align][sign][#][0][width][grouping][.precision][type]". */
int jinja_parse_format(struct jinja_heap *heap, const struct jinja_string *spec,
                       struct jinja_format *format);
/* format % values, values being a tuple, a dict, or one value. */
int jinja_printf(struct jinja_heap *heap, const struct jinja_string *format,
                 struct jinja_value values, struct jinja_value *out);

#endif
