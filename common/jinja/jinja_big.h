/* jinja_big.h - integers of any size, up to JINJA_DIGITS_MAX digits.
 *
 * Digits in base 10^9: they come from decimal text and go back to it, and little else is done. */
#ifndef COCKTAIL_JINJA_BIG_H
#define COCKTAIL_JINJA_BIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

struct jinja_big {
    bool is_negative;
    size_t n_limbs;
    uint32_t limbs[]; /* the lowest first, the highest not 0 */
};

/* From digits in a base from 2 to 36, without sign, prefix and underscores; all of them digits. */
int jinja_big_parse(struct jinja_heap *heap, const char *digits, size_t n, unsigned base,
                    bool is_negative, struct jinja_value *out);
/* A whole double. */
int jinja_big_from_double(struct jinja_heap *heap, double value, struct jinja_value *out);

/* Of two whole numbers (JINJA_BOOL, JINJA_INT, JINJA_BIG), the results as small as they are. */
int jinja_whole_add(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b,
                    struct jinja_value *out);
int jinja_whole_subtract(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b,
                         struct jinja_value *out);
int jinja_whole_multiply(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b,
                         struct jinja_value *out);
/* Python's // and %: the quotient rounded down, the rest with the sign of b. b is not 0. */
int jinja_whole_divide(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b,
                       struct jinja_value *quotient, struct jinja_value *rest);
int jinja_whole_negate(struct jinja_heap *heap, struct jinja_value a, struct jinja_value *out);
int jinja_whole_compare(struct jinja_value a, struct jinja_value b);
double jinja_whole_to_double(struct jinja_value a); /* infinite when it does not fit */
void jinja_whole_add_text(struct buffer *out, struct jinja_value a, unsigned base);

#endif
