/* digest_kernels.h - SHA-256 of whole blocks: in plain C, and with the processor's own instructions. */
#ifndef COCKTAIL_DIGEST_KERNELS_H
#define COCKTAIL_DIGEST_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BLOCK = 64 };

/* Both add n_blocks blocks of DIGEST_BLOCK bytes to the state. */
void digest_sha256_plain(uint32_t state[8], const unsigned char *bytes, size_t n_blocks);
void digest_sha256_fast(uint32_t state[8], const unsigned char *bytes, size_t n_blocks);
/* Whether the second may be called. */
bool digest_has_sha256(void);

/* Of the steps: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
extern const uint32_t digest_sha256_constants[64];

#endif
