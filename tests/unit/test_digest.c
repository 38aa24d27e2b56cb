/* SHA-1 and SHA-256, against the examples of FIPS 180-4 and against coreutils. */
#include "base/digest.h"

#include "base/digest_kernels.h"
#include "test.h"

static bool hashes_to(enum digest_kind kind, const char *text, size_t n, const char *expected)
{
    struct digest digest;
    char hex[DIGEST_HEX_MAX];

    digest_init(&digest, kind);
    digest_add(&digest, text, n);
    digest_hex(&digest, hex);
    return strcmp(hex, expected) == 0;
}

static void the_examples_of_the_standard(void)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

    CHECK(hashes_to(DIGEST_SHA1, "abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d"));
    CHECK(hashes_to(DIGEST_SHA1, two_blocks, 56, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"));
    CHECK(hashes_to(DIGEST_SHA1, "", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709"));
    CHECK(hashes_to(DIGEST_SHA256, "abc", 3,
                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    CHECK(hashes_to(DIGEST_SHA256, two_blocks, 56,
                    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
    CHECK(hashes_to(DIGEST_SHA256, "", 0,
                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

/* The pieces of every size end at every place in a block. */
static void pieces_do_not_matter(void)
{
    char bytes[1000];
    struct digest whole, pieces;
    char expected[DIGEST_HEX_MAX], hex[DIGEST_HEX_MAX];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * i);
    for (int kind = DIGEST_SHA1; kind <= DIGEST_SHA256; kind++)
        for (size_t n = 1; n <= 130; n++) {
            digest_init(&whole, (enum digest_kind)kind);
            digest_add(&whole, bytes, sizeof bytes - n);
            digest_hex(&whole, expected);
            digest_init(&pieces, (enum digest_kind)kind);
            for (size_t at = 0; at < sizeof bytes - n; at += n)
                digest_add(&pieces, bytes + at,
                           n < sizeof bytes - n - at ? n : sizeof bytes - n - at);
            digest_hex(&pieces, hex);
            CHECK(strcmp(hex, expected) == 0);
        }
}

static void plain_and_fast_agree(void)
{
    unsigned char bytes[16 * DIGEST_BLOCK];
    uint32_t plain[8], fast[8];

    if (!digest_has_sha256())
        return;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * i + i / 7);
    for (size_t i = 0; i < 8; i++)
        plain[i] = fast[i] = (uint32_t)(0x9e3779b9 * (i + 1));
    for (size_t n = 0; n <= 16; n++) {
        digest_sha256_plain(plain, bytes, n);
        digest_sha256_fast(fast, bytes, n);
        CHECK(memcmp(plain, fast, sizeof plain) == 0);
    }
}

/* python3 -c 'import hashlib; print(hashlib.sha256(b"a" * 1000000).hexdigest())' */
static void a_million_letters(void)
{
    char *text = malloc(1000000);

    if (!text)
        exit(1);
    memset(text, 'a', 1000000);
    CHECK(hashes_to(DIGEST_SHA1, text, 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"));
    CHECK(hashes_to(DIGEST_SHA256, text, 1000000,
                    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    free(text);
}

TESTS(TEST(the_examples_of_the_standard), TEST(pieces_do_not_matter), TEST(plain_and_fast_agree),
      TEST(a_million_letters))
