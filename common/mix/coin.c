#include "coin.h"

#include "mix/blocks.h"

enum { LOW_BITS = 32 };

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

void coin_toss(const struct coin *coin, size_t first, size_t n, int32_t *out)
{
    while (n > 0) {
        uint64_t key = mix(coin->key + ((uint64_t)first >> LOW_BITS));
        uint64_t left = ((uint64_t)1 << LOW_BITS) - (uint32_t)first;
        size_t some = left < n ? (size_t)left : n;

        blocks_toss((uint32_t)first, (uint32_t)key, (uint32_t)(key >> LOW_BITS), some, out);
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
