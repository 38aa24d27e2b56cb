#include "jinja_big.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BASE = 1000000000, BASE_DIGITS = 9, LIMBS_MAX = JINJA_DIGITS_MAX / BASE_DIGITS + 2 };

/* A number while it is worked on: two of the longest, multiplied, fit. */
struct number {
    bool is_negative;
    size_t n;
    uint32_t limbs[2 * LIMBS_MAX + 2];
};

static void trim(struct number *a)
{
    while (a->n > 0 && a->limbs[a->n - 1] == 0)
        a->n--;
    if (a->n == 0)
        a->is_negative = false;
}

static void load(struct jinja_value value, struct number *out)
{
    uint64_t rest;

    out->n = 0;
    if (value.kind == JINJA_BIG) {
        out->is_negative = value.big->is_negative;
        out->n = value.big->n_limbs;
        memcpy(out->limbs, value.big->limbs, out->n * sizeof *out->limbs);
        return;
    }
    if (value.kind == JINJA_BOOL)
        value.integer = value.boolean;
    out->is_negative = value.integer < 0;
    rest = out->is_negative ? 0 - (uint64_t)value.integer : (uint64_t)value.integer;
    for (; rest > 0; rest /= BASE)
        out->limbs[out->n++] = (uint32_t)(rest % BASE);
}

static bool fits_int64(const struct number *a, int64_t *out)
{
    uint64_t value = 0;

    if (a->n > 3)
        return false;
    for (size_t i = a->n; i-- > 0;)
        if (__builtin_mul_overflow(value, (uint64_t)BASE, &value) ||
            __builtin_add_overflow(value, (uint64_t)a->limbs[i], &value))
            return false;
    if (value > (uint64_t)INT64_MAX + a->is_negative)
        return false;
    *out = a->is_negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static size_t n_digits(const struct number *a)
{
    size_t n = a->n ? (a->n - 1) * BASE_DIGITS : 0;

    for (uint32_t top = a->n ? a->limbs[a->n - 1] : 0; top > 0; top /= 10)
        n++;
    return n;
}

static int store(struct jinja_heap *heap, struct number *a, struct jinja_value *out)
{
    struct jinja_big *big;
    int64_t small;

    trim(a);
    if (fits_int64(a, &small)) {
        *out = jinja_int(small);
        return 0;
    }
    if (n_digits(a) > JINJA_DIGITS_MAX)
        return jinja_fail(heap, "an integer of more than %d digits", JINJA_DIGITS_MAX);
    big = jinja_alloc(heap, 1, sizeof *big + a->n * sizeof *big->limbs);
    if (!big)
        return -1;
    big->is_negative = a->is_negative;
    big->n_limbs = a->n;
    memcpy(big->limbs, a->limbs, a->n * sizeof *big->limbs);
    *out = (struct jinja_value){.kind = JINJA_BIG, .big = big};
    return jinja_spend(heap, a->n / 8);
}

/* a * factor + addend, in place; false when it grows beyond what may be stored. */
static bool scale(struct number *a, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;

    for (size_t i = 0; i < a->n; i++) {
        carry += (uint64_t)a->limbs[i] * factor;
        a->limbs[i] = (uint32_t)(carry % BASE);
        carry /= BASE;
    }
    if (carry > 0) {
        if (a->n >= LIMBS_MAX)
            return false;
        a->limbs[a->n++] = (uint32_t)carry;
    }
    return true;
}

static unsigned digit_value(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

int jinja_big_parse(struct jinja_heap *heap, const char *digits, size_t n, unsigned base,
                    bool is_negative, struct jinja_value *out)
{
    struct number a = {.n = 0};

    for (size_t i = 0; i < n; i++)
        if (!scale(&a, base, digit_value(digits[i])))
            return jinja_fail(heap, "an integer of more than %d digits", JINJA_DIGITS_MAX);
    a.is_negative = is_negative;
    return jinja_spend(heap, n / 8 * a.n / 8) ? -1 : store(heap, &a, out);
}

int jinja_big_from_double(struct jinja_heap *heap, double value, struct jinja_value *out)
{
    char digits[400];
    int n = snprintf(digits, sizeof digits, "%.0f", fabs(value));

    return jinja_big_parse(heap, digits, (size_t)n, 10, value < 0, out);
}

static int compare_size(const struct number *a, const struct number *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (size_t i = a->n; i-- > 0;)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

static void add_size(const struct number *a, const struct number *b, struct number *out)
{
    size_t n = a->n > b->n ? a->n : b->n;
    uint32_t carry = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t sum = carry + (i < a->n ? a->limbs[i] : 0) + (i < b->n ? b->limbs[i] : 0);

        carry = sum >= BASE;
        out->limbs[i] = carry ? sum - BASE : sum;
    }
    out->n = n;
    if (carry)
        out->limbs[out->n++] = 1;
}

/* a is not the smaller. */
static void subtract_size(const struct number *a, const struct number *b, struct number *out)
{
    int64_t borrow = 0;

    for (size_t i = 0; i < a->n; i++) {
        int64_t rest = (int64_t)a->limbs[i] - (i < b->n ? b->limbs[i] : 0) - borrow;

        borrow = rest < 0;
        out->limbs[i] = (uint32_t)(borrow ? rest + BASE : rest);
    }
    out->n = a->n;
}

static int add(struct jinja_heap *heap, struct number *a, struct number *b,
               struct jinja_value *out)
{
    struct number sum = {.n = 0};

    if (a->is_negative == b->is_negative) {
        add_size(a, b, &sum);
        sum.is_negative = a->is_negative;
    } else if (compare_size(a, b) >= 0) {
        subtract_size(a, b, &sum);
        sum.is_negative = a->is_negative;
    } else {
        subtract_size(b, a, &sum);
        sum.is_negative = b->is_negative;
    }
    return store(heap, &sum, out);
}

int jinja_whole_add(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b,
                    struct jinja_value *out)
{
    struct number x, y;
    int64_t left, right, sum;

    if (jinja_to_int64(a, &left) && jinja_to_int64(b, &right) &&
        !__builtin_add_overflow(left, right, &sum)) {
        *out = jinja_int(sum);
        return 0;
    }
    load(a, &x);
    load(b, &y);
    return add(heap, &x, &y, out);
}

int jinja_whole_subtract(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b,
                         struct jinja_value *out)
{
    struct number x, y;
    int64_t left, right, rest;

    if (jinja_to_int64(a, &left) && jinja_to_int64(b, &right) &&
        !__builtin_sub_overflow(left, right, &rest)) {
        *out = jinja_int(rest);
        return 0;
    }
    load(a, &x);
    load(b, &y);
    y.is_negative = !y.is_negative;
    return add(heap, &x, &y, out);
}

int jinja_whole_multiply(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b,
                         struct jinja_value *out)
{
    struct number x, y, product = {.n = 0};
    int64_t left, right, small;

    if (jinja_to_int64(a, &left) && jinja_to_int64(b, &right) &&
        !__builtin_mul_overflow(left, right, &small)) {
        *out = jinja_int(small);
        return 0;
    }
    load(a, &x);
    load(b, &y);
    if (jinja_spend(heap, x.n * y.n / 4))
        return -1;
    product.n = x.n + y.n;
    for (size_t i = 0; i < x.n; i++) {
        uint64_t carry = 0;

        for (size_t k = 0; k < y.n; k++) {
            carry += (uint64_t)x.limbs[i] * y.limbs[k] + product.limbs[i + k];
            product.limbs[i + k] = (uint32_t)(carry % BASE);
            carry /= BASE;
        }
        product.limbs[i + y.n] = (uint32_t)carry;
    }
    product.is_negative = x.is_negative != y.is_negative;
    return store(heap, &product, out);
}

/* rest -= b * factor, where that is possible. */
static void subtract_scaled(struct number *rest, const struct number *b, uint32_t factor)
{
    uint64_t carry = 0;
    int64_t borrow = 0;

    for (size_t i = 0; i < rest->n; i++) {
        int64_t left;

        carry += i < b->n ? (uint64_t)b->limbs[i] * factor : 0;
        left = (int64_t)rest->limbs[i] - (int64_t)(carry % BASE) - borrow;
        carry /= BASE;
        borrow = left < 0;
        rest->limbs[i] = (uint32_t)(borrow ? left + BASE : left);
    }
    trim(rest);
}

/* Whether b * factor is at most rest. */
static bool goes_into(const struct number *b, uint32_t factor, const struct number *rest)
{
    struct number product = *b;

    if (!scale(&product, factor, 0))
        return false;
    trim(&product);
    return compare_size(&product, rest) <= 0;
}

/* The highest limbs of a as a double, counted from limb `top`. */
static double leading(const struct number *a, size_t top)
{
    double value = 0;

    for (size_t i = 0; i < 3; i++)
        value = value * BASE + (top >= i && top - i < a->n ? a->limbs[top - i] : 0);
    return value;
}

/* Schoolbook division: each limb is estimated from the leading ones, and corrected. */
static void divide_size(const struct number *a, const struct number *b, struct number *quotient,
                        struct number *rest)
{
    double divisor = leading(b, b->n - 1);

    quotient->n = a->n;
    rest->n = 0;
    for (size_t i = a->n; i-- > 0;) {
        uint32_t factor = 0;

        memmove(rest->limbs + 1, rest->limbs, rest->n * sizeof *rest->limbs);
        rest->limbs[0] = a->limbs[i];
        rest->n++;
        trim(rest);
        if (compare_size(rest, b) >= 0) {
            double estimate = leading(rest, rest->n - 1) / divisor * (rest->n > b->n ? BASE : 1);

            factor = estimate >= BASE ? BASE - 1 : (uint32_t)estimate;
            while (factor < BASE - 1 && goes_into(b, factor + 1, rest))
                factor++;
            while (factor > 0 && !goes_into(b, factor, rest))
                factor--;
            subtract_scaled(rest, b, factor);
        }
        quotient->limbs[i] = factor;
    }
    trim(quotient);
}

static int divide_small(int64_t left, int64_t right, struct jinja_value *quotient,
                        struct jinja_value *rest)
{
    int64_t down = left / right, over = left % right;

    if (over != 0 && (over < 0) != (right < 0)) {
        down--;
        over += right;
    }
    *quotient = jinja_int(down);
    *rest = jinja_int(over);
    return 0;
}

int jinja_whole_divide(struct jinja_heap *heap, struct jinja_value a, struct jinja_value b,
                       struct jinja_value *quotient, struct jinja_value *rest)
{
    struct number x, y, down = {.n = 0}, over = {.n = 0};
    int64_t left, right;

    if (jinja_to_int64(a, &left) && jinja_to_int64(b, &right) &&
        !(left == INT64_MIN && right == -1))
        return divide_small(left, right, quotient, rest);
    load(a, &x);
    load(b, &y);
    if (jinja_spend(heap, x.n * y.n + 1))
        return -1;
    divide_size(&x, &y, &down, &over);
    down.is_negative = x.is_negative != y.is_negative;
    over.is_negative = x.is_negative;
    trim(&over);
    if (store(heap, &down, quotient) || store(heap, &over, rest))
        return -1;
    if (over.n == 0 || x.is_negative == y.is_negative)
        return 0;
    return jinja_whole_subtract(heap, *quotient, jinja_int(1), quotient)
               ? -1 : jinja_whole_add(heap, *rest, b, rest);
}

int jinja_whole_negate(struct jinja_heap *heap, struct jinja_value a, struct jinja_value *out)
{
    return jinja_whole_subtract(heap, jinja_int(0), a, out);
}

int jinja_whole_compare(struct jinja_value a, struct jinja_value b)
{
    struct number x, y;
    int64_t left, right;

    if (jinja_to_int64(a, &left) && jinja_to_int64(b, &right))
        return (left > right) - (left < right);
    load(a, &x);
    load(b, &y);
    if (x.is_negative != y.is_negative)
        return x.is_negative ? -1 : 1;
    return x.is_negative ? -compare_size(&x, &y) : compare_size(&x, &y);
}

double jinja_whole_to_double(struct jinja_value a)
{
    struct buffer text = {0};
    int64_t small;
    double value;

    if (jinja_to_int64(a, &small))
        return (double)small;
    if (a.kind != JINJA_BIG)
        return NAN;
    jinja_whole_add_text(&text, a, 10);
    value = strtod(text.data, NULL); /* rounds once, to nearest */
    buffer_release(&text);
    return value;
}

static uint32_t divide_in_place(struct number *a, uint32_t divisor)
{
    uint64_t rest = 0;

    for (size_t i = a->n; i-- > 0;) {
        rest = rest * BASE + a->limbs[i];
        a->limbs[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    trim(a);
    return (uint32_t)rest;
}

void jinja_whole_add_text(struct buffer *out, struct jinja_value a, unsigned base)
{
    char digits[LIMBS_MAX * 30 + 2]; /* of base 2 */
    size_t n = 0;
    struct number x;

    load(a, &x);
    if (x.is_negative)
        buffer_add_char(out, '-');
    x.is_negative = false;
    do
        digits[n++] = "0123456789abcdefghijklmnopqrstuvwxyz"[divide_in_place(&x, base)];
    while (x.n > 0);
    while (n > 0)
        buffer_add_char(out, digits[--n]);
}
