#include "byte_hash.h"

#include <sys/random.h>

uint64_t byte_hash_seed(void)
{
    uint64_t seed = 0;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uintptr_t)&seed;
    return seed | 1;
}
