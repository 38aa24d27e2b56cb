#include "size_text.h"

#include <stdio.h>

const char *size_text(char text[SIZE_TEXT_MAX], size_t size_bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)size_bytes;
    size_t unit = 0;

    while (value >= 999.5) { /* what would be rounded to 1000 is 1.00 of the next */
        value /= 1000;
        unit++;
    }
    snprintf(text, SIZE_TEXT_MAX, "%.*f %s",
             unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, units[unit]);
    return text;
}
