/* coin.h - random numbers that are found by their place, not drawn one after the other.
 *
 * A number depends on the seed, the tensor's name, the input and the item alone: so whoever asks, in
 * whatever order and from however many threads, has the same. The key is mixed as in splitmix64
 * (Steele, Lea, Flood); the numbers of a key are a permutation of all 32-bit ones, "triple32" by C.
 * Wellons, with a second half of the key in the middle. */
#ifndef COCKTAIL_COIN_H
#define COCKTAIL_COIN_H

#include <stddef.h>
#include <stdint.h>

struct coin {
    uint64_t key;
};

struct coin coin_of(uint64_t seed, const char *tensor, size_t input);

/* out[n] = numbers 0 … 2^31 - 1 for items first … first + n - 1. */
void coin_toss(const struct coin *coin, size_t first, size_t n, int32_t *out);

/* What numbers are below with this probability, 0 to 1. */
int32_t coin_limit(double probability);

#endif
