#include "jinja_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jinja/jinja_big.h"
#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"

/* ---- floats ---- */

static double floor_rest(double a, double b)
{
    double rest = fmod(a, b);

    if (rest != 0 && (rest < 0) != (b < 0))
        rest += b;
    return rest != 0 ? rest : copysign(0, b);
}

static double floor_quotient(double a, double b)
{
    double rest = fmod(a, b), quotient = (a - rest) / b, whole;

    if (rest != 0 && (rest < 0) != (b < 0))
        quotient -= 1;
    if (quotient == 0)
        return copysign(0, a / b);
    whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
}

static int power(struct jinja_heap *heap, double a, double b, struct jinja_value *out)
{
    double result;

    if (a == 0 && b < 0)
        return jinja_fail(heap, "0.0 cannot be raised to a negative power");
    if (a < 0 && isfinite(a) && isfinite(b) && b != floor(b))
        return jinja_fail(heap, "a negative number to a broken power is not real");
    result = pow(a, b);
    if (isinf(result) && isfinite(a) && isfinite(b))
        return jinja_fail(heap, "the result of '**' is too large for a float");
    *out = jinja_float(result);
    return 0;
}

static int calculate(struct jinja_heap *heap, enum jinja_operator operator, double a, double b,
                     struct jinja_value *out)
{
    if (b == 0 && (operator == JINJA_DIVIDE || operator == JINJA_FLOOR_DIVIDE ||
                   operator == JINJA_MODULO))
        return jinja_fail(heap, "division by zero");
    switch (operator) {
    case JINJA_ADD: *out = jinja_float(a + b); return 0;
    case JINJA_SUBTRACT: *out = jinja_float(a - b); return 0;
    case JINJA_MULTIPLY: *out = jinja_float(a * b); return 0;
    case JINJA_DIVIDE: *out = jinja_float(a / b); return 0;
    case JINJA_FLOOR_DIVIDE: *out = jinja_float(floor_quotient(a, b)); return 0;
    case JINJA_MODULO: *out = jinja_float(floor_rest(a, b)); return 0;
    default: return power(heap, a, b, out);
    }
}

/* ---- integers ---- */

static int whole_power(struct jinja_heap *heap, struct jinja_value base, struct jinja_value by,
                       struct jinja_value *out)
{
    struct jinja_value result = jinja_int(1);
    int64_t n;

    if (jinja_whole_compare(by, jinja_int(0)) < 0)
        return power(heap, jinja_to_double(base), jinja_to_double(by), out);
    if (!jinja_to_int64(by, &n)) {
        /* Only of -1, 0 and 1 there is such a power, and nobody asks for it. */
        return jinja_fail(heap, "an integer of more than %d digits", JINJA_DIGITS_MAX);
    }
    for (; n > 0; n >>= 1) {
        if ((n & 1) && jinja_whole_multiply(heap, result, base, &result))
            return -1;
        if (n > 1 && jinja_whole_multiply(heap, base, base, &base))
            return -1;
    }
    *out = result;
    return 0;
}

static int calculate_whole(struct jinja_heap *heap, enum jinja_operator operator,
                           struct jinja_value a, struct jinja_value b, struct jinja_value *out)
{
    struct jinja_value quotient, rest;

    switch (operator) {
    case JINJA_ADD: return jinja_whole_add(heap, a, b, out);
    case JINJA_SUBTRACT: return jinja_whole_subtract(heap, a, b, out);
    case JINJA_MULTIPLY: return jinja_whole_multiply(heap, a, b, out);
    case JINJA_POWER: return whole_power(heap, a, b, out);
    default: break;
    }
    if (jinja_whole_compare(b, jinja_int(0)) == 0)
        return jinja_fail(heap, "division by zero");
    if (jinja_whole_divide(heap, a, b, &quotient, &rest))
        return -1;
    *out = operator == JINJA_MODULO ? rest : quotient;
    return 0;
}

int jinja_arithmetic(struct jinja_heap *heap, enum jinja_operator operator, struct jinja_value a,
                     struct jinja_value b, struct jinja_value *out)
{
    double x, y;

    if (operator != JINJA_DIVIDE && jinja_is_whole(a) && jinja_is_whole(b))
        return calculate_whole(heap, operator, a, b, out);
    x = jinja_to_double(a);
    y = jinja_to_double(b);
    if ((jinja_is_whole(a) && isinf(x)) || (jinja_is_whole(b) && isinf(y)))
        return jinja_fail(heap, "an integer is too large for a float");
    return calculate(heap, operator, x, y, out);
}

int jinja_truncate(struct jinja_heap *heap, double number, struct jinja_value *out)
{
    if (!isfinite(number))
        return jinja_fail(heap, "a number that is not finite has no integer");
    return jinja_big_from_double(heap, trunc(number), out);
}

/* The nearest number with so many digits behind the point (or before it). Decimal text is exact. */
static int round_float(struct jinja_heap *heap, double number, int64_t precision,
                       struct jinja_value *out)
{
    char text[800];

    if (!isfinite(number) || precision > 323) {
        *out = jinja_float(number);
        return 0;
    }
    if (precision < -308) {
        *out = jinja_float(copysign(0, number));
        return 0;
    }
    if (precision >= 0) {
        snprintf(text, sizeof text, "%.*f", (int)precision, number);
    } else {
        /* to the digits that are left in front of those that go */
        double scale = pow(10, (double)-precision), quotient = number / scale;

        snprintf(text, sizeof text, "%.0fe%lld", nearbyint(quotient), (long long)-precision);
    }
    *out = jinja_float(strtod(text, NULL));
    return isfinite(out->number) ? 0 : jinja_fail(heap, "the rounded number is too large");
}

static int round_whole(struct jinja_heap *heap, struct jinja_value number, int64_t precision,
                       struct jinja_value *out)
{
    struct jinja_value unit, half, quotient, rest, twice, two = jinja_int(2), is_odd;
    int order;

    *out = number.kind == JINJA_BOOL ? jinja_int(number.boolean) : number;
    if (precision >= 0)
        return 0;
    if (precision < -JINJA_DIGITS_MAX) {
        *out = jinja_int(0);
        return 0;
    }
    if (whole_power(heap, jinja_int(10), jinja_int(-precision), &unit) ||
        jinja_whole_divide(heap, *out, unit, &quotient, &rest) ||
        jinja_whole_multiply(heap, rest, two, &twice))
        return -1;
    order = jinja_whole_compare(twice, unit);
    if (jinja_whole_divide(heap, quotient, two, &half, &is_odd))
        return -1;
    if ((order > 0 || (order == 0 && jinja_truth(is_odd))) &&
        jinja_whole_add(heap, quotient, jinja_int(1), &quotient))
        return -1;
    return jinja_whole_multiply(heap, quotient, unit, out);
}

int jinja_round(struct jinja_heap *heap, struct jinja_value number, int64_t precision,
                struct jinja_value *out)
{
    return number.kind == JINJA_FLOAT ? round_float(heap, number.number, precision, out)
                                      : round_whole(heap, number, precision, out);
}

/* ---- text ---- */

/* The text without white space around it. */
static void trim(const struct jinja_string *text, const char **start, size_t *size)
{
    size_t at = 0, end = text->size;
    uint32_t code;

    while (at < end) {
        size_t n = jinja_decode(text->bytes, at, &code);

        if (!jinja_is_space(code))
            break;
        at += n;
    }
    while (end > at) {
        size_t before = jinja_previous(text->bytes, end);

        jinja_decode(text->bytes, before, &code);
        if (!jinja_is_space(code))
            break;
        end = before;
    }
    *start = text->bytes + at;
    *size = end - at;
}

/* Copies text without the underscores between digits; false when one stands elsewhere. */
static bool strip_underscores(const char *text, size_t size, char *out, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '_') {
            out[(*n)++] = text[i];
            continue;
        }
        if (i == 0 || i + 1 == size || text[i - 1] == '_' || text[i + 1] == '_')
            return false;
    }
    out[*n] = '\0';
    return true;
}

static unsigned base_of_prefix(const char *text, size_t size)
{
    char mark = size > 2 && text[0] == '0' ? (char)(text[1] | 0x20) : '\0';

    return mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
}

static bool are_digits(const char *text, size_t size, unsigned base)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i], lower = (char)(c | 0x20);
        unsigned value = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                       : lower >= 'a' && lower <= 'z' ? (unsigned)(lower - 'a') + 10 : 99;

        if (value >= base)
            return false;
    }
    return size > 0;
}

int jinja_parse_int(struct jinja_heap *heap, const struct jinja_string *text, unsigned base,
                    struct jinja_value *out)
{
    const char *start;
    bool is_negative;
    unsigned prefix;
    size_t size;
    char *digits;

    trim(text, &start, &size);
    is_negative = size > 0 && *start == '-';
    if (size > 0 && (*start == '-' || *start == '+')) {
        start++;
        size--;
    }
    prefix = base_of_prefix(start, size);
    if (prefix && (base == 0 || base == prefix)) {
        start += 2;
        size -= 2;
        base = prefix;
        if (*start == '_') { /* allowed behind a prefix */
            start++;
            size--;
        }
    } else if (base == 0) {
        base = 10;
        if (size > 1 && *start == '0' && strspn(start, "0_") < size)
            return 0;
    }
    if (jinja_spend(heap, size / 16))
        return -1;
    digits = jinja_alloc(heap, size + 1, 1);
    if (!digits)
        return -1;
    if (!strip_underscores(start, size, digits, &size) || !are_digits(digits, size, base))
        return 0;
    return jinja_big_parse(heap, digits, size, base, is_negative, out) ? -1 : 1;
}

bool jinja_parse_float(const struct jinja_string *text, double *out)
{
    static const char *const words[] = {"inf", "infinity", "nan"};
    char digits[512], *end;
    const char *start;
    size_t size, n, sign;

    trim(text, &start, &size);
    if (size == 0 || size >= sizeof digits || !strip_underscores(start, size, digits, &n))
        return false;
    sign = digits[0] == '-' || digits[0] == '+';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(digits + sign, words[i]) == 0) {
            *out = strtod(digits, NULL);
            return true;
        }
    if (strspn(digits + sign, "0123456789.eE+-") != n - sign || memchr(digits, '\0', n))
        return false;
    *out = strtod(digits, &end);
    return *end == '\0' && end > digits;
}
