#include "digits.h"

#include <math.h>
#include <stdint.h>

const char *digits_read(const char *text, size_t *value)
{
    const char *at = text;

    *value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (size_t)(*at - '0'), value))
            return NULL;
    return at > text ? at : NULL;
}

bool digits_read_all(const char *text, size_t *value)
{
    const char *end = digits_read(text, value);

    return end && *end == '\0';
}

void digits_add(struct buffer *out, size_t value)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    buffer_add(out, digits + at, sizeof digits - at);
}

/* ---- floats ---- */

enum { SHOWN_DIGITS = 9, ONE_BILLION = 1000000000 };

static uint64_t power_of_ten(int n)
{
    uint64_t power = 1;

    while (n-- > 0)
        power *= 10;
    return power;
}

/* value 10^shift, 0 <= shift <= 12, as a whole number; of two that are equally near the even one. A
 * float is a whole number of 24 bits times 2^e, so that nothing overflows and nothing is lost. */
static uint64_t scale_exactly(float value, int shift)
{
    int exponent;
    uint64_t product = (uint64_t)ldexpf(frexpf(value, &exponent), 24) * power_of_ten(shift);
    uint64_t whole, rest, half;

    exponent -= 24;
    if (exponent >= 0)
        return product << exponent;
    whole = product >> -exponent;
    rest = product - (whole << -exponent);
    half = (uint64_t)1 << (-exponent - 1);
    return whole + (rest > half || (rest == half && whole % 2));
}

/* Of its first digit; 1e-4 <= value < 1e9. No float lies between a power of ten and the double that is
 * nearest to it. */
static int first_power(float value)
{
    static const double powers[] = {1e-4, 1e-3, 1e-2, 1e-1, 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    int i = sizeof powers / sizeof *powers - 1;

    while ((double)value < powers[i])
        i--;
    return i - 4;
}

/* Zeros in front of the first digit, up to the point. */
static size_t lay_out(const char *digits, int n_digits, int power, char *text)
{
    size_t n = 0;

    for (int i = power < 0 ? power : 0; i < n_digits; i++) {
        if (i == power + 1)
            text[n++] = '.';
        text[n++] = i < 0 ? '0' : digits[i];
    }
    return n;
}

void digits_add_float(struct buffer *out, float value)
{
    float size = fabsf(value);
    char text[32] = "-", digits[SHOWN_DIGITS];
    size_t n = signbit(value) ? 1 : 0;
    int n_digits = SHOWN_DIGITS, power;
    uint64_t number;

    if (!((double)size >= 1e-4 && (double)size < 1e9)) {
        buffer_format(out, "%.9g", (double)value);
        return;
    }
    power = first_power(size);
    number = scale_exactly(size, SHOWN_DIGITS - 1 - power);
    if (number == ONE_BILLION) { /* rounded up to the next power */
        number /= 10;
        power++;
    }
    for (int i = SHOWN_DIGITS; i-- > 0; number /= 10)
        digits[i] = (char)('0' + number % 10);
    while (n_digits > 1 && n_digits > power + 1 && digits[n_digits - 1] == '0')
        n_digits--;
    buffer_add(out, text, n + lay_out(digits, n_digits, power, text + n));
}
