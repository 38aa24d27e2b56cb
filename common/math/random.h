/* random.h - numbers that look random and are the same everywhere: xoshiro256** by Blackman and
 * Vigna, seeded through splitmix64. */
#ifndef COCKTAIL_RANDOM_H
#define COCKTAIL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
double random_uniform(struct random *random);              /* in [0, 1), 53 bits */
/* The same from a number that is looked up and not drawn: number `at` of sequence `stream` of the seed,
 * whatever else has been asked for. */
double random_uniform_at(uint64_t seed, uint64_t stream, uint64_t at);
/* Likewise, standard normal: each uses two of the uniform numbers of its sequence. */
double random_normal_at(uint64_t seed, uint64_t stream, uint64_t at);
size_t random_below(struct random *random, size_t n);      /* 0 … n-1, each equally likely; n > 0 */

#endif
