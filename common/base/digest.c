#include "digest.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 64 };

static uint32_t rotate_left(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static uint32_t rotate_right(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static void read_words(const unsigned char *block, uint32_t words[16])
{
    memcpy(words, block, BLOCK);
    for (size_t i = 0; i < 16; i++)
        words[i] = be32toh(words[i]);
}

/* ---- SHA-1 ---- */

static void add_sha1_block(uint32_t state[8], const unsigned char *block)
{
    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t words[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

    read_words(block, words);
    for (size_t i = 16; i < 80; i++)
        words[i] = rotate_left(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    for (size_t i = 0; i < 80; i++) {
        uint32_t chosen = i < 20                ? (b & c) | (~b & d)
                          : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d)
                                                : b ^ c ^ d;
        uint32_t next = rotate_left(a, 5) + chosen + e + constants[i / 20] + words[i];

        e = d;
        d = c;
        c = rotate_left(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* ---- SHA-256 ---- */

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* One step: the eight letters are the state, which the caller turns by one place from step to
 * step instead of moving it. */
#define SHA256_STEP(a, b, c, d, e, f, g, h, i)                                                    \
    do {                                                                                          \
        h += (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +                   \
             (((f ^ g) & e) ^ g) + sha256_constants[i] + words[i];                                \
        d += h;                                                                                   \
        h += (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +                   \
             ((a & b) | ((a | b) & c));                                                           \
    } while (0)

static void add_sha256_block(uint32_t state[8], const unsigned char *block)
{
    uint32_t words[64], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4],
                        f = state[5], g = state[6], h = state[7];

    read_words(block, words);
    for (size_t i = 16; i < 64; i++) {
        uint32_t w = words[i - 15], v = words[i - 2];

        words[i] = words[i - 16] + words[i - 7] +
                   (rotate_right(w, 7) ^ rotate_right(w, 18) ^ w >> 3) +
                   (rotate_right(v, 17) ^ rotate_right(v, 19) ^ v >> 10);
    }
    for (size_t i = 0; i < 64; i += 8) {
        SHA256_STEP(a, b, c, d, e, f, g, h, i);
        SHA256_STEP(h, a, b, c, d, e, f, g, i + 1);
        SHA256_STEP(g, h, a, b, c, d, e, f, i + 2);
        SHA256_STEP(f, g, h, a, b, c, d, e, i + 3);
        SHA256_STEP(e, f, g, h, a, b, c, d, i + 4);
        SHA256_STEP(d, e, f, g, h, a, b, c, i + 5);
        SHA256_STEP(c, d, e, f, g, h, a, b, i + 6);
        SHA256_STEP(b, c, d, e, f, g, h, a, i + 7);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

/* ---- both ---- */

void digest_init(struct digest *digest, enum digest_kind kind)
{
    static const uint32_t starts[][8] = {
        [DIGEST_SHA1] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0},
        [DIGEST_SHA256] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                           0x1f83d9ab, 0x5be0cd19},
    };

    *digest = (struct digest){.kind = kind};
    memcpy(digest->state, starts[kind], sizeof digest->state);
}

static void add_block(struct digest *digest, const unsigned char *block)
{
    (digest->kind == DIGEST_SHA1 ? add_sha1_block : add_sha256_block)(digest->state, block);
}

void digest_add(struct digest *digest, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    size_t used = digest->n_bytes % BLOCK;

    digest->n_bytes += n;
    if (used) {
        size_t part = n < BLOCK - used ? n : BLOCK - used;

        memcpy(digest->block + used, at, part);
        if (used + part < BLOCK)
            return;
        add_block(digest, digest->block);
        at += part;
        n -= part;
    }
    for (; n >= BLOCK; at += BLOCK, n -= BLOCK)
        add_block(digest, at);
    if (n)
        memcpy(digest->block, at, n);
}

void digest_hex(struct digest *digest, char hex[DIGEST_HEX_MAX])
{
    uint64_t n_bits = htobe64(digest->n_bytes * 8);
    size_t n_padding = BLOCK - (digest->n_bytes + 8) % BLOCK;
    static const unsigned char padding[BLOCK] = {0x80};

    digest_add(digest, padding, n_padding);
    digest_add(digest, &n_bits, 8);
    for (size_t i = 0; i < (digest->kind == DIGEST_SHA1 ? 5 : 8); i++)
        snprintf(hex + 8 * i, 9, "%08x", digest->state[i]);
}
