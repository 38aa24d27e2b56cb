#include "random.h"

#include <assert.h>
#include <math.h>

/* splitmix64: spreads a seed, also 0 or 1, over all bits. */
static uint64_t spread(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static uint64_t rotate_left(uint64_t x, unsigned n_bits)
{
    return x << n_bits | x >> (64 - n_bits);
}

void random_init(struct random *random, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++)
        random->state[i] = spread(&seed);
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state, result = rotate_left(s[1] * 5, 7) * 9, shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double random_uniform(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

double random_uniform_at(uint64_t seed, uint64_t stream, uint64_t at)
{
    uint64_t state = seed;

    state = spread(&state) ^ stream;
    state = spread(&state) ^ at;
    return (double)(spread(&state) >> 11) * 0x1p-53;
}

double random_normal_at(uint64_t seed, uint64_t stream, uint64_t at)
{
    static const double turn = 6.283185307179586;
    /* Box and Muller; 1 - u is never 0. */
    double u = random_uniform_at(seed, stream, 2 * at);
    double v = random_uniform_at(seed, stream, 2 * at + 1);

    return sqrt(-2 * log(1 - u)) * cos(turn * v);
}

size_t random_below(struct random *random, size_t n)
{
    /* 2^64 mod n: so many of the lowest values are drawn again, and what is left is a multiple
     * of n. */
    uint64_t n_uneven = (0 - (uint64_t)n) % n, bits;

    assert(n > 0);
    do
        bits = random_next(random);
    while (bits < n_uneven);
    return (size_t)(bits % n);
}
