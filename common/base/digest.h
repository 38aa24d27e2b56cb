/* digest.h - SHA-256 and SHA-1 of bytes that come in pieces (FIPS 180-4).
 *
 * The Hub names files by them. SHA-1 is what git has; neither is used to keep a secret. */
#ifndef COCKTAIL_DIGEST_H
#define COCKTAIL_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum digest_kind { DIGEST_SHA1, DIGEST_SHA256 };
enum { DIGEST_HEX_MAX = 65 }; /* of SHA-256, with its NUL */

struct digest {
    enum digest_kind kind;
    bool is_fast; /* the processor has instructions for SHA-256 */
    uint32_t state[8];
    uint64_t n_bytes;
    unsigned char block[64];
};

void digest_init(struct digest *digest, enum digest_kind kind);
void digest_add(struct digest *digest, const void *bytes, size_t n);
/* Lower-case hexadecimal. The digest must be begun anew after it. */
void digest_hex(struct digest *digest, char hex[DIGEST_HEX_MAX]);

#endif
