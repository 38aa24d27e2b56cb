#include "adapter/largest.h"

#include <math.h>
#include <string.h>

#include "test.h"

#include "math/random.h"

enum { N = 5000 };

/* The pieces have 700 values. */
static void keep(const float *x, size_t n, size_t k, float *out)
{
    struct largest largest;
    size_t n_looks = 0;

    largest_init(&largest, k);
    while (largest_goes_on(&largest)) {
        for (size_t i = 0; i < n; i += 700)
            largest_look(&largest, x + i, n - i < 700 ? n - i : 700);
        largest_turn(&largest);
        n_looks++;
    }
    CHECK(n_looks <= 3);
    memcpy(out, x, n * sizeof *x);
    for (size_t i = 0; i < n; i += 700)
        largest_keep(&largest, out + i, n - i < 700 ? n - i : 700);
}

/* How many are larger, and how many of those before it are as large. */
static size_t rank_of(const float *x, size_t n, size_t item)
{
    size_t rank = 0;

    for (size_t i = 0; i < n; i++)
        rank += fabsf(x[i]) > fabsf(x[item]) || (i < item && fabsf(x[i]) == fabsf(x[item]));
    return rank;
}

static void check(const float *x, size_t n, size_t k)
{
    float out[N];
    size_t n_wrong = 0;

    keep(x, n, k, out);
    for (size_t i = 0; i < n; i++)
        n_wrong += out[i] != (rank_of(x, n, i) < k ? x[i] : 0);
    CHECK(n_wrong == 0);
}

static void keeps_the_largest(void)
{
    struct random random;
    float x[N];

    random_init(&random, 3);
    for (size_t i = 0; i < N; i++)
        x[i] = (float)((random_uniform(&random) - 0.5) * pow(10, 12 * random_uniform(&random) - 6));
    check(x, N, 1);
    check(x, N, 1234);
    check(x, N, N - 1);
}

static void keeps_the_first_of_equal_ones(void)
{
    struct random random;
    float x[N];

    random_init(&random, 4);
    for (size_t i = 0; i < N; i++)
        x[i] = (float)random_below(&random, 7) - 3;
    check(x, N, 900);
    check(x, N, 2500);
    check(x, 700, 350);
}

static void tells_neighbours_apart(void)
{
    float x[64];

    for (size_t i = 0; i < 64; i++)
        x[i] = (i % 2 ? -1 : 1) * (1 + (float)(i * 37 % 64) * 0x1p-23f);
    for (size_t k = 1; k <= 64; k++)
        check(x, 64, k);
}

static void keeps_none_and_all(void)
{
    float x[4] = {1, -2, 0, 3e38f}, out[4];

    keep(x, 4, 0, out);
    CHECK(out[0] == 0 && out[1] == 0 && out[3] == 0);
    keep(x, 4, 4, out);
    CHECK(memcmp(x, out, sizeof x) == 0);
}

TESTS(TEST(keeps_the_largest), TEST(keeps_the_first_of_equal_ones), TEST(tells_neighbours_apart),
      TEST(keeps_none_and_all))
