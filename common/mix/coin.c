#include "coin.h"

enum { LOW_BITS = 32, STEP = 64 };

static uint64_t mix(uint64_t z)
{
    z += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

struct coin coin_of(uint64_t seed, const char *tensor, size_t input)
{
    uint64_t key = mix(seed);

    for (const char *c = tensor; *c; c++)
        key = mix(key ^ (unsigned char)*c);
    return (struct coin){mix(key ^ (uint64_t)input)};
}

static inline uint32_t draw(uint32_t x, uint32_t first, uint32_t second)
{
    x ^= first;
    x ^= x >> 17;
    x *= 0xed5ad4bb;
    x ^= x >> 11;
    x += second;
    x *= 0xac4c1b51;
    x ^= x >> 15;
    x *= 0x31848bab;
    return x ^ x >> 14;
}

/* Within one block of 2^32 items. */
static void toss_some(uint64_t key, uint32_t first, size_t n, int32_t *restrict out)
{
    uint32_t one = (uint32_t)key, other = (uint32_t)(key >> 32);
    size_t i = 0;

    for (; n - i >= STEP; i += STEP)
        for (size_t k = 0; k < STEP; k++)
            out[i + k] = (int32_t)(draw(first + (uint32_t)(i + k), one, other) >> 1);
    for (; i < n; i++)
        out[i] = (int32_t)(draw(first + (uint32_t)i, one, other) >> 1);
}

void coin_toss(const struct coin *coin, size_t first, size_t n, int32_t *out)
{
    while (n > 0) {
        uint64_t block = (uint64_t)first >> LOW_BITS;
        uint64_t left = ((uint64_t)1 << LOW_BITS) - (uint32_t)first;
        size_t some = left < n ? (size_t)left : n;

        toss_some(mix(coin->key + block), (uint32_t)first, some, out);
        first += some;
        out += some;
        n -= some;
    }
}

int32_t coin_limit(double probability)
{
    double limit = probability * 0x1p31;

    return limit >= 0x1p31 - 1 ? INT32_MAX : limit <= 0 ? 0 : (int32_t)limit;
}
