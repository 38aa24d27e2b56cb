#include "digest.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "base/digest_kernels.h"

enum { BLOCK = DIGEST_BLOCK };

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

const uint32_t digest_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* One step. The eight letters are the state, which the caller turns by one place from step to step
 * instead of moving it. */
static inline void step(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e, uint32_t f,
                        uint32_t g, uint32_t *h, uint32_t word)
{
    uint32_t sum = *h + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
                   (((f ^ g) & e) ^ g) + word;

    *d += sum;
    *h = sum + (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
         ((a & b) | ((a | b) & c));
}

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
    for (size_t i = 0; i < 64; i++)
        words[i] += digest_sha256_constants[i];
    for (size_t i = 0; i < 64; i += 8) {
        step(a, b, c, &d, e, f, g, &h, words[i]);
        step(h, a, b, &c, d, e, f, &g, words[i + 1]);
        step(g, h, a, &b, c, d, e, &f, words[i + 2]);
        step(f, g, h, &a, b, c, d, &e, words[i + 3]);
        step(e, f, g, &h, a, b, c, &d, words[i + 4]);
        step(d, e, f, &g, h, a, b, &c, words[i + 5]);
        step(c, d, e, &f, g, h, a, &b, words[i + 6]);
        step(b, c, d, &e, f, g, h, &a, words[i + 7]);
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

void digest_sha256_plain(uint32_t state[8], const unsigned char *bytes, size_t n_blocks)
{
    for (; n_blocks > 0; n_blocks--, bytes += BLOCK)
        add_sha256_block(state, bytes);
}

/* ---- both ---- */

void digest_init(struct digest *digest, enum digest_kind kind)
{
    static const uint32_t starts[][8] = {
        [DIGEST_SHA1] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0},
        [DIGEST_SHA256] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                           0x1f83d9ab, 0x5be0cd19},
    };

    *digest = (struct digest){.kind = kind, .is_fast = digest_has_sha256()};
    memcpy(digest->state, starts[kind], sizeof digest->state);
}

static void add_blocks(struct digest *digest, const unsigned char *bytes, size_t n_blocks)
{
    if (digest->kind == DIGEST_SHA1)
        for (; n_blocks > 0; n_blocks--, bytes += BLOCK)
            add_sha1_block(digest->state, bytes);
    else if (digest->is_fast)
        digest_sha256_fast(digest->state, bytes, n_blocks);
    else
        digest_sha256_plain(digest->state, bytes, n_blocks);
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
        add_blocks(digest, digest->block, 1);
        at += part;
        n -= part;
    }
    add_blocks(digest, at, n / BLOCK);
    if (n % BLOCK)
        memcpy(digest->block, at + n / BLOCK * BLOCK, n % BLOCK);
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
