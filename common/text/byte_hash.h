/* byte_hash.h - hashing of short byte strings, inline because it is done for every word of a text.
 *
 * Strangers write both the vocabularies and the texts: tables mix in a random seed, so that nobody
 * can prepare collisions. */
#ifndef COCKTAIL_BYTE_HASH_H
#define COCKTAIL_BYTE_HASH_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

uint64_t byte_hash_seed(void); /* random, never 0 */

static inline uint64_t byte_hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t byte_hash_load8(const char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, 8);
    return le64toh(word);
}

/* bytes[n] with n < 8 as one little-endian number. Loads that overlap take the place of a loop. */
static inline uint64_t byte_hash_load(const char *bytes, size_t n)
{
    if (n >= 4) {
        uint32_t low, high;

        memcpy(&low, bytes, 4);
        memcpy(&high, bytes + n - 4, 4);
        return le32toh(low) | (uint64_t)le32toh(high) << (8 * (n - 4));
    }
    if (n >= 2) {
        uint16_t low, high;

        memcpy(&low, bytes, 2);
        memcpy(&high, bytes + n - 2, 2);
        return le16toh(low) | (uint64_t)le16toh(high) << (8 * (n - 2));
    }
    return n ? (unsigned char)bytes[0] : 0;
}

static inline uint64_t byte_hash(uint64_t seed, const char *bytes, size_t n)
{
    uint64_t hash = seed ^ (n * 0x9e3779b97f4a7c15u);

    for (; n >= 8; bytes += 8, n -= 8)
        hash = byte_hash_mix(hash ^ byte_hash_load8(bytes), 0xd6e8feb86659fd93u);
    return byte_hash_mix(hash ^ byte_hash_load(bytes, n) ^ 0xa0761d6478bd642fu,
                         seed ^ 0xe7037ed1a0b428dbu);
}

#endif
