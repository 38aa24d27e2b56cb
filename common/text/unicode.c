/* unicode.c - look-ups in the generated tables that are too long for the header. */
#include "unicode.h"

#include <string.h>

size_t unicode_ascii_prefix(const char *text, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        uint64_t eight;

        memcpy(&eight, text + i, 8);
        if (eight & 0x8080808080808080u)
            break;
    }
    while (i < n && (unsigned char)text[i] < 0x80)
        i++;
    return i;
}

size_t unicode_lower(uint32_t code_point, uint32_t out[3])
{
    int32_t to_lower = unicode_property(code_point)->to_lower;

    out[0] = (uint32_t)((int32_t)code_point + to_lower);
    if (to_lower)
        return 1;
    for (size_t i = 0; i < unicode_n_long_lower; i++) {
        const uint32_t *entry = unicode_long_lower[i];

        if (entry[0] == code_point) {
            memcpy(out, entry + 1, 3 * sizeof *out);
            return entry[3] ? 3 : 2;
        }
    }
    return 1;
}

size_t unicode_decomposition(uint32_t code_point, const uint32_t **mapping, bool *is_compatibility)
{
    unsigned block = unicode_mapping_stage_1[code_point >> 8];
    const uint32_t *entry =
        &unicode_mappings[unicode_mapping_stage_2[block << 8 | (code_point & 0xff)]];

    *mapping = entry + 1;
    *is_compatibility = entry[0] & 1;
    return entry[0] >> 1;
}

uint32_t unicode_compose(uint32_t first, uint32_t second)
{
    size_t low = 0, high = unicode_n_composites;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const uint32_t *entry = unicode_composites[middle];

        if (entry[0] == first && entry[1] == second)
            return entry[2];
        if (entry[0] < first || (entry[0] == first && entry[1] < second))
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
