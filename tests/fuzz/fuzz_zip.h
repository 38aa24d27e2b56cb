/* fuzz_zip.h - for the fuzz targets that read zip archives. */
#ifndef COCKTAIL_FUZZ_ZIP_H
#define COCKTAIL_FUZZ_ZIP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* "Unknown" in every entry of a zip: no change of a pickle would get past its CRC. */
static inline void zip_clear_crcs(uint8_t *bytes, size_t size)
{
    enum { CRC_AT = 16, CRC_BYTES = 4 };

    for (size_t i = 0; i + CRC_AT + CRC_BYTES <= size; i++)
        if (memcmp(bytes + i, "PK\1\2", 4) == 0)
            memset(bytes + i + CRC_AT, 0, CRC_BYTES);
}

#endif
